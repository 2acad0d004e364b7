"""`make bench` works: every group gives its figures. What they say is judged on the page, not here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.benchmarks.measuring import Absent, Figure
from tests.benchmarks.run import GROUPS, PAGE, main, report

EXPECTED = {"1", "2", "3", "4", "5", "6", "7", "8", "8b", "9", "10", "12"}
"""The rows of the table of ratios that this release measures."""


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_gives_a_figure_for_each_of_its_rows(group: str, tmp_path: Path) -> None:
    found = main(["--quick", "--only", group, "--json", str(tmp_path / "figures.json")])
    assert {one.row for one in found} == set(GROUPS[group][0])
    figures = [one for one in found if isinstance(one, Figure)]
    assert all(one.value.low <= one.value.median <= one.value.high for one in figures)
    assert len(json.loads((tmp_path / "figures.json").read_text())) == len(found)
    page = report(found)
    assert all(one.what in page for one in figures)
    assert page.count("Not measured: ") == sum(isinstance(one, Absent) for one in found)


def test_every_row_is_measured_by_a_group() -> None:
    assert {row for rows, _ in GROUPS.values() for row in rows if row} == EXPECTED


def test_the_page_has_every_row() -> None:
    rows = set(re.findall(r"^\| (\d+b?) \|", PAGE.read_text(), flags=re.MULTILINE))
    assert rows >= EXPECTED
