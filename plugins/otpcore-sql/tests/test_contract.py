"""The store keeps the contract on each database, blocking, and awaited where that is native."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
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


class TestPostgreSQL(Contract):
    capabilities = ON_A_SERVER
    database = "postgresql"


class TestAsyncPostgreSQL(Contract):
    capabilities = ON_A_SERVER
    database = "postgresql"

    async def make_store(self) -> Any:
        return self.at.async_store(**self.given)

    def opener(self) -> Any:
        return partial(self.at.async_store, **self.given)


class TestMariaDB(Contract):
    capabilities = ON_A_SERVER
    database = "mariadb"
