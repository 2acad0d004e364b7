"""T1: the planted defects are caught, each by the body of its requirement.

Rules of this file: it runs the command in a process of its own, where nothing planted can leak into other tests.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.defects.planted import COMES_WITH, DEFECTS

ROOT = Path(__file__).parents[2]


def test_every_planted_defect_is_caught() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.defects.run"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == f"{len(DEFECTS)} of {len(DEFECTS)} planted defects caught"


def test_the_list_is_that_of_the_requirements() -> None:
    numbers = [defect.number for defect in DEFECTS]
    assert sorted(numbers + list(COMES_WITH)) == list(range(1, 31))
    assert len(DEFECTS) >= 20


def test_a_defect_that_nothing_catches_is_told() -> None:
    code = (
        "import sys; from tests.defects import run, planted; "
        "harmless = planted.Defect(99, 'harmless', lambda p: None, planted.starts_at_once); "
        "run.DEFECTS = (harmless,); sys.exit(run.main([]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert "NOT CAUGHT" in ran.stdout
