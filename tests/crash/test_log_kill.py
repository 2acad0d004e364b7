"""D4, D5: writers of the embedded store's file are killed at any byte or call, and race; stock storage is red."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import pytest

from otpcore.errors import StoreFormatError
from otpcore.stores.tinydb import TinyDBStore
from tests.crash.openers import OPENERS
from tests.places import COLOURS

CHILD = (sys.executable, "-m", "tests.crash.log_child")
ROOT = Path(__file__).parents[2]
WRITES = 500
PROCESSES = 4


def start(*args: object) -> subprocess.Popen[str]:
    command = [*CHILD, *map(str, args)]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def outcome(*args: object) -> dict[str, int]:
    done = subprocess.run([*CHILD, *map(str, args)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return cast("dict[str, int]", json.loads(done.stdout))


# --- D4: killed at any byte and between any two calls ----------------------------------------------


def test_a_commit_killed_at_any_of_210_bytes_leaves_the_old_record(tmp_path: Path) -> None:
    assert outcome("bytes", "ours", tmp_path / "store", 210) == {"old": 210}


@pytest.mark.parametrize("room", [0, 1, 100, 250])
def test_a_commit_killed_where_the_file_grows_leaves_old_or_new(tmp_path: Path, room: int) -> None:
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


def kill_after(kind: str, path: Path, first: int, writes: int, acknowledged: int, colour: str = "threads") -> int:
    """Kill the writer once it has said so many writes; the number of the last that it said."""
    with start("acknowledge", kind, colour, path, first, writes) as writer:
        assert writer.stdout is not None
        for _ in range(acknowledged):
            writer.stdout.readline()
        writer.kill()
        said = writer.stdout.read().split()  # what it said before the signal reached it
    return int(said[-1]) if said else first + acknowledged - 1


def numbers(kind: str, path: Path) -> dict[int, int]:
    """The number in each of the seven records."""
    store = OPENERS[kind](str(path))
    found = {key: store.load(f"k{key}") for key in range(7)}
    store.close()
    return {key: json.loads(record.data)["n"] for key, record in found.items() if record is not None}


@pytest.mark.parametrize(
    ("kind", "kills"), [("ours", 20), ("sqlite", 4), pytest.param("sqlite", 20, marks=pytest.mark.nightly)]
)
def test_no_acknowledged_write_is_lost_in_kills_among_500_writes(kind: str, kills: int, tmp_path: Path) -> None:
    """Of a blocking writer and of an awaiting one, in turn."""
    path, first, lost = tmp_path / "store", 0, 0
    for turn in range(kills):
        acknowledged = WRITES // kills * turn + 10
        last = kill_after(kind, path, first, WRITES, acknowledged, COLOURS[turn % 2])
        found = numbers(kind, path)
        for number in range(max(0, last - 6), last + 1):
            lost += found.get(number % 7, -1) < number
        first = last + 1
    assert lost == 0
    assert first > kills * 150


def test_a_store_that_keeps_writes_in_memory_loses_what_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store"
    last = kill_after("caching", path, 0, 50, 50)
    assert last == 49
    assert path.read_text() == ""


# --- several processes -----------------------------------------------------------------------------


def add_up(defect: str, path: Path, times: int) -> int | None:
    """What the number is after 4 processes added to it; None: some process failed, or the store cannot be read."""
    TinyDBStore(path).close()
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(start("increments", defect, path, times)) for _ in range(PROCESSES)]
        said = [cast("IO[str]", worker.stdout).readline() for worker in workers]
        for worker in workers:
            with contextlib.suppress(BrokenPipeError):
                cast("IO[str]", worker.stdin).write("go\n")
        results = [(worker.communicate(), worker.returncode) for worker in workers]
    assert defect == "no-lock" or said == ["ready\n"] * PROCESSES, results
    try:
        store = TinyDBStore(path)
        found = store.load("tenant/r/key")
        store.close()
    except StoreFormatError:
        return None
    return None if found is None or any(code for _, code in results) else int(json.loads(found.data)["n"])


@pytest.mark.parametrize("defect", ["none", "compacting"])
def test_no_increment_of_4_processes_is_lost(defect: str, tmp_path: Path) -> None:
    assert add_up(defect, tmp_path / "store", 150) == 600


def test_without_the_lock_increments_of_4_processes_are_lost(tmp_path: Path) -> None:
    assert add_up("no-lock", tmp_path / "store", 150) != 600
