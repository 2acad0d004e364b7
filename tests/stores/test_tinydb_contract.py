"""The embedded store against the store kit, with and without sync."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
from otpcore.stores.tinydb import TinyDBStore


class TestTinyDBStore(StoreContract):
    capabilities = StoreCapabilities(durability=Durability.DISK, multi_process=True, batch=True)
    scans = True
    path: Path

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "otp.otpdb"

    def make_store(self) -> TinyDBStore:
        return TinyDBStore(self.path)

    def opener(self) -> partial[TinyDBStore]:
        return partial(TinyDBStore, self.path)


class TestTinyDBStoreWithoutSync(TestTinyDBStore):
    capabilities = StoreCapabilities(durability=Durability.PROCESS, multi_process=True, batch=True)

    def make_store(self) -> TinyDBStore:
        return TinyDBStore(self.path, sync=False)

    def opener(self) -> partial[TinyDBStore]:
        return partial(TinyDBStore, self.path, sync=False)
