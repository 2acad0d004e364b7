"""Stores with one planted defect each in batches; above each, what it fails."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from otpcore.conformance.yielding import PAUSE_S
from otpcore.errors import StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
from tests.conformance.broken_stores import fails
from tests.conformance.racing_stores import PAUSE, TIMEOUT_S, loses
from tests.conformance.server_like import ServerLike

Answers = Sequence[Version | Conflict | StoreError]


@fails(
    "a_batch_of_loads_is_answered_in_order",
    "a_large_batch_is_taken_whole",
)
class AnswersLoadsByKey(ServerLike):
    """As a query without an order."""

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        return super().load_many(sorted(keys))


@fails(
    "an_empty_batch_is_answered_with_nothing",
)
class CannotAskForNothing(ServerLike):
    """As a list of values in SQL."""

    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        if not commits:
            raise ValueError("a syntax error near )")
        return super().commit_many(commits)


@fails(
    "a_batch_creates_updates_and_deletes",
    "a_batch_of_commits_is_answered_in_order",
    "a_conflict_in_a_batch_carries_the_current_record",
    "a_large_batch_is_taken_whole",
    "a_lost_commit_of_a_batch_leaves_the_others_applied",
    "no_record_of_a_batch_is_without_expiry",
    "versions_of_batches_are_all_different",
)
class AnswersCommitsBackwards(ServerLike):
    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        return super().commit_many(commits)[::-1]


@fails(
    "a_lost_commit_of_a_batch_leaves_the_others_applied",
    "no_record_of_a_batch_is_without_expiry",
)
class AllOrNothing(ServerLike):
    """As one transaction."""

    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        stand = [self.load(each.key) for each in commits]
        lost = [(found.version if found else None) != each.expect for found, each in zip(stand, commits, strict=True)]
        return [Conflict(found) for found in stand] if any(lost) else super().commit_many(commits)


@fails(
    "a_conflict_in_a_batch_carries_the_current_record",
)
class ConflictsWithoutTheRecord(ServerLike):
    def commit_one(self, each: CommitRequest) -> Version | Conflict | StoreError:
        answer = super().commit_one(each)
        return Conflict(None) if isinstance(answer, Conflict) else answer


@fails(
    "a_batch_creates_updates_and_deletes",
    "versions_of_batches_are_all_different",
)
class OverlooksDeletions(ServerLike):
    def commit_one(self, each: CommitRequest) -> Version | Conflict | StoreError:
        return super().commit_one(replace(each, data=each.data or b""))


@fails(
    "a_large_batch_is_taken_whole",
)
class TakesAHundred(ServerLike):
    """As where a statement has a limit on its parameters."""

    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        return [*super().commit_many(commits[:100]), *(StoreUnavailable() for _ in commits[100:])]


@fails(
    "versions_of_batches_are_all_different",
)
class OneVersionForABatch(ServerLike):
    """As the number of a transaction; it is not told apart where a batch has one item."""

    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        counting = self._serials
        self._serials = itertools.repeat(next(counting))
        try:
            return super().commit_many(commits)
        finally:
            self._serials = counting


@fails(
    "gc_at_of_a_batch_counts",
)
class OneDateForABatch(ServerLike):
    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        return super().commit_many([replace(each, gc_at=commits[-1].gc_at) for each in commits])


@fails(
    "a_batch_after_close_is_unavailable",
)
class FindsNothingAfterClose(ServerLike):
    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        return [None for _ in keys] if self._closed else super().load_many(keys)


# --- batches that lose races ----------------------------------------------------------------------


@loses("of_batches_and_single_commits_one_wins_each_key")
class ComparesFirst(ServerLike):
    """Compares the whole batch, waits until a second one has compared, and writes; single updates wait for the first.

    So the first race of batches and single commits has two winners, however the threads are served.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writing = threading.Lock()
        self.in_batches = False
        self.first_compared = threading.Event()
        self.second_compared = threading.Event()

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if self.in_batches and expect is not None:
            self.first_compared.wait(TIMEOUT_S)
        return super().commit(key, data, expect=expect, gc_at=gc_at)

    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        if all(each.expect is None for each in commits):
            self.in_batches = True
            return super().commit_many(commits)
        with self.writing:
            stand = [self.load(each.key) for each in commits]
            (self.second_compared if self.first_compared.is_set() else self.first_compared).set()
        self.second_compared.wait(TIMEOUT_S)
        return [self._write(found, each) for found, each in zip(stand, commits, strict=True)]

    def _write(self, found: Versioned | None, each: CommitRequest) -> Version | Conflict:
        if (found.version if found else None) != each.expect:
            return Conflict(found)
        with self.writing:
            stands = self.load(each.key)
            expect = stands.version if stands else None
            return MemoryStore.commit(self, each.key, each.data, expect=expect, gc_at=each.gc_at)


@loses("batches_in_opposite_order_hold_nobody_up")
class LocksInTheBatchsOrder(ServerLike):
    """As rows that are locked one after the other, until the server finds the deadlock."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        with ExitStack() as held:
            for each in commits:
                row = self.rows[each.key]
                if not row.acquire(timeout=100 * PAUSE_S):
                    raise StoreUnavailable("a deadlock was found")
                held.callback(row.release)
                PAUSE.wait(PAUSE_S)
            return super().commit_many(commits)
