"""Who goes on a trip, and what the others may be told: every small case, judged by an order of single calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from otpcore.contract import CommitRequest, Conflict, Version, Versioned
from otpcore.engine import trips
from otpcore.engine.trips import LARGEST, Call, board, fail, settle
from otpcore.errors import CommitUnknown, StoreError, StoreFull, StoreUnavailable
from otpcore.stores.memory import MemoryStore
from tests.engine.linear import NEVER, Operation, is_linearizable
from tests.properties.world import EPOCH

KEY = "t/r/k"
OUTCOMES = ("answered", "refused", "applied and lost", "lost", "trip refused", "trip applied and lost", "trip lost")
"""What becomes of the first trip; every later one is answered."""


class Told(Call):
    """A call that keeps what it is told."""

    answer: Any = None
    is_told = False

    def give(self, answer: object) -> None:
        assert not self.is_told
        self.answer, self.is_told = answer, True


def load(key: str = KEY) -> Told:
    return Told(key, None)


def commit(data: bytes | None, expect: Any, key: str = KEY) -> Told:
    return Told(key, CommitRequest(key, data, expect, EPOCH))


def apply(store: MemoryStore, given: CommitRequest) -> Any:
    return store.commit(given.key, given.data, expect=given.expect, gc_at=given.gc_at)


def journey(calls: Sequence[Told], store: MemoryStore, outcome: str) -> tuple[list[Operation], int]:
    """All that was told to calls that came at once, as a history, and the number of trips."""
    waiting, made, lost = list(calls), 0, dict[int, Any]()
    while waiting:
        trip, waiting = board(waiting)
        first = trip[KEY][0]
        assert first.commit is not None
        happens, made = (outcome if made == 0 else "answered"), made + 1
        answer = apply(store, first.commit) if happens.endswith(("answered", "applied and lost")) else None
        if happens.endswith("lost"):
            lost[id(first)] = answer
        error: StoreError = StoreUnavailable() if happens.endswith("refused") else CommitUnknown()
        if happens.startswith("trip"):
            waiting = [*fail(trip, error), *waiting]
        else:
            waiting = [*settle(trip, [answer if happens == "answered" else error]), *waiting]
    history: list[Operation] = []
    for each in calls:
        assert each.is_told
        if id(each) in lost:
            version = None if isinstance(lost[id(each)], Conflict) else lost[id(each)]
            history.append(Operation(0, NEVER, each.commit, version, lost=True))
        elif not isinstance(each.answer, StoreError):
            history.append(Operation(0, 1, each.commit, each.answer))
    history.append(Operation(2, 3, None, store.load(KEY)))
    return history, made


def scripts(parties: int) -> Any:
    """Every group of commits: what stands or not, what each expects, and whether it writes or deletes."""
    kinds = list(itertools.product(("what stands", "absence", "what is gone"), (True, False)))
    return itertools.product((True, False), itertools.product(kinds, repeat=parties), OUTCOMES)


def wrong(parties: int) -> list[Any]:
    """The scripts whose answers no order of single calls explains."""
    found: list[Any] = []
    for stands, parts, outcome in scripts(parties):
        store = MemoryStore()
        gone = apply(store, CommitRequest(KEY, b"old", None, EPOCH))
        current = apply(store, CommitRequest(KEY, b"start" if stands else None, gone, EPOCH))
        versions = {"what stands": current if stands else None, "absence": None, "what is gone": gone}
        start = store.load(KEY)
        calls = [
            commit(f"by {number}".encode() if writes else None, versions[expects])
            for number, (expects, writes) in enumerate(parts)
        ]
        history, made = journey(calls, store, outcome)
        if not is_linearizable(history, start):
            found.append((stands, parts, outcome))
        assert made <= parties
    return found


def test_whatever_a_first_commit_came_back_with_the_others_are_told_what_is_true() -> None:
    """Three commits to one key at once: 216 groups, a record that stands or not, seven outcomes of the first trip."""
    assert wrong(3) == []


def all_have_lost(calls: Sequence[Any], answer: object) -> Sequence[Any]:
    """Planted: whoever did not go has lost, also who expects what now stands."""
    first, *others = calls
    first.give(answer)
    if isinstance(answer, StoreError):
        return others
    if isinstance(answer, Conflict):
        stands = answer.current
    else:
        stands = first.commit.data and Versioned(first.commit.data, Version(str(answer)))
    for each in others:
        each.give(Conflict(stands))
    return ()


def all_are_told_the_same(calls: Sequence[Any], answer: object) -> Sequence[Any]:
    """Planted: as for loads."""
    for each in calls:
        each.give(answer)
    return ()


def doubt_is_a_loss(calls: Sequence[Any], answer: object) -> Sequence[Any]:
    """Planted: after a first commit without an answer, its record is said to stand."""
    first, *others = calls
    first.give(answer)
    if not isinstance(answer, CommitUnknown):
        return others
    for each in others:
        each.give(Conflict(Versioned(first.commit.data or b"", Version("v"))))
    return ()


@pytest.mark.parametrize("planted", [all_have_lost, all_are_told_the_same, doubt_is_a_loss])
def test_a_wrong_conclusion_is_seen(planted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trips, "_settle", planted)
    assert len(wrong(2)) > 0


def test_a_key_is_on_a_trip_once_and_the_first_call_of_it_goes() -> None:
    calls = [load("a"), load("b"), load("a"), load("c"), load("b")]
    trip, stay = board(calls)
    assert list(trip) == ["a", "b", "c"]
    assert trip["a"] == [calls[0], calls[2]]
    assert stay == []


def test_no_more_than_128_keys_go_and_the_rest_keeps_its_order() -> None:
    calls = [load(str(number)) for number in range(LARGEST + 2)]
    trip, stay = board([*calls, again := load("0")])
    assert len(trip) == LARGEST == 128
    assert trip["0"] == [calls[0], again]
    assert stay == calls[-2:]


def test_one_load_answers_all_who_wait_for_its_key() -> None:
    calls = [load(), load(), load()]
    assert settle({KEY: calls}, [None]) == []
    assert all(each.is_told and each.answer is None for each in calls)


def test_an_error_of_one_item_is_no_other_items() -> None:
    one, other = commit(b"1", None, "a"), commit(b"1", None, "b")
    assert settle({"a": [one], "b": [other]}, [StoreFull(), "v"]) == []
    assert isinstance(one.answer, StoreFull)
    assert other.answer == "v"


def test_commits_that_did_not_leave_go_again_once_and_are_then_certainly_not_applied() -> None:
    first, second, third = (commit(b"1", None) for _ in range(3))
    assert fail({KEY: [first, second, third]}, CommitUnknown()) == [second, third]
    assert fail({KEY: [second, third]}, CommitUnknown()) == []
    assert [type(each.answer) for each in (first, second, third)] == [CommitUnknown, CommitUnknown, StoreUnavailable]


@pytest.mark.parametrize("error", [StoreUnavailable(), CommitUnknown()])
def test_a_key_that_fails_within_a_batch_costs_who_waits_for_it_one_more_trip(error: StoreError) -> None:
    """A server that is down answers each item so; its deadline must not be waited for once for each commit in line."""
    calls = [commit(b"1", None) for _ in range(20)]
    waiting, made = list(calls), 0
    while waiting:
        trip, waiting = board(waiting)
        made += 1
        waiting = [*settle(trip, [error]), *waiting]
    assert made == 2
    assert [type(each.answer) for each in calls] == [type(error)] * 2 + [StoreUnavailable] * 18


def test_loads_fail_together() -> None:
    calls, error = [load(), load()], StoreUnavailable()
    assert fail({KEY: calls}, error) == []
    assert [each.answer for each in calls] == [error, error]


def test_who_is_interrupted_interrupts_nobody_else() -> None:
    one, other = commit(b"1", None, "a"), load("b")
    fail({"a": [one], "b": [other]}, KeyboardInterrupt())
    assert isinstance(one.answer, CommitUnknown)
    assert isinstance(other.answer, StoreUnavailable)
