"""Every row of the requirements that otpcore and its plugins have to meet is named by a test, in a docstring.

Rules of this file: a docstring of a test, of its body or of its module says "V4", "S5, S6"; a comment does not count.
That the named test measures the row's figure is for a reviewer to judge.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NUMBERS = {
    "V": range(1, 14),
    "S": (*range(1, 9), *range(10, 16)),
    "D": range(1, 14),
    "P": range(1, 7),
    "L": range(1, 7),
    "H": (9, 10),
    "T": (1, 2, 3, 7),
}
ROWS = [f"{letter}{number}" for letter, numbers in NUMBERS.items() for number in numbers]


def docstrings() -> Iterator[str]:
    of_plugins = TESTS.parent.glob("plugins/*/tests/**/*.py")
    for path in sorted({*TESTS.glob("*/*.py"), *of_plugins} - {Path(__file__)}):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.Module) and (text := ast.get_docstring(node)):
                yield text


def named(texts: Iterator[str]) -> set[str]:
    return {row for text in texts for row in re.findall(r"\b[A-Z]\d{1,2}\b", text)}


NAMED = named(docstrings())


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_named_by_a_test(row: str) -> None:
    assert row in NAMED


def test_a_row_is_not_taken_for_one_of_its_beginning() -> None:
    assert named(iter(["V13, S2: x", "L6."])) == {"V13", "S2", "L6"}
