"""An engine of each colour for a table of faults."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otpcore.ports import Store
from otpcore.stores.memory import MemoryStore
from tests.storms.arena import Arena, TaskArena, ThreadArena

COLOURS: dict[str, type[Arena]] = {"blocking": ThreadArena, "awaiting": TaskArena}


@pytest.fixture(params=list(COLOURS))
def arena_with(request: pytest.FixtureRequest) -> Iterator[Callable[..., Arena]]:
    """Make an arena of one colour; its first argument is the store, a memory store where none is given."""
    with contextlib.ExitStack() as stack:

        def make(store: Store | None = None, **given: Any) -> Arena:
            return stack.enter_context(COLOURS[request.param](store or MemoryStore(), **given))

        yield make
