"""A process that forks with the embedded store open: no lock is shared and no write is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("fork_child.py")


def holds(scenario: str, path: Path, defect: str) -> bool:
    done = subprocess.run([sys.executable, str(CHILD), scenario, str(path), defect], capture_output=True, check=False)
    assert done.stdout == b"begun\n", done.stderr
    assert b"Traceback" not in done.stderr or defect != "none", done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("scenario", ["both", "kept-out", "dies"])
def test_a_fork_shares_no_lock_and_loses_no_write(scenario: str, tmp_path: Path) -> None:
    assert holds(scenario, tmp_path / "store", "none")


@pytest.mark.parametrize("scenario", ["both", "kept-out", "dies"])
def test_a_child_that_goes_on_with_its_parents_descriptors_fails_that(scenario: str, tmp_path: Path) -> None:
    assert not holds(scenario, tmp_path / "store", "shared")
