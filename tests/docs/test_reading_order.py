"""The order in which the code reads: the same in the README and in the package, and the imports go that way."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import otpcore
from otpcore import flows

ROOT = Path(__file__).parents[2]


def by_the_package() -> list[str]:
    """The modules that the package's docstring names, in its order."""
    told = (otpcore.__doc__ or "").partition("The code reads in this order:")[2]
    return re.findall(r"`(otpcore[\w.]*)`", told)


def by_the_readme() -> list[str]:
    """The modules behind the README's links, the package itself first."""
    told = (ROOT / "README.md").read_text(encoding="utf-8").partition("To read the code:")[2]
    files = re.findall(r"\]\((otpcore/[\w/]+\.py)\)", told)
    return [file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files]


def test_the_readme_and_the_package_tell_one_order() -> None:
    assert by_the_readme() == ["otpcore", *by_the_package()]
    assert len(by_the_package()) == 5


def test_each_module_uses_the_next_and_none_uses_one_before() -> None:
    """Else the order would be one of names alone."""
    order = by_the_package()
    for name in order:
        assert import_module(name).__doc__
    for one, other in pairwise(order[:-1]):
        assert imports(one, other), f"{one} does not lead to {other}"
        assert not imports(other, one)
    assert imports("otpcore.ledger", "otpcore.policy")


def test_the_index_of_the_flows_names_each_of_their_modules() -> None:
    """Where a reader looks for "reserve, then send", no module is left out and none is named that is not there."""
    named = set(re.findall(r"`(?:otpcore\.flows\.)?(\w+)`", flows.__doc__ or ""))
    there = {path.stem for path in (ROOT / "otpcore" / "flows").glob("*.py")} - {"__init__"}
    assert named == there


def imports(one: str, other: str) -> bool:
    """Whether a module, or one inside it, imports from another."""
    at = ROOT / one.replace(".", "/")
    files = sorted(at.glob("*.py")) if at.is_dir() else [at.with_suffix(".py")]
    above, _, last = other.rpartition(".")
    known = rf"from {re.escape(other)}[. ]|from {re.escape(above)} import .*\b{last}\b"
    return any(re.search(known, file.read_text(encoding="utf-8")) for file in files)
