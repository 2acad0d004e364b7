"""Arenas for storms; everything ends with the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.storms.arena import Arena, arena_for


@pytest.fixture
def arena_of(tmp_path: Path) -> Iterator[Callable[..., Arena]]:
    """Make an arena of a kind; the arguments are those of `arena_for` without the folder."""
    with contextlib.ExitStack() as stack:

        def make(kind: str, **given: Any) -> Arena:
            return stack.enter_context(arena_for(kind, tmp_path, **given))

        yield make
