"""Where something stands in a JSON document: names and indices with dots between, `data.messages.0.id`.

Rules of this file: pure; a path that leads nowhere is None, never an exception, for a vendor's answer may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, cast

from pydantic import AfterValidator

__all__ = ["Field", "Path", "found_at", "text_at", "text_of"]

DEEPEST: Final = 10
LONGEST_INDEX: Final = 4
"""Digits of one."""

_STEP = re.compile(r"[A-Za-z0-9_\-]{1,100}")


def _judged(path: str) -> str:
    steps = path.split(".")
    if len(steps) > DEEPEST or not all(_STEP.fullmatch(step) for step in steps):
        raise ValueError(
            f"a path is at most {DEEPEST} names or indices with dots between, of letters, digits, hyphens and "
            "underscores, such as data.messages.0.id"
        )
    return path


def _one_step(name: str) -> str:
    if not _STEP.fullmatch(name):
        raise ValueError("a field's name has letters, digits, hyphens and underscores")
    return name


Path = Annotated[str, AfterValidator(_judged)]
"""A path, judged: a step that is a number is an index of a list, or a name of an object."""

Field = Annotated[str, AfterValidator(_one_step)]
"""A name in a form or a query."""


def found_at(document: object, path: str) -> object:
    """What stands there; None where nothing does."""
    here = document
    for step in path.split("."):
        if isinstance(here, Mapping):
            here = cast("Mapping[str, object]", here).get(step)
        elif isinstance(here, list | tuple) and step.isdecimal():
            items, number = cast("Sequence[object]", here), int(step[:LONGEST_INDEX])
            here = items[number] if len(step) <= LONGEST_INDEX and number < len(items) else None
        else:
            return None
    return here


def text_at(document: object, path: str) -> str | None:
    """The text, number or truth value that stands there, as text; None where there is none."""
    return text_of(found_at(document, path))


def text_of(value: object) -> str | None:
    """A scalar as JSON writes it, a text as it is; None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
