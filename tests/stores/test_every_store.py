"""V8, D8, D10, D13 over every store, in both colours: what depends on time depends on the engine's clock alone.

Nightly runs have 10^5 full flows (D10); a CI run has 24 for each store and colour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from otpcore.ledger import clock as record_clock
from otpcore.results import Approved, Wait
from otpcore.stores.memory import MemoryStore
from tests.places import KINDS, Place
from tests.storms import bodies_time as bodies
from tests.storms.arena import Arena, arena_for, checking, starting

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
    bodies.codes_live_to_the_millisecond(arena_at(kind)[0])


@each_kind
def test_a_jump_of_the_clock_revives_nothing_and_lengthens_no_wait(arena_at: Make, kind: str) -> None:
    """D8."""
    bodies.jumps_revive_nothing(arena_at(kind)[0])


@each_kind
@pytest.mark.parametrize(("days", "flows"), FLOWS)
def test_nothing_is_left_when_nothing_counts_any_more(arena_at: Make, kind: str, days: int, flows: int) -> None:
    """D10: approved, 25 hours later no row is left; begun and left alone, none after 400 days and an hour."""
    arena, place = arena_at(kind)
    bodies.nothing_is_left(arena, days=days, flows=flows, lasting=partial(bodies.endless_keys, place))


@pytest.mark.parametrize("kind", ["memory-threads", "memory-tasks"])
def test_two_approvals_of_one_code_are_caught(place_of: Callable[[str], Place], kind: str) -> None:
    """T1, of V8."""
    store, _, colour = kind.partition("-")
    with arena_for(place_of(store), colour, naive=True) as arena, pytest.raises(AssertionError):
        bodies.codes_live_to_the_millisecond(arena, parties=32)


def test_an_instant_that_stays_where_a_wrong_clock_put_it_is_caught(
    arena_at: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T1, of D8."""
    monkeypatch.setattr(record_clock, "CLOCK_TOLERANCE", timedelta(days=1000))
    with pytest.raises(AssertionError, match="waits of"):
        bodies.jumps_revive_nothing(arena_at("memory-threads")[0])


def test_a_store_that_sweeps_nothing_is_caught(arena_at: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """T1, of D10."""

    def nothing(*_args: object, **_named: object) -> int:
        return 0

    monkeypatch.setattr(MemoryStore, "sweep", nothing)
    with pytest.raises(AssertionError):
        test_nothing_is_left_when_nothing_counts_any_more(arena_at, "memory-threads", 1, 3)


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
