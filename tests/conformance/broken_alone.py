"""`broken_singly`, of sweeping, scanning, batches and outages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from otpcore.errors import StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
from tests.conformance.broken_batches import Answers
from tests.conformance.broken_outages import SendsLater
from tests.conformance.broken_singly import Answer, hence
from tests.conformance.broken_stores import fails
from tests.conformance.broken_upkeep import Expiring, Sweeping
from tests.conformance.server_like import ServerLike

# --- sweeping and scanning -----------------------------------------------------------------------


class Recently(Expiring):
    """Acts on what has been due for minutes, not for an hour."""

    def is_expired(self, key: str) -> bool:
        return super().is_expired(key) and self._records[key].gc_at_us > hence(minutes=-30)


@fails("a_due_record_loads_until_it_is_swept")
class HidesWhatIsJustDue(Recently):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        return None if self.is_expired(key) else found


@fails("a_due_record_can_be_updated")
class RefusesToUpdateWhatIsJustDue(Recently):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        if self.is_expired(key) and expect is not None and data is not None:
            return Conflict(None)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("a_sweep_does_not_count_what_it_kept")
class CountsOneOfNothing(MemoryStore):
    """In a store that was never written to."""

    touched = False

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        self.touched = True
        return super().commit(key, data, expect=expect, gc_at=gc_at)

    def sweep(self, before: datetime, *, limit: int) -> int:
        return super().sweep(before, limit=limit) or int(not self.touched)


@fails("a_sweep_respects_its_limit")
class CountsItsLimitRound(MemoryStore):
    def sweep(self, before: datetime, *, limit: int) -> int:
        return super().sweep(before, limit=limit % 96)


@fails("a_sweep_says_how_many_went")
class CountsToThree(Sweeping):
    def count(self, gone: int) -> int:
        return min(gone, 3)


@fails("a_swept_key_can_be_created_again")
class CreatesOnlyWhatItSwept(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.swept: dict[str, bytes] = {}

    def sweep(self, before: datetime, *, limit: int) -> int:
        before_it = {key: entry.data for key, entry in self._records.items()}
        count = super().sweep(before, limit=limit)
        self.swept |= {key: data for key, data in before_it.items() if key not in self._records}
        return count

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        if expect is None and self.swept.get(key, data) != data:
            return Conflict(None)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("due_records_are_swept")
class LeavesTheTenth(MemoryStore):
    """Of those that its clock calls due."""

    def sweep(self, before: datetime, *, limit: int) -> int:
        late = round(before.timestamp() * 1e6) > hence(hours=1)
        return super().sweep(before, limit=limit if late or limit < 1000 else 9)


@fails("the_given_instant_counts_not_the_clock")
class KeepsWhatIsForTomorrow(Sweeping):
    def is_due(self, gc_at_us: int, before_us: int) -> bool:
        return gc_at_us < before_us and not hence(hours=20) < gc_at_us < hence(hours=30)


@fails("records_that_are_not_due_are_kept")
class TakesOneMore(MemoryStore):
    """Where it took one of many."""

    def sweep(self, before: datetime, *, limit: int) -> int:
        count = super().sweep(before, limit=limit)
        if count == 1 and len(self._records) > 5:
            self._drop(next(iter(self._records)))
        return count


@fails("scan_is_as_declared")
class ScansWhatIsThere(MemoryStore):
    """Nothing, and it has no way to scan."""

    def __getattribute__(self, name: str) -> Any:
        if name == "scan" and not self._records:
            raise AttributeError(name)
        return super().__getattribute__(name)


# --- batches -------------------------------------------------------------------------------------


@fails("a_batch_of_loads_is_answered_in_order")
class AnswersFewLoadsByKey(ServerLike):
    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        return super().load_many(sorted(keys) if len(keys) < 10 else keys)


@fails("a_batch_of_commits_is_answered_in_order")
class AnswersEightCommitsByKey(ServerLike):
    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        return super().commit_many(sorted(commits, key=lambda one: one.key) if len(commits) == 8 else commits)


@fails("a_batch_creates_updates_and_deletes")
class OverlooksDeletionsAmongWrites(ServerLike):
    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        several = len(commits) > 2 and any(each.data and each.expect is None for each in commits)
        return [Version("gone") if several and each.data is None else self.commit_one(each) for each in commits]


@fails("a_lost_commit_of_a_batch_leaves_the_others_applied")
class CreatesAllOrNothing(ServerLike):
    def commit_many(self, commits: Sequence[CommitRequest]) -> Answers:
        stand = [self.load(each.key) for each in commits]
        if any(stand) and all(each.expect is None and each.data for each in commits):
            return [Conflict(found) for found in stand]
        return super().commit_many(commits)


@fails("no_record_is_without_expiry_after_any_commit")
class SingleUpdatesKeepNoLifetime(ServerLike):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if not isinstance(answer, Conflict) and expect is not None:
            (self.forever.add if data is not None else self.forever.discard)(key)
        return answer

    def commit_one(self, each: CommitRequest) -> Version | Conflict | StoreError:
        return ServerLike.commit(self, each.key, each.data, expect=each.expect, gc_at=each.gc_at)


# --- outages -------------------------------------------------------------------------------------


class InBatches(ServerLike):
    """Its batches are sound."""

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        return [ServerLike.load(self, key) for key in keys]

    def commit_one(self, each: CommitRequest) -> Version | Conflict | StoreError:
        return ServerLike.commit(self, each.key, each.data, expect=each.expect, gc_at=each.gc_at)


@fails("a_load_in_an_outage_is_unavailable")
class LoadsRaiseWhatTheDriverRaises(InBatches):
    def load(self, key: str) -> Versioned | None:
        if self.is_away:
            raise ConnectionResetError("by the server")
        return super().load(key)


@fails("a_commit_in_an_outage_is_unavailable_or_unknown")
class CommitsRaiseWhatTheDriverRaises(InBatches):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        if self.is_away:
            raise ConnectionResetError("by the server")
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("a_commit_of_an_outage_is_applied_or_not")
class SendsSingleCommitsLater(InBatches, SendsLater):
    pass


@fails("the_same_store_works_again_after_an_outage")
class LoadsNeverAgain(InBatches):
    """Where a load has met the outage."""

    is_broken = False

    def load(self, key: str) -> Versioned | None:
        self.is_broken |= self.is_away
        if self.is_broken:
            raise StoreUnavailable("the server is away") from ConnectionResetError("by the server")
        return super().load(key)


# --- what a reload tells -------------------------------------------------------------------------


@fails("commits_without_an_answer_never_approve_twice")
class LagsLater(MemoryStore):
    """What the engine writes is seen one commit late, from the third commit on."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, list[Versioned | None]] = {}

    def load(self, key: str) -> Versioned | None:
        found, before = super().load(key), self.before.get(key, [])
        return before[-1] if found and found.data.startswith(b'{"v"') and len(before) > 2 else found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        stands = super().load(key)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict):
            return Conflict(self.load(key))
        self.before.setdefault(key, []).append(stands)
        return answer
