"""A start that is killed on its way from one provider to the next: no second send, no verification that is unknown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otpcore.contract import CodeOwner
from tests.crash.legs_child import POINTS
from tests.places import COLOURS, DURABLE, Place, tinydb

ROOT = Path(__file__).parents[2]
PAIRS = [(first, second) for first in CodeOwner for second in CodeOwner]
SMALL = [*((pair, "tinydb", "threads") for pair in PAIRS), *((pair, "sqlite", "tasks") for pair in PAIRS[1:3])]
FULL = [(pair, store, colour) for pair in PAIRS for store in DURABLE for colour in COLOURS]
CELLS = [*SMALL, *(pytest.param(*each, marks=pytest.mark.nightly) for each in FULL if each not in SMALL)]
"""In CI every pair over one store in one colour, and those whose codes are of two owners over another in the other."""

DELIVERED = {"in the second": ["second"], "before the settlement": ["second"]}


def told_by(
    place: Place,
    folder: Path,
    pair: tuple[CodeOwner, CodeOwner],
    *points: str,
    colour: str = "threads",
    planted: str = "",
) -> dict[str, Any]:
    arguments = [place.text, colour, str(folder / "log"), ",".join(pair), *points]
    code = f"{planted}\nfrom tests.crash import legs_child; legs_child.main(*{arguments!r})"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize(("pair", "store", "colour"), CELLS)
def test_a_kill_between_two_providers_gives_no_send_and_hides_none(
    place_of: Callable[[str], Place], tmp_path: Path, pair: tuple[CodeOwner, CodeOwner], store: str, colour: str
) -> None:
    told = told_by(place_of(store), tmp_path, pair, colour=colour)
    assert list(told) == list(POINTS)
    for point, found in told.items():
        assert found == {"delivered": DELIVERED.get(point, []), "unknown": [], "steps": 1}, point


UNCOMMITTED = """
from otpcore.flows import delivering, moving
from otpcore.flows.transact import Snapshot
def uncommitted(setup, decide, entropy, *, known):
    _, outcome = decide(known.record, known.now, known.key)
    return outcome, known
    yield
moving.transact = uncommitted
"""


def test_a_move_that_is_not_committed_before_the_call_is_caught(tmp_path: Path) -> None:
    """T1: then a verification lives at a provider that the record knows nothing of."""
    pair = (CodeOwner.CORE, CodeOwner.PROVIDER)
    found = told_by(tinydb(tmp_path), tmp_path, pair, "in the second", planted=UNCOMMITTED)
    assert found["in the second"]["unknown"] == ["second"]
