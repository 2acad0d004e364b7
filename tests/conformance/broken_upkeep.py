"""Stores with one planted defect each in sweeping and in what is due; above each, what it fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from otpcore.ports import Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
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
