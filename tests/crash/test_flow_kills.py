"""S4, D4, D5: engines that are killed. What was sent stays counted; no phone is over its quota.

The figures of the requirements run under `nightly`; a CI run uses the smaller ones that stand beside them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.flow_child import POINTS, QUOTA
from tests.crash.flow_runs import child

PHONES = [1, pytest.param(13, marks=pytest.mark.nightly)]
"""Each is killed four to seven times at each fail point; thirteen make the fifty of the requirement."""
RANDOM_KILLS = [25, pytest.param(500, marks=pytest.mark.nightly)]
OFFSETS = [40, pytest.param(200, marks=pytest.mark.nightly)]

SENT = {"after reserve": 0, "before refund": 0, "after refund": 3}
"""Messages that leave where it is not the quota: the step is taken and nothing handed over; or three refunds are
given back in the hour, each step is then used by a start that lives, and the fourth refusal keeps its step."""

COLOURS = ("threads", "tasks")


def killed_at(point: str, colour: str, folder: Path, phones: int, mutant: str = "") -> None:
    found = child("point", point, colour, mutant, folder, phones)
    assert found["over"] == found["missing"] == found["unlogged"] == 0, found
    assert found["sent"] == phones * SENT.get(point, QUOTA), found
    assert found["killed"] >= phones * QUOTA, found


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("phones", PHONES)
def test_a_kill_at_a_fail_point_neither_gives_a_send_nor_loses_one(
    tmp_path: Path, point: str, colour: str, phones: int
) -> None:
    killed_at(point, colour, tmp_path, phones)


@pytest.mark.parametrize("colour", COLOURS)
def test_counting_after_the_send_is_caught(tmp_path: Path, colour: str) -> None:
    with pytest.raises(AssertionError, match="'over': 1"):
        killed_at("after hand-off", colour, tmp_path, 1, "send-then-count")


def killed_at_random(colour: str, folder: Path, kills: int, mutant: str = "") -> None:
    found = child("random", colour, mutant, folder, kills, 1)
    assert found["over"] == found["missing"] == found["unlogged"] == 0, found
    assert found["killed"] >= kills // 2, found
    assert found["sent"] >= found["confirmed"] >= kills, found


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("kills", RANDOM_KILLS)
def test_random_kills_neither_give_sends_nor_lose_one(tmp_path: Path, colour: str, kills: int) -> None:
    killed_at_random(colour, tmp_path, kills)


def test_random_kills_catch_counting_after_the_send(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="'missing'"):
        killed_at_random("threads", tmp_path, 25, "send-then-count")


def killed_at_every_byte(kind: str, folder: Path, offsets: int) -> None:
    found = child("bytes", kind, folder, offsets)
    assert set(found) <= {"old", "new"}, found
    assert sum(found.values()) == offsets


@pytest.mark.parametrize("offsets", OFFSETS)
def test_a_kill_at_any_byte_of_a_start_leaves_old_or_new(tmp_path: Path, offsets: int) -> None:
    killed_at_every_byte("ours", tmp_path, offsets)


def test_a_json_file_written_in_place_is_caught(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unreadable"):
        killed_at_every_byte("stock", tmp_path, 40)
