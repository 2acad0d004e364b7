"""Who goes on one trip to a store, and whose call is answered by what another's came back with.

Every call that waits when a trip begins overlaps with all of it. So one load answers everybody who waits for that key,
and of several commits to one key the first goes: those that do not expect what stands after it have lost to exactly
that, and need no trip of their own. Both are answers that a linearizable store could have given to each of them.

Rules of this file: no lock, no loop, no store; nobody waits here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from otpcore.contract import CommitRequest, Conflict, Version, Versioned
from otpcore.errors import CommitUnknown, StoreUnavailable

__all__ = ["LARGEST", "Call", "Trip", "board", "fail", "raised", "settle"]

LARGEST: Final = 128
"""Keys of one trip. Redis, 64 clients: no more a second beyond some 50, and a longer trip is a longer wait."""


class Call:
    """What one caller asked of the store, and waits for.

    Attributes:
        key: of the record.
        commit: what is to be committed; None: a load.
        was_left: another's commit to the same key went in front of this one, and failed.
    """

    __slots__ = ("commit", "key", "was_left")

    def __init__(self, key: str, commit: CommitRequest | None) -> None:
        self.key = key
        self.commit = commit
        self.was_left = False

    def give(self, answer: object) -> None:
        """Tell the caller the answer; a StoreError is raised to it. A call that was told already stays so."""
        raise NotImplementedError

    def give_up(self, error: BaseException) -> None:
        """Tell the caller that its trip failed with this error."""
        if not isinstance(error, Exception):  # another's interruption is none of this caller's
            error = StoreUnavailable() if self.commit is None else CommitUnknown()
        self.give(error)


C = TypeVar("C", bound=Call)
Trip: TypeAlias = Mapping[str, Sequence[C]]
"""By key, in the order in which they came: the call that goes, and those beside it that wait for what it learns."""


def board(waiting: Iterable[C]) -> tuple[Trip[C], list[C]]:
    """The next trip, and who has to stay for a later one."""
    trip: dict[str, list[C]] = {}
    stay: list[C] = []
    for call in waiting:
        calls = trip.get(call.key)
        if calls is not None:
            calls.append(call)
        elif len(trip) < LARGEST:
            trip[call.key] = [call]
        else:
            stay.append(call)
    return trip, stay


def settle(trip: Trip[C], answers: Sequence[object]) -> list[C]:
    """Tell each caller of a trip its answer.

    Args:
        trip: as it went.
        answers: one for each key, in order; the answer to the first call of that key.

    Returns:
        Those of whom nobody can say yet: they go on the next trip, before all others.
    """
    return [call for calls, answer in zip(trip.values(), answers, strict=True) for call in _settle(calls, answer)]


def _settle(calls: Sequence[C], answer: object) -> Sequence[C]:
    first, *others = calls
    first.give(answer)
    if not others:
        return ()
    if first.commit is None:
        for call in others:
            call.give(answer)
        return ()
    if isinstance(answer, Conflict):
        stands = answer.current
    elif isinstance(answer, str) and answer:
        stands = None if first.commit.data is None else Versioned(first.commit.data, Version(answer))
    else:
        return _left(others)  # an error, or what is no answer: nobody knows what stands
    version = None if stands is None else stands.version
    go_on: list[C] = []
    for call in others:
        if call.commit is not None and call.commit.expect == version:
            go_on.append(call)
        else:
            call.give(Conflict(stands))
    return go_on


def fail(trip: Trip[C], error: BaseException) -> list[C]:
    """Tell the callers of a trip that it failed.

    Returns:
        Those whose commits did not leave: they go on the next trip, but not if that fails too. A store that is down
        must not cost them a deadline each, one after the other.
    """
    go_on: list[C] = []
    for first, *others in trip.values():
        first.give_up(error)
        for call in others:
            if call.commit is None:
                call.give_up(error)
        go_on += _left([call for call in others if call.commit is not None])
    return go_on


def _left(commits: Sequence[C]) -> list[C]:
    """Those of these commits, none of which left, that go on the next trip; the others are told that they did not."""
    go_on = [call for call in commits if not call.was_left]
    for call in commits:
        if call.was_left:
            call.give(StoreUnavailable("The store failed twice while this commit waited; it was not sent."))
        call.was_left = True
    return go_on


def raised(answer: object) -> object:
    """The answer, unless it is an error: that is raised."""
    if isinstance(answer, BaseException):
        raise answer
    return answer
