"""An import that is killed is finished by the next: the same records as one that was not disturbed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.legacy.moving_child import POINTS, held

ROOT = Path(__file__).parents[2]
ROWS = 9
COMMITS = 15
"""Six records, nine old ids."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of six pairs in nine rows, and one row that is refused."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE svretries (id, uniqueId TEXT, userId TEXT, count, expires, createdAt)")
        for identity in range(1, ROWS + 1):
            expires = f"2026-06-01 {10 + identity}:00:00" if identity % 4 else None
            values = (identity, f"hash-{identity % 6}", "user", identity % 7, expires, "2026-05-01 00:00:00")
            connection.exec_driver_sql("INSERT INTO svretries VALUES (?, ?, ?, ?, ?, ?)", values)
        connection.exec_driver_sql("INSERT INTO svretries VALUES (50, 'hash-3', NULL, 1, NULL, NULL)")
    engine.dispose()
    return tmp_path


def child(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.legacy.moving_child", *words]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=120, stdout=subprocess.PIPE, text=True)


def differing(folder: Path, point: str, last: int, mutant: str = "") -> list[int]:
    """The numbers at which a kill leaves other records."""
    done = child("everywhere", str(folder), point, str(last), mutant)
    assert done.returncode == 0
    found: list[int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("point", POINTS)
def test_wherever_an_import_is_killed_the_next_one_ends_in_the_same_records(folder: Path, point: str) -> None:
    assert differing(folder, point, ROWS if point == "after rows" else COMMITS) == []


def test_ids_that_lead_on_before_the_record_is_there_are_noticed(folder: Path) -> None:
    lost = differing(folder, "after a commit", COMMITS, "ids first")
    assert len(lost) >= 6  # once for each record
    assert COMMITS not in lost  # nothing else is wrong with it


def test_a_process_that_is_killed_is_followed_by_one_that_finishes(folder: Path) -> None:
    assert child("once", str(folder), "after a commit", "7").returncode == -signal.SIGKILL
    assert len(held(str(folder))) == 7
    assert child("once", str(folder)).returncode == 0
    assert len(held(str(folder))) == COMMITS
