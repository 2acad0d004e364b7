"""Arenas for storms; everything ends with the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.places import Place
from tests.storms.arena import Arena, arena_for


@pytest.fixture
def arena_of(place_of: Callable[[str], Place]) -> Iterator[Callable[..., Arena]]:
    """Make an arena of one of `tests.places.KINDS`, on a new place; the other arguments are those of `arena_for`."""
    with contextlib.ExitStack() as stack:

        def make(kind: str, **given: Any) -> Arena:
            store, _, colour = kind.partition("-")
            return stack.enter_context(arena_for(place_of(store), colour, **given))

        yield make
