"""D4, D5: writers of the embedded store's file are killed at any byte or call, and race; stock storage is red."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.crash.writers_child import PROCESSES

WRITERS = "writers_child"
WRITES = 500
ALL_ADDED = {"ends": [0] * PROCESSES, "total": 600}


def outcome(*args: object, child: str = "log_child") -> Any:
    """What a scenario found."""
    done = warm.run(f"tests.crash.{child}", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- D4: killed at any byte and between any two calls ----------------------------------------------


def test_a_commit_killed_at_any_of_210_bytes_leaves_the_old_record(tmp_path: Path) -> None:
    assert outcome("bytes", "ours", tmp_path / "store", 210) == {"old": 210}


@pytest.mark.parametrize("room", [0, 100, *(pytest.param(room, marks=pytest.mark.nightly) for room in (1, 250))])
def test_a_commit_killed_where_the_file_grows_leaves_old_or_new(tmp_path: Path, room: int) -> None:
    """It grows before the line or amid it; nightly also behind its first byte, and near its end."""
    found = outcome("bytes", "ours", tmp_path / "store", 400, room)
    assert set(found) == {"old", "new"}
    assert found["old"] > 210  # the line, and then filler
    assert found["new"] > 100


def test_stock_storage_killed_at_those_bytes_holds_a_mixture(tmp_path: Path) -> None:
    found = outcome("bytes", "stock", tmp_path / "store", 210)
    assert found["neither old nor new"] > 100


@pytest.mark.parametrize("action", ["commit", "delete"])
def test_a_write_killed_between_any_two_calls_leaves_old_or_new(action: str, tmp_path: Path) -> None:
    found = outcome("calls", "ours", action, tmp_path / "store")
    assert set(found) == {"old", "new"}
    assert found["old"] >= 5
    assert found["new"] >= 2


@pytest.mark.parametrize("action", ["compact", "recover", "create"])
def test_upkeep_killed_between_any_two_calls_changes_no_record(action: str, tmp_path: Path) -> None:
    found = outcome("calls", "ours", action, tmp_path / "store")
    assert set(found) == {"old"}
    assert found["old"] >= {"compact": 20, "recover": 7, "create": 10}[action]


@pytest.mark.parametrize("action", ["commit", "delete"])
def test_stock_storage_killed_between_two_calls_is_unreadable(action: str, tmp_path: Path) -> None:
    assert outcome("calls", "stock", action, tmp_path / "store").get("unreadable", 0) > 0


def test_16_threads_that_add_25_each_make_400(tmp_path: Path) -> None:
    assert outcome("threads", "ours", tmp_path / "store") == {"total": 400, "errors": 0}


def test_16_threads_on_stock_storage_lose_increments(tmp_path: Path) -> None:
    found = outcome("threads", "stock", tmp_path / "store")
    assert found["total"] < 400


# --- D5: killed while it writes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "kills"), [("ours", 20), ("sqlite", 4), pytest.param("sqlite", 20, marks=pytest.mark.nightly)]
)
def test_no_acknowledged_write_is_lost_in_kills_among_500_writes(kind: str, kills: int, tmp_path: Path) -> None:
    """Of a blocking writer and of an awaiting one, in turn."""
    found = outcome("writers", kind, tmp_path / "store", WRITES, kills, child=WRITERS)
    assert found["lost"] == 0
    assert found["acknowledged"] > kills * 150


def test_a_store_that_keeps_writes_in_memory_loses_what_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store"
    assert outcome("writer", "caching", path, 50, child=WRITERS) == 49
    assert path.read_text() == ""


# --- several processes -----------------------------------------------------------------------------


@pytest.mark.parametrize("defect", ["none", "compacting"])
def test_no_increment_of_4_processes_is_lost(defect: str, tmp_path: Path) -> None:
    assert outcome("increments", defect, tmp_path / "store", 150, child=WRITERS) == ALL_ADDED


def test_without_the_lock_increments_of_4_processes_are_lost(tmp_path: Path) -> None:
    """T1: some are lost, or a process failed, or nothing can be read."""
    assert outcome("increments", "no-lock", tmp_path / "store", 150, child=WRITERS) != ALL_ADDED
