"""Stores that are right for one caller and lose races: they look, give way, and then act on what they saw."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from threading import Event, Lock
from typing import TypeVar

from otpcore.conformance.yielding import PAUSE_S
from otpcore.errors import StoreUnavailable
from otpcore.ports import Conflict, Version, Versioned
from otpcore.stores.memory import Entry, MemoryStore

PAUSE = Event()
TIMEOUT_S = 30.0
"""Only so that a mistake here ends; every wait is ended by what it waits for."""

Racing = TypeVar("Racing", bound=type[MemoryStore])
RACING_DEFECTS: list[tuple[type[MemoryStore], str]] = []


def loses(*names: str) -> Callable[[Racing], Racing]:
    """Register a racing store with requirements that it is sure to fail, without their `test_`."""

    def register(store: Racing) -> Racing:
        RACING_DEFECTS.extend((store, f"test_{name}") for name in names)
        return store

    return register


class NaiveStore(MemoryStore):
    """Compares, gives way, and writes: the control of every storm. Which commits do so is narrowed by subclasses."""

    def __init__(self) -> None:
        super().__init__()
        self._writing = Lock()

    def is_naive(self, data: bytes | None, expect: Version | None) -> bool:
        return True

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if not self.is_naive(data, expect):
            return super().commit(key, data, expect=expect, gc_at=gc_at)
        stands = self.load(key)
        if (stands.version if stands else None) != expect:
            return Conflict(stands)
        PAUSE.wait(PAUSE_S)
        with self._writing:  # each write is whole; what was compared may be gone
            stands = self.load(key)
            answer = super().commit(key, data, expect=stands.version if stands else None, gc_at=gc_at)
        assert not isinstance(answer, Conflict)
        return answer


@loses("one_of_many_creators_wins")
class NaiveCreation(NaiveStore):
    def is_naive(self, data: bytes | None, expect: Version | None) -> bool:
        return data is not None and expect is None


@loses("one_of_many_writers_wins", "no_increment_is_lost")
class NaiveUpdate(NaiveStore):
    def is_naive(self, data: bytes | None, expect: Version | None) -> bool:
        return data is not None and expect is not None


@loses("one_of_many_deleters_wins", "an_update_and_a_deletion_do_not_both_win")
class NaiveDeletion(NaiveStore):
    def is_naive(self, data: bytes | None, expect: Version | None) -> bool:
        return data is None


@loses("versions_of_a_race_are_all_different")
class RacingVersions(MemoryStore):
    """Versions count the record's commits, and a commit that lost is answered as if it had won."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        PAUSE.wait(PAUSE_S)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        return answer.current.version if isinstance(answer, Conflict) and answer.current else answer


@loses("writers_of_other_keys_do_not_conflict")
class WholeStoreGuard(MemoryStore):
    """As a file under one version: a commit conflicts with any other that came between."""

    commits = 0

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        seen = self.commits
        PAUSE.wait(PAUSE_S)
        with self._lock:
            if seen != self.commits:
                return Conflict(self._versioned(self._records.get(key)))
            self.commits += 1
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@loses("readers_meet_whole_records")
class TornWrites(MemoryStore):
    """Writes the first half of a long record, gives way, and writes the rest."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if not data or expect is None or len(data) < 1000:
            return super().commit(key, data, expect=expect, gc_at=gc_at)
        answer = super().commit(key, data[: len(data) // 2], expect=expect, gc_at=gc_at)
        PAUSE.wait(PAUSE_S)
        with self._lock:
            entry = self._records[key]
            self._records[key] = Entry(data, entry.serial, entry.gc_at_us)
        return answer


@loses("a_reader_never_sees_time_run_back")
class WeakReads(MemoryStore):
    """Every second load of a thread gives what it saw before, as from replicas of which one lags."""

    def __init__(self) -> None:
        super().__init__()
        self.replicas = threading.local()

    def load(self, key: str) -> Versioned | None:
        PAUSE.wait(PAUSE_S)
        seen: list[Versioned | None] = self.replicas.__dict__.setdefault("seen", [])
        seen.append(super().load(key))
        return seen[-1] if len(seen) % 3 else seen[0]

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        PAUSE.wait(PAUSE_S)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@loses("an_acknowledged_commit_is_seen_by_everybody")
class LateWrites(MemoryStore):
    """Acknowledges an update before it can be seen by threads other than the writer's."""

    def __init__(self) -> None:
        super().__init__()
        self.writer = 0
        self.before: dict[str, Versioned | None] = {}

    def load(self, key: str) -> Versioned | None:
        if self.writer not in {0, threading.get_ident()} and key in self.before:
            return self.before.pop(key)
        return super().load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        before = super().load(key)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        self.writer, self.before = threading.get_ident(), {key: before}
        return answer


@loses("sweepers_do_not_count_a_record_twice")
class SweepsByAList(MemoryStore):
    """Lists what is due, waits until another sweep has listed it too, and counts what it listed."""

    def __init__(self) -> None:
        super().__init__()
        self.listings = 0
        self.gone_on = Event()

    def sweep(self, before: datetime, *, limit: int) -> int:
        with self._lock:
            entries = self._records.items()
            due = [key for key, entry in entries if entry.gc_at_us < before.timestamp() * 1e6][:limit]
        if due:
            self.between(due)
        with self._lock:
            for key in due:
                if key in self._records:
                    self._drop(key)
        return len(due)

    def between(self, due: list[str]) -> None:
        with self._lock:
            self.listings += 1
            if self.listings > 1:
                self.gone_on.set()
        self.gone_on.wait(TIMEOUT_S)


@loses("a_sweep_does_not_take_what_a_commit_saved")
class SweepsWhatWasSaved(SweepsByAList):
    """Lists what is due, waits until one of those records has been given longer, and deletes what it listed."""

    def __init__(self) -> None:
        super().__init__()
        self.listed = Event()
        self.due: frozenset[str] = frozenset()

    def between(self, due: list[str]) -> None:
        self.due |= set(due)
        self.listed.set()
        self.gone_on.wait(TIMEOUT_S)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data != b"saved":
            return super().commit(key, data, expect=expect, gc_at=gc_at)
        self.listed.wait(TIMEOUT_S)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if key in self.due:
            self.gone_on.set()
        return answer


@loses("a_store_may_be_used_from_another_thread")
class BoundToItsThread(MemoryStore):
    """As a connection of sqlite3 is by default."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = threading.get_ident()

    def _require_open(self) -> None:
        if threading.get_ident() != self.owner:
            raise StoreUnavailable("made in another thread")
        super()._require_open()
