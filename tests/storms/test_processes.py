"""V1, V2, S1, S7 over four processes on the embedded store; the forks share one engine, so it is fork-safe too.

The figures of the requirements run under `nightly`; a CI run uses the smaller one that stands beside them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROUNDS = [8, pytest.param(1000, marks=pytest.mark.nightly)]
CONTROL_ROUNDS = 4
PARTIES = 64
KEY_PARTIES = 16
TRIES = 5

ROOT = Path(__file__).parents[2]
each_size = pytest.mark.parametrize("rounds", ROUNDS)


def storm(what: str, store: str, folder: Path, rounds: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.storms.process_child", what, store, str(folder), str(rounds)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    assert len(result["outcomes"]) == rounds
    return result


def wrong_checks(store: str, folder: Path, rounds: int) -> None:
    told = storm("checks", store, folder, rounds)
    assert told["outcomes"] == [{"Wrong": TRIES, "Ended": PARTIES - TRIES}] * rounds


def right_codes(store: str, folder: Path, rounds: int) -> None:
    told = storm("rights", store, folder, rounds)
    assert told["outcomes"] == [{"Approved": 1, "Ended": PARTIES - 1}] * rounds


def starts(store: str, folder: Path, rounds: int) -> None:
    told = storm("starts", store, folder, rounds)
    assert told["outcomes"] == [{"Sent": 1, "Wait": PARTIES - 1}] * rounds
    assert list(told["sent"].values()) == [1] * rounds


def keys(store: str, folder: Path, rounds: int) -> None:
    told = storm("keys", store, folder, rounds)
    assert told["outcomes"] == [{"Sent": KEY_PARTIES}] * rounds
    assert told["tokens"] == [1] * rounds
    assert list(told["sent"].values()) == [1] * rounds


@each_size
def test_a_session_answers_as_often_as_it_has_tries_over_processes(tmp_path: Path, rounds: int) -> None:
    wrong_checks("ours", tmp_path, rounds)


@each_size
def test_a_session_succeeds_once_over_processes(tmp_path: Path, rounds: int) -> None:
    right_codes("ours", tmp_path, rounds)


@each_size
def test_of_many_starts_one_sends_over_processes(tmp_path: Path, rounds: int) -> None:
    starts("ours", tmp_path, rounds)


@each_size
def test_an_idempotency_key_sends_once_over_processes(tmp_path: Path, rounds: int) -> None:
    keys("ours", tmp_path, rounds)


@pytest.mark.parametrize("body", [wrong_checks, right_codes, starts, keys])
def test_a_store_without_a_guard_is_caught(tmp_path: Path, body: Any) -> None:
    with pytest.raises(AssertionError):
        body("naive", tmp_path, CONTROL_ROUNDS)
