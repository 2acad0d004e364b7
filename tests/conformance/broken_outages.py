"""Stores with one planted defect each in an outage, in lifetimes or in what a reload tells; what each fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
from tests.conformance.broken_stores import fails
from tests.conformance.server_like import ServerLike


@fails(
    "a_batch_in_an_outage_is_told_as_single_calls_are",
    "a_commit_in_an_outage_is_unavailable_or_unknown",
    "a_load_in_an_outage_is_unavailable",
    "a_sweep_in_an_outage_is_unavailable",
)
class RaisesWhatItsDriverRaises(ServerLike):
    def reach(self) -> None:
        if self.is_away:
            raise ConnectionResetError("by the server")


@fails(
    "a_batch_in_an_outage_is_told_as_single_calls_are",
    "a_commit_in_an_outage_is_unavailable_or_unknown",
    "a_load_in_an_outage_is_unavailable",
    "a_sweep_in_an_outage_is_unavailable",
)
class DoesNotSayWhy(ServerLike):
    def reach(self) -> None:
        if self.is_away:
            raise StoreUnavailable("the server is away")


@fails(
    "a_batch_in_an_outage_is_told_as_single_calls_are",
    "a_load_in_an_outage_is_unavailable",
    "the_same_store_works_again_after_an_outage",
)
class IsAbsentWhenAway(ServerLike):
    def load(self, key: str) -> Versioned | None:
        return None if self.is_away else super().load(key)


@fails(
    "a_batch_in_an_outage_is_told_as_single_calls_are",
    "a_commit_of_an_outage_is_applied_or_not",
    "the_same_store_works_again_after_an_outage",
)
class StaysAway(ServerLike):
    """Keeps its broken connection."""

    noticed = False

    def reach(self) -> None:
        self.noticed |= self.is_away
        self.is_away |= self.noticed
        super().reach()


@fails(
    "a_batch_in_an_outage_is_told_as_single_calls_are",
    "a_commit_of_an_outage_is_applied_or_not",
)
class SendsLater(ServerLike):
    """Keeps what it could not send, and says that it was not applied."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[CommitRequest] = []

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if self.is_away:
            self.kept.append(CommitRequest(key, data, expect, gc_at))
        return super().commit(key, data, expect=expect, gc_at=gc_at)

    def back(self) -> None:
        super().back()
        for each in self.kept:
            self.commit_one(each)


@fails(
    "a_batch_in_an_outage_is_told_as_single_calls_are",
    "a_commit_of_an_outage_is_applied_or_not",
)
class AppliesAHalf(ServerLike):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if self.is_away and data:
            MemoryStore.commit(self, key, data[:1], expect=expect, gc_at=gc_at)
            raise CommitUnknown from ConnectionResetError("by the server")
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails(
    "a_batch_in_an_outage_is_told_as_single_calls_are",
)
class BatchesRaiseWhatTheDriverRaises(ServerLike):
    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        if self.is_away:
            raise ConnectionResetError("by the server")
        return super().load_many(keys)


@fails(
    "a_sweep_in_an_outage_is_unavailable",
)
class SweepsNothingWhenAway(ServerLike):
    def sweep(self, before: datetime, *, limit: int) -> int:
        return 0 if self.is_away else super().sweep(before, limit=limit)


# --- lifetimes -----------------------------------------------------------------------------------


@fails(
    "no_record_is_without_expiry_after_any_commit",
    "no_record_of_a_batch_is_without_expiry",
)
class UpdatesKeepNoLifetime(ServerLike):
    """As SET without KEEPTTL."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if not isinstance(answer, Conflict) and expect is not None:
            (self.forever.add if data is not None else self.forever.discard)(key)
        return answer


@fails(
    "no_record_of_a_batch_is_without_expiry",
)
class BatchesGiveNoLifetime(ServerLike):
    def commit_one(self, each: CommitRequest) -> Version | Conflict | StoreError:
        answer = super().commit_one(each)
        if isinstance(answer, str):
            self.forever.add(each.key)
        return answer


# --- what a reload tells -------------------------------------------------------------------------


@fails(
    "commits_without_an_answer_never_approve_twice",
    "commits_without_an_answer_never_send_twice",
)
class LagsBehind(MemoryStore):
    """What the engine writes is seen one commit late, by loads and by conflicts, as at a replica."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Versioned | None] = {}

    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        return self.before.get(key) if found and found.data.startswith(b'{"v"') else found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = super().load(key)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict):
            return Conflict(self.load(key))
        self.before[key] = stands
        return answer
