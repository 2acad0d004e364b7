"""S1, V1, V2, D2, D6: storms in whose middle the server is stopped, killed, or cut off at twelve answers.

Every outcome is counted: what was not answered as ever ended in a `StoreError`, and nothing was sent or approved by it.
No phone gets a second message, no session a second success or more answers than tries; and afterwards the service goes
on. A CI run has one storm for each store and trouble, in turn in one colour and in the other; a nightly one has 20 for
each store, colour and trouble, which comes at another moment in each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any

import pytest

from otpcore.conformance.store.flow import run
from otpcore.contract import Conflict, StoreCapabilities, Version, Versioned
from otpcore.errors import StoreError
from otpcore.results import Approved, Ended, Sent, Wait, Wrong
from otpcore.stores.memory import MemoryStore
from tests.histories.recording import crowd, is_true, plan_of
from tests.outages.trouble import TROUBLES, Served, Trouble
from tests.places import COLOURS, SERVED
from tests.storms.arena import (
    Arena,
    Call,
    TaskArena,
    ThreadArena,
    arena_for,
    checking,
    outcomes_of,
    phone,
    starting,
    token_of,
    yielding,
)
from tests.storms.naive import without_guard

NIGHTLY = pytest.mark.nightly
PHONES = 8
"""Of a storm."""
PARTIES = 12
WAVES = 100
"""Enough for any moment: an engine puts calls together, and a storm may take few trips."""
TRIES = 5
STALE = 40
"""More than a pool has connections: so many calls may find one that the trouble has broken."""

ServedBy = Callable[[str], Served]
CELLS = [
    *(
        pytest.param(store, COLOURS[(place + number) % 2], kind, (8,), id=f"{store}-{kind}")
        for place, store in enumerate(SERVED)
        for number, kind in enumerate(TROUBLES)
    ),
    *(
        pytest.param(store, colour, kind, tuple(range(4, 44, 2)), id=f"{store}-{kind}-{colour}-full", marks=NIGHTLY)
        for store in SERVED
        for colour in COLOURS
        for kind in TROUBLES
    ),
]
"""A store, a colour, a trouble, and at which answers it comes."""

each_cell = pytest.mark.parametrize(("store", "colour", "kind", "moments"), CELLS)


def answered(arena: Arena, call: Call) -> Any:
    """The first answer, behind the connections that are broken."""
    for _ in range(STALE):
        try:
            return arena.run(call)
        except StoreError:
            continue
    raise AssertionError("the service does not go on")


def failed(results: list[Any]) -> list[StoreError]:
    """What ended in an error of the store; any other is one too many."""
    errors = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, StoreError) for error in errors), errors
    return [error for error in errors if isinstance(error, StoreError)]


def waves(trouble: Trouble) -> Iterator[list[str]]:
    """Phones for one storm after the other, until the trouble has come into one."""
    for wave in range(WAVES):
        yield [phone(wave * PHONES + number) for number in range(PHONES)]
        if trouble.happened.is_set():
            trouble.end()
            return
    raise AssertionError("the trouble never came")


def starts_in_trouble(served: Served, colour: str, kind: str, moment: int, *, naive: bool = False) -> None:
    """S1, D6."""
    with (
        served.in_trouble(kind, moment) as (way, trouble),
        arena_for(way, colour, naive=naive) as arena,
    ):
        told, numbers = Counter[str](), list[str]()
        for numbers in waves(trouble):
            results = arena.at_once([starting(number) for number in numbers for _ in range(PARTIES)])
            outcomes = outcomes_of(results)
            assert outcomes["Sent"] + outcomes["Wait"] + len(failed(results)) == PHONES * PARTIES, outcomes
            told.update(numbers[at // PARTIES] for at, result in enumerate(results) if isinstance(result, Sent))
            assert all(len(arena.messages(number)) == told[number] <= 1 for number in numbers), outcomes
        for number in numbers:
            later = answered(arena, starting(number))
            assert isinstance(later, Wait if told[number] else Sent | Wait), later
            assert len(arena.messages(number)) <= 1
        assert isinstance(answered(arena, starting(phone(PHONES * WAVES))), Sent | Wait)


def checks_in_trouble(served: Served, colour: str, kind: str, moment: int, *, naive: bool = False) -> None:
    """V1, V2, D6: the sessions of every second phone are tried with the right code, the others with a wrong one."""
    with (
        served.in_trouble(kind, moment) as (way, trouble),
        arena_for(served.place, "threads") as unhurt,
        arena_for(way, colour, naive=naive) as arena,
    ):
        for numbers in waves(trouble):
            tokens = [token_of(unhurt.started(number)) for number in numbers]
            right = [unhurt.right_code(number) for number in numbers]
            typed = [code if at % 2 else f"{(int(code) + 1) % 10**6:06}" for at, code in enumerate(right)]
            calls = [checking(*each) for each in zip(tokens, typed, strict=True) for _ in range(PARTIES)]
            results = arena.at_once(calls)
            trouble.end()
            outcomes = outcomes_of(results)
            known = outcomes["Approved"] + outcomes["Wrong"] + outcomes["Ended"]
            assert known + len(failed(results)) == PHONES * PARTIES, outcomes
            for at, token in enumerate(tokens):
                mine = results[at * PARTIES : (at + 1) * PARTIES]
                later = [answered(arena, checking(token, right[at])) for _ in range(2)]
                assert all(isinstance(one, Approved | Ended) for one in later), later
                assert sum(isinstance(one, Approved) for one in (*mine, *later)) <= 1, "approved twice"
                assert sum(isinstance(one, Wrong) for one in mine) <= TRIES, "more answers than tries"


@each_cell
def test_starts_amid_trouble_send_once(
    served_by: ServedBy, store: str, colour: str, kind: str, moments: tuple[int, ...]
) -> None:
    for moment in moments:
        starts_in_trouble(served_by(store), colour, kind, moment)


@each_cell
def test_checks_amid_trouble_approve_once_and_answer_as_often_as_there_are_tries(
    served_by: ServedBy, store: str, colour: str, kind: str, moments: tuple[int, ...]
) -> None:
    for moment in moments:
        checks_in_trouble(served_by(store), colour, kind, moment)


def gone(served: Served, arena: Arena) -> None:
    """D6: what is asked of a server that is gone fails; when it is there again, a code that was sent is still right."""
    token = token_of(arena.started(phone(0)))
    right, wrong = arena.right_code(phone(0)), arena.wrong_code(phone(0))
    calls = [starting(phone(1)), starting(phone(0)), checking(token, right), checking(token, wrong)]
    served.server.stop()
    try:
        results = arena.at_once(calls * 4)
    finally:
        served.server.start()
    assert len(failed(results)) == len(results)
    assert len(arena.exchange.outbox) == 1
    assert isinstance(answered(arena, checking(token, right)), Approved)
    assert isinstance(answered(arena, starting(phone(1))), Sent)


@pytest.mark.parametrize(("store", "colour"), [("postgresql", "tasks"), ("mariadb", "threads"), ("redis", "tasks")])
def test_a_server_that_is_gone_sends_nothing_and_approves_nobody(served_by: ServedBy, store: str, colour: str) -> None:
    served = served_by(store)
    with arena_for(served.place, colour) as arena:
        gone(served, arena)


class FailsOpen:
    """The defect: while the server is gone it goes on with what this process remembers."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._spare = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @property
    def capabilities(self) -> StoreCapabilities:
        can: StoreCapabilities = self._store.capabilities
        return replace(can, batch=False)

    def load(self, key: str) -> Versioned | None:
        found: Versioned | None = self._served("load", key)
        return found

    def commit(self, key: str, data: bytes | None, **given: Any) -> Version | Conflict:
        answer: Version | Conflict = self._served("commit", key, data, **given)
        return answer

    def _served(self, name: str, *given: Any, **named: Any) -> Any:
        try:
            return getattr(self._store, name)(*given, **named)
        except StoreError:
            return getattr(self._spare, name)(*given, **named)


@pytest.mark.parametrize("arena_of", [ThreadArena, TaskArena])
def test_a_store_that_goes_on_without_its_server_is_caught(served_by: ServedBy, arena_of: type[Arena]) -> None:
    """T1."""
    served = served_by("redis")
    with arena_of(FailsOpen(served.place.open())) as arena, pytest.raises(AssertionError):
        gone(served, arena)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("store", SERVED)
@pytest.mark.parametrize("body", [starts_in_trouble, checks_in_trouble])
def test_a_store_without_a_guard_is_caught_in_trouble_too(
    served_by: ServedBy, store: str, body: Callable[..., None]
) -> None:
    """T1."""
    with pytest.raises(AssertionError):
        body(served_by(store), COLOURS[body is checks_in_trouble], "cut off", 100, naive=True)


def true_amid(served: Served, colour: str, kind: str, moment: int, number: int, *, naive: bool = False) -> bool:
    """D2: 320 operations a history; one whose answer was lost may have happened, now or later, or never."""
    with served.in_trouble(kind, moment) as (place, trouble):
        opener = place.awaited if colour == "tasks" else place.open
        flow = partial(crowd, plan_of(number, 10), 32, 1)
        history = run((lambda: yielding(without_guard(opener()))) if naive else opener, flow, awaited=colour == "tasks")
        trouble.end()
    assert trouble.happened.is_set(), "the history was over before the trouble"
    return is_true(history)


@each_cell
def test_what_is_seen_amid_trouble_is_linearizable(
    served_by: ServedBy, store: str, colour: str, kind: str, moments: tuple[int, ...]
) -> None:
    for number, moment in enumerate(moments, 1):
        assert true_amid(served_by(store), colour, kind, moment, number)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("store", "colour"), [*zip(SERVED, cycle(COLOURS))])
def test_a_store_without_a_guard_is_rejected_amid_trouble_too(served_by: ServedBy, store: str, colour: str) -> None:
    """T1."""
    assert not true_amid(served_by(store), colour, "cut off", 8, 3, naive=True)
