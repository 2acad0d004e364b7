"""Every invariant and every trap of the design is named by a test, in the test's docstring.

Rules of this file: a docstring says "Invariant 4", "invariants 9 and 10", "traps 1, 2, 4 and 6"; numbers count
wherever such a list is written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests/unit", "tests/flows", "tests/properties", "tests/engine")
LIST = r"(\d+(?:(?:, | and |, and |; | to )\d+)*)"


@cache
def docstrings() -> tuple[str, ...]:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).glob("*.py") if path != Path(__file__)]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    return tuple(ast.get_docstring(node) or "" for node in nodes if isinstance(node, ast.FunctionDef))


def named(word: str, texts: Iterable[str]) -> set[int]:
    found: set[int] = set()
    for text in texts:
        for match in re.finditer(rf"(?i)\b{word}s? {LIST}", text):
            found |= {int(number) for number in re.findall(r"\d+", match[1])}
    return found


@pytest.mark.parametrize("number", range(1, 17))
def test_an_invariant_is_named_by_a_test(number: int) -> None:
    assert number in named("invariant", docstrings())


@pytest.mark.parametrize("number", range(1, 12))
def test_a_trap_is_named_by_a_test(number: int) -> None:
    assert number in named("trap", docstrings())


def test_what_is_proved_elsewhere_is_there() -> None:
    """Trap 12 by the kits that plugins run."""
    assert list((ROOT / "otpcore/conformance").glob("**/*.py"))


def test_a_list_of_numbers_is_read_whole() -> None:
    assert named("invariant", ["Invariants 2, 3 and 14: x", "invariant 5; invariant 7."]) == {2, 3, 5, 7, 14}
