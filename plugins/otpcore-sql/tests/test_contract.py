"""The store keeps the contract on each database, blocking, and awaited where that is native."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import sqlalchemy as sa

from otpcore.conformance.processes import PRELOADED
from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
from tests.redis_servers import Proxy
from tests.sql_places import Place, place

PRELOADED.extend(["otpcore_sql.aio", "otpcore_sql.mysql", "otpcore_sql.store"])

ON_A_SERVER = StoreCapabilities(durability=Durability.DISK, multi_process=True, shared=True, batch=True)
ON_A_FILE = StoreCapabilities(durability=Durability.DISK, multi_process=True, batch=True)
IN_THE_SYSTEM = StoreCapabilities(durability=Durability.PROCESS, multi_process=True, batch=True)


class Contract(StoreContract):
    """What all have in common."""

    database: ClassVar[str]
    scans = True
    given: ClassVar[dict[str, Any]] = {"connections": 32}
    at: Place

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        with place(self.database, tmp_path) as self.at:
            yield

    def make_store(self) -> Any:
        return self.at.store(**self.given)

    def opener(self) -> Any:
        return partial(self.at.store, **self.given)


class TestSQLite(Contract):
    capabilities = ON_A_FILE
    database = "sqlite"


@pytest.mark.nightly
class TestSQLiteNormal(Contract):
    """It differs by a pragma alone."""

    capabilities = IN_THE_SYSTEM
    database = "sqlite"
    given: ClassVar[dict[str, Any]] = {"connections": 32, "synchronous": "normal"}


@pytest.fixture(scope="class")
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Place]]:
    """Gives each test of a class the same tables, empty: to make and drop them takes longer than most tests do.

    The first test makes them; `test_migrating` is about that.
    """
    with place(cast("Any", request).cls.database, tmp_path_factory.getbasetemp()) as at:
        engine = sa.create_engine(at.url, isolation_level="AUTOCOMMIT")

        def emptied() -> Place:
            with engine.connect() as connection:
                if sa.inspect(connection).has_table(f"{at.prefix}_records"):
                    connection.exec_driver_sql(f"DELETE FROM {at.prefix}_records")
            return at

        yield emptied
        engine.dispose()


class Served(Contract):
    """Its server can be put out of reach: behind a proxy, where the checks of that need one."""

    capabilities = ON_A_SERVER
    proxy: Proxy

    @pytest.fixture(autouse=True)
    def place(self, tables: Callable[[], Place], request: pytest.FixtureRequest) -> Iterator[None]:
        self.at = tables()
        if "outage" not in request.node.name:  # a proxy takes its time from the races
            yield
            return
        url = sa.make_url(self.at.url)
        with Proxy(url.port or 0) as self.proxy:
            there = url.set(port=self.proxy.port).render_as_string(hide_password=False)
            self.at = replace(self.at, url=there)
            yield

    def outage(self, store: Any) -> AbstractContextManager[None]:
        return self.proxy.away()


class TestPostgreSQL(Served):
    database = "postgresql"


class TestAsyncPostgreSQL(Served):
    database = "postgresql"

    async def make_store(self) -> Any:
        return self.at.async_store(**self.given)

    def opener(self) -> Any:
        return partial(self.at.async_store, **self.given)


class TestMariaDB(Served):
    database = "mariadb"
