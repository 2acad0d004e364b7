"""The memory store against the store kit."""

from __future__ import annotations

from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
from otpcore.stores.memory import MemoryStore


class TestMemoryStore(StoreContract):
    capabilities = StoreCapabilities(durability=Durability.VOLATILE, multi_process=False, blocking_io=False)
    scans = True

    def make_store(self) -> MemoryStore:
        return MemoryStore()
