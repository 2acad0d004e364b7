"""D2: what 64 callers of a store see of each key is linearizable: threads, tasks, and four processes of sixteen.

The callers load, create, update, delete, come too late, sweep, and make batches where a store takes them. Nightly
runs have the figures of the requirement, 100 histories of 3,200 operations over each store and colour; a CI run has 5
of 640. The keys of a history are 1, 4 or 16 in turn, so up to 64 callers meet on one. In every second history the store
is driven as the engines do it, who put calls together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from otpcore.conformance.store.flow import Flow, later, load, run
from otpcore.conformance.yielding import YieldingStore
from otpcore.engine.combining import combined
from otpcore.engine.terms import is_awaiting
from otpcore.engine.workers import awaited_store
from otpcore.ports import StoreCapabilities
from tests import warm
from tests.histories.recording import CALLERS, Plan, Seen, crowd, is_true, plan_of, swept_in_all
from tests.places import COLOURS, DURABLE, KINDS, Place
from tests.storms.arena import yielding
from tests.storms.naive import without_guard

SIZES = [pytest.param(5, 10, id="small"), pytest.param(100, 50, id="full", marks=pytest.mark.nightly)]
"""Histories, and operations of each of the 64 callers."""

PlaceOf = Callable[[str], Place]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_size = pytest.mark.parametrize(("histories", "operations"), SIZES)


def opened(place: Place, colour: str, *, naive: bool = False, as_engine: bool = False) -> Any:
    """A store of the colour; one that blocks is awaited as the awaiting engine does it.

    Args:
        place: where its records are.
        colour: of `COLOURS`.
        naive: the control.
        as_engine: as the engines drive it, who put calls together.
    """
    store = place.opened(colour)
    if naive:
        store = without_guard(store)
    if naive or place.store == "memory":
        store = yielding(store) if colour == "tasks" else YieldingStore(store)
    if colour == "tasks":
        return awaited_store(store) if as_engine or not is_awaiting(store, "commit") else store
    return combined(store) if as_engine else store


def watched(asked: Plan, told: list[Any], store: Any) -> Flow[None]:
    """A history, and how many records are left."""
    can: StoreCapabilities = store.capabilities
    asked = Plan(asked.keys, asked.operations, asked.seed, can.batch and hasattr(store, "load_many"))
    history = yield from crowd(asked, CALLERS, 1, store)
    left = 0
    for key in asked.keys:
        left += (yield from load(store, key)) is not None
    told += [history, left]
    yield store.sweep(later(), limit=10**6)  # what is due is not the next history's


def history_of(place: Place, colour: str, asked: Plan, **how: bool) -> tuple[list[Seen], int]:
    told: list[Any] = []
    run(partial(opened, place, colour, **how), partial(watched, asked, told), awaited=colour == "tasks")
    return told[0], told[1]


@each_kind
@each_size
def test_what_many_callers_see_of_a_key_is_linearizable(
    place_of: PlaceOf, kind: str, histories: int, operations: int
) -> None:
    store, _, colour = kind.partition("-")
    place = place_of(store)
    for number in range(histories):
        history, left = history_of(place, colour, plan_of(number, operations), as_engine=number % 2 == 1)
        assert len(history) >= CALLERS * operations
        assert is_true(history)
        assert swept_in_all(history, left)


@pytest.mark.usefixtures("patient")
@each_kind
@pytest.mark.parametrize(
    ("histories", "operations"),
    [pytest.param(3, 5, id="small"), pytest.param(100, 50, id="full", marks=pytest.mark.nightly)],
)
def test_a_store_without_a_guard_is_rejected_every_time(
    place_of: PlaceOf, kind: str, histories: int, operations: int
) -> None:
    """T1: 100 of 100; a CI run has three of 320 operations."""
    store, _, colour = kind.partition("-")
    place = place_of(store)
    rejected = [
        not is_true(history_of(place, colour, plan_of(number, operations), naive=True)[0])
        for number in range(histories)
    ]
    assert rejected == [True] * histories


@pytest.mark.parametrize("store", DURABLE)
@pytest.mark.parametrize(
    ("histories", "operations"),
    [pytest.param(2, 10, id="small"), pytest.param(100, 50, id="full", marks=pytest.mark.nightly)],
)
def test_what_four_processes_see_of_a_key_is_linearizable(
    place_of: PlaceOf, store: str, histories: int, operations: int
) -> None:
    """D2: a CI run has two histories of threads and two of tasks, who reach a store that blocks by workers."""
    ended = warm.run("tests.histories.process_child", place_of(store).text, histories, operations)
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    assert len(found) == len(COLOURS) * histories
    for one in found:
        assert one["operations"] >= CALLERS * operations
        assert one["linearizable"]
        assert one["swept"]
