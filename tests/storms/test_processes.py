"""V1, V2, S1, S7 over four processes on every store that several share, in both colours.

The blocking engine is forked after it has worked, so it is fork-safe too. Nightly runs have the 1,000 rounds of the
requirements; a CI run has 4.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.places import COLOURS, DURABLE, Place

ROUNDS = [4, pytest.param(1000, marks=pytest.mark.nightly)]
CONTROL_ROUNDS = 2
PARTIES = 64
KEY_PARTIES = 16
TRIES = 5

PlaceOf = Callable[[str], Place]
CONTROLS = [(store, COLOURS[number % 2]) for number, store in enumerate(DURABLE)]
"""In turn in one colour and in the other."""


Told = dict[str, Any]


def storms(place: Place, colour: str, log: Path, rounds: int, *, naive: bool = False) -> dict[str, Told]:
    """What each storm told."""
    given = ["naive" if naive else "ours", colour, place.text, str(log), str(rounds)]
    ended = warm.run("tests.storms.process_child", *given)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Told] = json.loads(ended.stdout)
    assert set(result) == set(BODIES)
    assert all(len(told["outcomes"]) == rounds for told in result.values())
    return result


def wrong_checks(told: Told, rounds: int) -> None:
    """V1: as many answers as a session has tries, and the others are told that it is over."""
    assert told["outcomes"] == [{"Wrong": TRIES, "Ended": PARTIES - TRIES}] * rounds


def right_codes(told: Told, rounds: int) -> None:
    """V2: one approval."""
    assert told["outcomes"] == [{"Approved": 1, "Ended": PARTIES - 1}] * rounds


def starts(told: Told, rounds: int) -> None:
    """S1: one message."""
    assert told["outcomes"] == [{"Sent": 1, "Wait": PARTIES - 1}] * rounds
    assert list(told["sent"].values()) == [1] * rounds


def keys(told: Told, rounds: int) -> None:
    """S7: one message and one token."""
    assert told["outcomes"] == [{"Sent": KEY_PARTIES}] * rounds
    assert told["tokens"] == [1] * rounds
    assert list(told["sent"].values()) == [1] * rounds


BODIES: dict[str, Callable[[Told, int], None]] = {
    "checks": wrong_checks,
    "rights": right_codes,
    "starts": starts,
    "keys": keys,
}


@pytest.mark.parametrize("store", DURABLE)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_what_holds_in_one_process_holds_over_four(
    place_of: PlaceOf, tmp_path: Path, store: str, colour: str, rounds: int
) -> None:
    for what, told in storms(place_of(store), colour, tmp_path / "sent", rounds).items():
        BODIES[what](told, rounds)


@pytest.mark.parametrize(("store", "colour"), CONTROLS)
def test_a_store_without_a_guard_is_caught_by_each_storm(
    place_of: PlaceOf, tmp_path: Path, store: str, colour: str
) -> None:
    """T1."""
    for what, told in storms(place_of(store), colour, tmp_path / "sent", CONTROL_ROUNDS, naive=True).items():
        with pytest.raises(AssertionError):
            BODIES[what](told, CONTROL_ROUNDS)
