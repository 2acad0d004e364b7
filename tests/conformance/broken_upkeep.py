"""Stores with one planted defect each in sweeping, scanning, closing or what they claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from otpcore.ports import Conflict, Durability, StoreCapabilities, Version, Versioned
from otpcore.stores.memory import CAPABILITIES, MemoryStore
from tests.conformance.broken_stores import Tombs, fails

# --- collection ----------------------------------------------------------------------------------


class Sweeping(MemoryStore):
    """Sweeps by another rule."""

    def is_due(self, gc_at_us: int, before_us: int) -> bool:
        return gc_at_us < before_us

    def sweep(self, before: datetime, *, limit: int) -> int:
        self._require_open()
        before_us = _us(before)
        due = [key for key, entry in self._records.items() if self.is_due(entry.gc_at_us, before_us)]
        for key in due[:limit]:
            self._drop(key)
        return self.count(len(due[:limit]))

    def count(self, gone: int) -> int:
        return gone


def _us(instant: datetime) -> int:
    return round(instant.timestamp() * 1e6)


@fails(
    "a_record_may_live_400_days",
    "a_sweep_respects_its_limit",
    "a_sweep_says_how_many_went",
    "a_swept_key_can_be_created_again",
    "a_version_from_before_a_sweep_is_refused",
    "due_records_are_swept",
    "gc_at_moved_earlier_counts",
    "the_given_instant_counts_not_the_clock",
    "the_instant_itself_is_not_before",
    "time_zones_do_not_move_an_instant",
)
class NeverSweeps(Sweeping):
    def is_due(self, gc_at_us: int, before_us: int) -> bool:
        return False


@fails(
    "a_record_may_live_400_days",
    "a_refused_commit_does_not_move_gc_at",
    "a_sweep_before_the_due_time_keeps_what_the_clock_calls_due",
    "a_sweep_does_not_count_what_it_kept",
    "gc_at_moved_later_saves_the_record",
    "gc_at_of_a_deleted_record_is_forgotten",
    "records_that_are_not_due_are_kept",
    "the_instant_itself_is_not_before",
    "time_zones_do_not_move_an_instant",
)
class SweepsAll(Sweeping):
    def is_due(self, gc_at_us: int, before_us: int) -> bool:
        return True


@fails("the_instant_itself_is_not_before")
class SweepsTheInstantItself(Sweeping):
    def is_due(self, gc_at_us: int, before_us: int) -> bool:
        return gc_at_us <= before_us


@fails(
    "a_record_may_live_400_days",
    "a_sweep_before_the_due_time_keeps_what_the_clock_calls_due",
    "gc_at_moved_earlier_counts",
    "the_given_instant_counts_not_the_clock",
    "the_instant_itself_is_not_before",
)
class SweepsByItsClock(Sweeping):
    def is_due(self, gc_at_us: int, before_us: int) -> bool:
        return gc_at_us < _us(datetime.now(UTC))


@fails("a_sweep_before_the_due_time_keeps_what_the_clock_calls_due")
class SweepsEarly(Sweeping):
    def is_due(self, gc_at_us: int, before_us: int) -> bool:
        return gc_at_us < before_us or gc_at_us < _us(datetime.now(UTC))


@fails(
    "a_record_may_live_400_days",
    "a_sweep_says_how_many_went",
    "gc_at_moved_earlier_counts",
    "time_zones_do_not_move_an_instant",
)
class CountsNothing(Sweeping):
    def count(self, gone: int) -> int:
        return 0


@fails(
    "a_deleted_record_is_not_swept_again",
    "a_record_may_live_400_days",
    "a_refused_commit_does_not_move_gc_at",
    "a_sweep_does_not_count_what_it_kept",
    "a_sweep_says_how_many_went",
    "gc_at_moved_later_saves_the_record",
)
class CountsAtLeastOne(Sweeping):
    def count(self, gone: int) -> int:
        return gone or 1


@fails(
    "a_sweep_respects_its_limit",
    "a_sweep_says_how_many_went",
)
class IgnoresTheLimit(MemoryStore):
    def sweep(self, before: datetime, *, limit: int) -> int:
        return super().sweep(before, limit=limit and 10_000)


@fails("a_sweep_with_limit_0_deletes_nothing")
class NoLimitIsNoBound(MemoryStore):
    def sweep(self, before: datetime, *, limit: int) -> int:
        return super().sweep(before, limit=limit or 10_000)


@fails("a_deleted_record_is_not_swept_again")
class CountsTombs(Tombs):
    def sweep(self, before: datetime, *, limit: int) -> int:
        tombs = len(self.tombs)
        self.tombs.clear()
        return super().sweep(before, limit=limit) + tombs


class Expiring(MemoryStore):
    """Knows when its records are due, and acts on it."""

    def is_expired(self, key: str) -> bool:
        return key in self._records and self._records[key].gc_at_us < _us(datetime.now(UTC))


@fails(
    "a_due_record_loads_until_it_is_swept",
    "a_sweep_before_the_due_time_keeps_what_the_clock_calls_due",
    "a_sweep_respects_its_limit",
    "a_sweep_with_limit_0_deletes_nothing",
)
class HidesWhatIsDue(Expiring):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        return None if self.is_expired(key) else found


@fails("a_due_record_still_guards_its_key")
class CreatesOverWhatIsDue(Expiring):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if self.is_expired(key) and expect is None:
            self._drop(key)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails(
    "a_due_record_can_be_updated",
    "gc_at_moved_later_saves_the_record",
)
class RefusesToUpdateWhatIsDue(Expiring):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if self.is_expired(key) and expect is not None and data is not None:
            return Conflict(None)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


class Dating(MemoryStore):
    """Keeps another `gc_at` than it was given."""

    def date(self, key: str, gc_at: datetime) -> datetime:
        return gc_at

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        return super().commit(key, data, expect=expect, gc_at=self.date(key, gc_at))

    def standing(self, key: str) -> datetime | None:
        entry = self._records.get(key)
        return None if entry is None else datetime.fromtimestamp(entry.gc_at_us / 1e6, UTC)


@fails("gc_at_moved_later_saves_the_record")
class KeepsTheEarliestDate(Dating):
    def date(self, key: str, gc_at: datetime) -> datetime:
        return min(gc_at, self.standing(key) or gc_at)


@fails("gc_at_moved_earlier_counts")
class KeepsTheLatestDate(Dating):
    def date(self, key: str, gc_at: datetime) -> datetime:
        return max(gc_at, self.standing(key) or gc_at)


@fails("time_zones_do_not_move_an_instant")
class DropsTheZone(Dating):
    def date(self, key: str, gc_at: datetime) -> datetime:
        return gc_at.replace(tzinfo=UTC)


@fails("a_record_may_live_400_days")
class CapsTheDate(Dating):
    def date(self, key: str, gc_at: datetime) -> datetime:
        return min(gc_at, datetime.now(UTC) + timedelta(days=90))


@fails("gc_at_of_a_deleted_record_is_forgotten")
class RemembersTheDateOfTheDead(Dating):
    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, datetime] = {}

    def date(self, key: str, gc_at: datetime) -> datetime:
        first = self.first.setdefault(key, gc_at)
        return gc_at if key in self._records else first


@fails("a_refused_commit_does_not_move_gc_at")
class RefusedCommitsMoveTheDate(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict) and answer.current:
            self._records[key] = replace(self._records[key], gc_at_us=_us(gc_at))
        return answer


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
