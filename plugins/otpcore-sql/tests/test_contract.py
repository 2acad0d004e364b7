"""The store keeps the contract on each database, blocking, and awaited where that is native."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
from tests.redis_servers import Proxy
from tests.sql_places import Place, place

ON_A_SERVER = StoreCapabilities(durability=Durability.DISK, multi_process=True, shared=True, batch=True)
ON_A_FILE = StoreCapabilities(durability=Durability.DISK, multi_process=True, batch=True)
IN_THE_SYSTEM = StoreCapabilities(durability=Durability.PROCESS, multi_process=True, batch=True)


class Contract(StoreContract):
    """What all have in common."""

    database: ClassVar[str]
    scans = True
    given: ClassVar[dict[str, Any]] = {"connections": 32}

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        with place(self.database, tmp_path) as self.at:
            yield

    at: Place

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


class Served(Contract):
    """Its server can be put out of reach: behind a proxy, where the checks of that need one."""

    capabilities = ON_A_SERVER
    proxy: Proxy

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
        with place(self.database, tmp_path) as at:
            self.at = at
            if "outage" not in request.node.name:  # a proxy takes its time from the races
                yield
                return
            url = sa.make_url(at.url)
            with Proxy(url.port or 0) as self.proxy:
                there = url.set(port=self.proxy.port).render_as_string(hide_password=False)
                self.at = replace(at, url=there)
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
