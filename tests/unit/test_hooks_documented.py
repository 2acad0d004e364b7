"""Every hook is documented with its exact arguments, and every hook has a test: found by introspection."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from otpcore import hookspecs

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "reference" / "hooks.md"
TESTS = HERE / "test_plugins.py"

HOOKS = {
    name: tuple(inspect.signature(function).parameters)
    for name, function in vars(hookspecs).items()
    if hasattr(function, f"{hookspecs.PROJECT}_spec")
}


def drift(page: str, hooks: Mapping[str, tuple[str, ...]]) -> set[str]:
    """What a page says of hooks in headings and first columns, against what there is."""
    real = {f"{name}({', '.join(arguments)})" for name, arguments in hooks.items()}
    headings = set(re.findall(r"^### (otpcore_\w+\(.*\))$", page, re.MULTILINE))
    rows = set(re.findall(r"^\| `(otpcore_\w+\(.*?\))` \|", page, re.MULTILINE))
    return (real ^ headings) | (real ^ rows)


def test_there_are_hooks() -> None:
    assert len(HOOKS) >= 6


def test_the_page_documents_every_hook_with_its_exact_arguments_and_no_other() -> None:
    assert not drift(PAGE.read_text(encoding="utf-8"), HOOKS)


@pytest.mark.parametrize(
    "hooks",
    [
        {**HOOKS, "otpcore_new": ()},
        {name: arguments for name, arguments in HOOKS.items() if name != "otpcore_route"},
        {**HOOKS, "otpcore_observe": ("event", "more")},
    ],
)
def test_a_hook_that_is_new_or_gone_or_has_other_arguments_is_noticed(hooks: Mapping[str, tuple[str, ...]]) -> None:
    assert drift(PAGE.read_text(encoding="utf-8"), hooks)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_implemented_by_a_test_of_the_registry(hook: str) -> None:
    tree = ast.parse(TESTS.read_text(encoding="utf-8"))
    implemented = {keyword.arg for call in ast.walk(tree) if isinstance(call, ast.Call) for keyword in call.keywords}
    assert hook in implemented


@pytest.mark.parametrize("hook", HOOKS)
def test_every_argument_of_a_hook_is_explained_in_its_docstring(hook: str) -> None:
    docstring = inspect.getdoc(getattr(hookspecs, hook)) or ""
    assert "alled" in docstring
    for argument in HOOKS[hook]:
        assert f"    {argument}: " in docstring
