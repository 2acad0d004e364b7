"""V8, D8, D10, D13 over every store, in both colours: what depends on time depends on the engine's clock alone.

Nightly runs have 10^5 full flows (D10); a CI run has 24 for each store and colour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
import redis

from otpcore.results import Approved, Ended, Sent, Wait
from otpcore.stores.memory import MemoryStore
from tests.places import KINDS, Place
from tests.storms.arena import Arena, arena_for, checking, phone, starting, token_of

JUMPS = [timedelta(seconds=sign * each) for each in (1, 3600, 86_400) for sign in (1, -1)]
FLOWS = [pytest.param(1, 24, id="small"), pytest.param(50, 2000, id="full", marks=pytest.mark.nightly)]
"""Days, and flows of a day."""

EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.json"))
Make = Callable[[str], tuple[Arena, Place]]
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def arena_at(place_of: Callable[[str], Place]) -> Iterator[Make]:
    """An arena of a kind, and where it is."""
    with ExitStack() as stack:

        def make(kind: str) -> tuple[Arena, Place]:
            store, _, colour = kind.partition("-")
            place = place_of(store)
            return stack.enter_context(arena_for(place, colour)), place

        yield make


@each_kind
def test_a_code_lives_to_the_millisecond(arena_at: Make, kind: str) -> None:
    """V8: at t-1 ms it is right; at t and at t+1 ms it is over, and stays so."""
    arena, _ = arena_at(kind)
    for number, (early_ms, outcome) in enumerate([(-1, Approved), (0, Ended), (1, Ended)]):
        sent = arena.started(phone(number))
        code = arena.right_code(phone(number))
        began = arena.clock.now
        arena.clock.advance(arena.profile.code_lifetime + timedelta(milliseconds=early_ms))
        assert isinstance(arena.run(checking(token_of(sent), code)), outcome)
        arena.clock.now = began
        assert not isinstance(arena.run(checking(token_of(sent), code)), Approved)


@each_kind
def test_a_jump_of_the_clock_revives_nothing_and_lengthens_no_wait(arena_at: Make, kind: str) -> None:
    """D8."""
    arena, _ = arena_at(kind)
    step = arena.profile.ladder[0]
    for number, jump in enumerate(JUMPS):
        used, waiting = phone(2 * number), phone(2 * number + 1)
        token, code = token_of(arena.started(used)), arena.right_code(used)
        assert isinstance(arena.run(checking(token, code)), Approved)
        arena.started(waiting)
        arena.clock.advance(jump)
        assert not isinstance(arena.run(checking(token, code)), Approved)
        told = arena.start(waiting)
        assert isinstance(told, Wait | Sent)
        if isinstance(told, Wait):
            assert told.retry_after_s <= step.total_seconds()
        assert len(arena.messages(waiting)) <= 1 + (jump > timedelta(0))
        arena.clock.advance(-jump)
        assert not isinstance(arena.run(checking(token, code)), Approved)


@each_kind
@pytest.mark.parametrize(("days", "flows"), FLOWS)
def test_nothing_is_left_when_nothing_counts_any_more(arena_at: Make, kind: str, days: int, flows: int) -> None:
    """D10: approved, 25 hours later no row is left; begun and left alone, none after 400 days and an hour."""
    arena, place = arena_at(kind)
    for _ in range(days):
        for number in range(flows):
            token = token_of(arena.started(phone(number)))
            assert isinstance(arena.run(checking(token, arena.right_code(phone(number)))), Approved)
        assert lasting(place) == 0
        arena.clock.advance(hours=25)
        swept(arena)
        assert arena.records() == []
    for number in range(flows):
        token = token_of(arena.started(phone(number)))
        match number % 3:
            case 0:
                arena.run(checking(token, arena.wrong_code(phone(number))))
            case 1:
                arena.run(methodcaller("cancel", token))
            case _:
                pass
    assert lasting(place) == 0
    arena.clock.advance(hours=25)
    swept(arena)
    assert len(arena.records()) == flows, "an unfinished ladder counts for 400 days"
    arena.clock.advance(days=400)
    swept(arena)
    assert arena.run(lambda _engine: arena.store.scan("", 10)) == []


def test_a_store_that_sweeps_nothing_is_caught(arena_at: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """T1, of D10."""

    def nothing(*_args: object, **_named: object) -> int:
        return 0

    monkeypatch.setattr(MemoryStore, "sweep", nothing)
    with pytest.raises(AssertionError):
        test_nothing_is_left_when_nothing_counts_any_more(arena_at, "memory-threads", 1, 3)


def swept(arena: Arena) -> None:
    arena.run(lambda _engine: arena.store.sweep(arena.clock.now, limit=10**6))


def lasting(place: Place) -> int:
    """Keys of Redis without a lifetime."""
    if place.store != "redis":
        return 0
    kind: Any = redis.Redis  # whose methods have no types
    client: Any = kind.from_url(place.address)
    with client:
        keys = list(client.scan_iter(f"{place.own}*"))
        assert keys
        return sum(client.ttl(key) == -1 for key in keys)


@each_kind
@pytest.mark.parametrize("path", EARLIER, ids=lambda path: path.stem)
def test_a_record_that_an_earlier_form_of_the_library_wrote_is_read_and_its_session_goes_on(
    arena_at: Make, kind: str, path: Path
) -> None:
    """D13: the record of a live session as it was written then, with its token and its code."""
    arena, _ = arena_at(kind)
    goes_on(arena, json.loads(path.read_text()))


def test_a_form_that_is_read_without_its_sends_is_caught(arena_at: Make) -> None:
    """T1, of D13."""
    arena, _ = arena_at("memory-threads")
    earlier = json.loads(EARLIER[0].read_text().replace('\\"sends\\"', '\\"sent\\"').replace("ladder", "stairs"))
    with pytest.raises(AssertionError, match="not counted"):
        goes_on(arena, earlier)


def goes_on(arena: Arena, earlier: dict[str, Any]) -> None:
    for one in earlier["sessions"]:
        arena.clock.now = arena.clock.now.fromisoformat(one["at"])
        data = one["record"].encode()
        gc_at = arena.clock.now + timedelta(days=400)
        put = partial(arena.store.commit, one["key"], data, expect=None, gc_at=gc_at)
        arena.run(lambda _engine: put())  # noqa: B023  # it is called at once
        assert isinstance(arena.run(starting(one["number"])), Wait), "the send of then is not counted"
        assert isinstance(arena.run(checking(one["token"], one["code"])), Approved)
