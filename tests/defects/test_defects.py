"""T1: the planted defects are caught, each by the body of its requirement.

Rules of this file: it runs the command in a process of its own, where nothing planted can leak into other tests.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import cast

import pytest

from tests.defects import reviews
from tests.defects.invariants import PLANTED
from tests.defects.planted import COMES_WITH, DEFECTS
from tests.defects.run import ALL
from tests.engine import test_guards_and_holders as holders
from tests.engine import test_purposes_apart as purposes

ROOT = Path(__file__).parents[2]
SHARES = 4
"""The workers of a parallel run take one each."""

BODIES = list(dict.fromkeys(defect.body for defect in ALL))
"""Each is looked at once without a defect, so the defects of one body stay together."""


@pytest.mark.parametrize("share", range(SHARES))
def test_every_planted_defect_is_caught(share: int) -> None:
    bodies = BODIES[share::SHARES]
    names = [defect.name for defect in ALL if defect.body in bodies]
    command = [sys.executable, "-m", "tests.defects.run", *names]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    *table, total = ran.stdout.splitlines()
    skipped = [
        line for line in table if "  skipped: " in line
    ]  # a server is missing; OTPCORE_REQUIRE_SERVICES forbids it
    assert [line for line in table if line not in skipped and not line.endswith("  caught")] == [], ran.stderr
    told = f", {len(skipped)} skipped" if skipped else ""
    assert total == f"{len(names) - len(skipped)} of {len(names)} planted defects caught{told}"
    assert ran.returncode == 0, ran.stderr


def test_the_list_is_that_of_the_requirements() -> None:
    numbers = [int(each) for each in (*(defect.name for defect in DEFECTS), *COMES_WITH)]
    assert sorted(numbers) == list(range(1, 31))
    assert len(DEFECTS) >= 20


def test_every_invariant_has_a_planted_defect() -> None:
    names = [defect.name for defect in ALL]
    own = {int(match[1]) for match in map(re.compile(r"I(\d+)").match, names) if match}
    assert own.isdisjoint(PLANTED)
    assert own | set(PLANTED) == set(range(1, 17))
    assert set(PLANTED.values()) <= set(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", [purposes, holders], ids=lambda module: module.__name__)
def test_whatever_a_review_found_has_a_planted_defect(module: ModuleType) -> None:
    bodies = [cast("FunctionType", defect.body) for defect in reviews.DEFECTS]
    run = {body.__name__ for body in bodies} | {name for body in bodies for name in body.__code__.co_names}
    tests = {name for name in vars(module) if name.startswith("test_")}
    assert tests
    assert not tests - run


def test_a_defect_that_nothing_catches_or_that_is_not_there_is_told() -> None:
    plants = {
        "lambda p: None": "NOT CAUGHT",
        "lambda p: p.swap(object(), None)": "not planted",
        "lambda p: p.reword(run.judge, 'what it does not say', '')": "not planted",
    }
    code = (
        "import sys; from tests.defects import run, planted; "
        f"run.ALL = tuple(run.Defect(str(number), 'harmless', plant, planted.starts_at_once) "
        f"for number, plant in enumerate([{', '.join(plants)}], 97)); sys.exit(run.main(['97', '98', '99']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    *told, total = ran.stdout.splitlines()
    assert [verdict in line for line, verdict in zip(told, plants.values(), strict=True)] == [True] * 3, told
    assert total == "0 of 3 planted defects caught"
