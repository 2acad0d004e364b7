"""S4, D4, D5, V3: engines that are killed, on every durable store, in both colours.

What was sent stays counted, no phone is over its quota, no used code comes back to life. Nightly runs have the figures
of the requirements: 50 kills at each fail point, and 500 random ones, for each store and colour. A CI run kills a start
4 to 7 times and each other flow once at each fail point, and 20 times at random, in turn in one colour and the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import pytest

from tests.crash.flow_child import POINTS, QUOTA
from tests.crash.flow_ends import FLOWS, LATE
from tests.crash.flow_runs import child
from tests.places import COLOURS, DURABLE, Place, tinydb

OFFSETS = [40, pytest.param(200, marks=pytest.mark.nightly)]

SENT = {"after reserve": 0, "before refund": 0, "after refund": 3}
"""Messages that leave where it is not the quota: the step is taken and nothing handed over; or three refunds are
given back in the hour, each step is then used by a start that lives, and the fourth refusal keeps its step."""

PlaceOf = Callable[[str], Place]
each_store = pytest.mark.parametrize("store", DURABLE)
TURNS = [(store, COLOURS[number % 2]) for number, store in enumerate(DURABLE)]
"""Every store in one colour, in turn."""

each_turn = pytest.mark.parametrize(("store", "colour"), TURNS)


def each_cell(name: str, small: int, full: int) -> pytest.MarkDecorator:
    """In CI both colours take turns, at a small size; nightly each has the full one."""
    small_ones = [(store, "turns", small) for store in DURABLE]
    both = [pytest.param(store, colour, full, marks=pytest.mark.nightly) for store in DURABLE for colour in COLOURS]
    return pytest.mark.parametrize(("store", "colour", name), [*small_ones, *both])


def killed_at(points: Sequence[str], colour: str, place: Place, log: Path, phones: int, mutant: str = "") -> None:
    told = child("points", ",".join(points), colour, mutant, place.text, log, phones)
    assert set(told) == set(points)
    for point, found in told.items():
        assert found["over"] == found["missing"] == found["unlogged"] == 0, found
        assert found["sent"] == phones * SENT.get(point, QUOTA), found
        assert found["killed"] >= phones * QUOTA, found


@each_cell("phones", 1, 13)
def test_a_kill_at_a_fail_point_neither_gives_a_send_nor_loses_one(
    place_of: PlaceOf, tmp_path: Path, store: str, colour: str, phones: int
) -> None:
    """S4: each phone is killed four to seven times at each fail point; thirteen make the fifty of the requirement."""
    killed_at(POINTS, colour, place_of(store), tmp_path / "log", phones)


@each_turn
def test_counting_after_the_send_is_caught(place_of: PlaceOf, tmp_path: Path, store: str, colour: str) -> None:
    """T1."""
    with pytest.raises(AssertionError, match="'over': 1"):
        killed_at(["after hand-off"], colour, place_of(store), tmp_path / "log", 1, "send-then-count")


@each_cell("kills", 1, 50)
def test_a_kill_in_any_flow_revives_no_code_and_forgets_no_limit(
    place_of: PlaceOf, tmp_path: Path, store: str, colour: str, kills: int
) -> None:
    """S4, V2: every flow but start: those of a session with codes of either owner, a receipt that a message follows,
    and the claim of a vendor's scope.
    """
    told = child("flows", "", colour, "", place_of(store).text, tmp_path / "log", kills)
    assert told == {"killed": kills * sum(map(len, FLOWS.values()))}


@pytest.mark.parametrize(("flow", "store"), [*zip(LATE, cycle(DURABLE))])
def test_a_flow_that_writes_too_late_is_caught(place_of: PlaceOf, tmp_path: Path, store: str, flow: str) -> None:
    """T1."""
    with pytest.raises(AssertionError, match="AssertionError"):
        child("flows", flow, "threads", "send-then-count", place_of(store).text, tmp_path / "log", 1)


def claims_survive(place: Place, colour: str, sessions: int, mutant: str = "") -> None:
    told = child("checks", colour, mutant, place.text, sessions)
    assert len(told) == 8
    assert not any(told.values()), told


@each_cell("sessions", 1, 25)
def test_a_claimed_try_survives_the_kill_of_its_process(
    place_of: PlaceOf, store: str, colour: str, sessions: int
) -> None:
    """V3: at six fail points of a code of the provider's, and two of the core's."""
    claims_survive(place_of(store), colour, sessions)


@each_turn
def test_a_claim_in_a_transaction_of_who_dies_is_caught_at_every_point(
    place_of: PlaceOf, store: str, colour: str
) -> None:
    """T1."""
    told = child("checks", colour, "uncommitted", place_of(store).text, 1)
    assert len(told) == 8
    assert all(["tries left instead of" in words for words in failed] == [True] for failed in told.values()), told


def killed_at_random(colour: str, place: Place, log: Path, kills: int, mutant: str = "") -> None:
    found = child("random", colour, mutant, place.text, log, kills, 1)
    assert found["over"] == found["missing"] == found["unlogged"] == 0, found
    assert found["killed"] == kills, found
    assert found["sent"] >= found["confirmed"] >= kills, found


@each_cell("kills", 20, 500)
def test_random_kills_neither_give_sends_nor_lose_one(
    place_of: PlaceOf, tmp_path: Path, store: str, colour: str, kills: int
) -> None:
    """S4."""
    killed_at_random(colour, place_of(store), tmp_path / "log", kills)


def test_random_kills_catch_counting_after_the_send(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="'missing'"):
        killed_at_random("threads", tinydb(tmp_path), tmp_path / "log", 25, "send-then-count")


def killed_at_every_byte(kind: str, folder: Path, offsets: int) -> None:
    found = child("bytes", kind, folder, offsets)
    assert set(found) <= {"old", "new"}, found
    assert sum(found.values()) == offsets


@pytest.mark.parametrize("offsets", OFFSETS)
def test_a_kill_at_any_byte_of_a_start_leaves_old_or_new(tmp_path: Path, offsets: int) -> None:
    """D4."""
    killed_at_every_byte("ours", tmp_path, offsets)


def test_a_json_file_written_in_place_is_caught(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unreadable"):
        killed_at_every_byte("stock", tmp_path, 40)
