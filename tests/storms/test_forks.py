"""An engine that is forked in use goes on in both processes, on one budget, with secrets of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.places import COLOURS, DURABLE, Place, tinydb

PlaceOf = Callable[[str], Place]
ROOT = Path(__file__).parents[2]
each_colour = pytest.mark.parametrize("colour", COLOURS)


def forked(colour: str, entropy: str, place: Place, log: Path) -> None:
    command = [sys.executable, "-m", "tests.storms.fork_child", colour, entropy, place.text, str(log)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    mine, theirs = json.loads(ended.stdout)
    assert mine["nonce"] != theirs["nonce"], "both drew the same secrets"
    assert mine["code"] != theirs["code"], "both drew the same code"
    assert mine["approved"] + theirs["approved"] == 1


@each_colour
@pytest.mark.parametrize("store", DURABLE)
def test_a_forked_engine_goes_on_in_both_processes(place_of: PlaceOf, tmp_path: Path, store: str, colour: str) -> None:
    forked(colour, "system", place_of(store), tmp_path / "sent")


@each_colour
def test_entropy_that_a_fork_copies_is_caught(tmp_path: Path, colour: str) -> None:
    with pytest.raises(AssertionError, match="both drew the same secrets"):
        forked(colour, "copied", tinydb(tmp_path), tmp_path / "sent")
