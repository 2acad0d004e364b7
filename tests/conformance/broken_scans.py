"""Stores with one planted defect each in scanning or in the object itself; above each, what it fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from otpcore.ports import Conflict, Durability, StoreCapabilities, Version, Versioned
from otpcore.stores.memory import CAPABILITIES, MemoryStore
from tests.conformance.broken_stores import fails

# --- scanning ------------------------------------------------------------------------------------


@fails("scan_is_in_the_order_of_keys")
class ScansInOrderOfCreation(MemoryStore):
    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        return [pair for pair in self._pairs(self._records) if pair[0] > after][:limit]

    def _pairs(self, keys: Iterable[str]) -> list[tuple[str, Versioned]]:
        return [(key, found) for key in keys if (found := self.load(key))]


@fails("scan_gives_current_records")
class ScansWithoutVersions(MemoryStore):
    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        return [(key, Versioned(found.data, Version("0"))) for key, found in super().scan(after, limit)]


@fails(
    "scan_by_pages_meets_every_record_once",
    "scan_starts_after_the_given_key",
)
class ScansFromTheKey(ScansInOrderOfCreation):
    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        return self._pairs(key for key in sorted(self._records) if key >= after)[:limit]


@fails("scan_starts_after_the_given_key")
class ScansOnlyAfterWhatIsThere(MemoryStore):
    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        return super().scan(after, limit) if not after or after in self._records else []


@fails("scan_respects_its_limit")
class ScansWithoutLimit(MemoryStore):
    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        return super().scan(after, 10_000)


@fails("scan_by_pages_meets_every_record_once")
class ScansTheLastPageTwice(MemoryStore):
    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        return super().scan(after, limit) or super().scan("", 1)


# --- the object ----------------------------------------------------------------------------------


@fails("capabilities_are_as_declared")
class ClaimsOtherwise(MemoryStore):
    @property
    def capabilities(self) -> StoreCapabilities:
        return StoreCapabilities(durability=Durability.DISK, multi_process=True)


@fails("capabilities_are_constant")
class ChangesItsClaims(MemoryStore):
    @property
    def capabilities(self) -> StoreCapabilities:
        return StoreCapabilities(durability=Durability.VOLATILE, multi_process=False) if self._closed else CAPABILITIES


@fails(
    "scan_by_pages_meets_every_record_once",
    "scan_gives_current_records",
    "scan_is_as_declared",
    "scan_is_in_the_order_of_keys",
    "scan_respects_its_limit",
    "scan_starts_after_the_given_key",
)
class HasNoScan(MemoryStore):
    def __getattribute__(self, name: str) -> Any:
        if name == "scan":
            raise AttributeError(name)
        return super().__getattribute__(name)


@fails(
    "capabilities_are_constant",
    "closing_an_unused_store_is_harmless",
    "closing_twice_is_harmless",
    "commit_after_close_is_unavailable",
    "it_is_a_store_of_one_colour",
    "load_after_close_is_unavailable",
    "sweep_after_close_is_unavailable",
)
class LacksClose:
    def __init__(self) -> None:
        inner = MemoryStore()
        self.capabilities = inner.capabilities
        self.load, self.commit, self.sweep, self.scan = inner.load, inner.commit, inner.sweep, inner.scan


@fails("closing_twice_is_harmless")
class ClosesOnce(MemoryStore):
    def close(self) -> None:
        self._require_open()
        super().close()


@fails(
    "closing_an_unused_store_is_harmless",
    "commit_after_close_is_unavailable",
    "sweep_after_close_is_unavailable",
)
class ClosesOnlyWhatWasUsed(MemoryStore):
    def close(self) -> None:
        if not self._records and not self._closed and next(self._serials) == 1:
            raise RuntimeError("nothing to close")
        super().close()


@fails("load_after_close_is_unavailable")
class LoadsAfterClose(MemoryStore):
    def load(self, key: str) -> Versioned | None:
        return None if self._closed else super().load(key)


@fails("commit_after_close_is_unavailable")
class CommitsAfterClose(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        return Version("lost") if self._closed else super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("sweep_after_close_is_unavailable")
class SweepsAfterClose(MemoryStore):
    def sweep(self, before: datetime, *, limit: int) -> int:
        return 0 if self._closed else super().sweep(before, limit=limit)
