"""Receipts of a message that did not arrive, in crowds: on memory and on the embedded store, in both colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.places import COLOURS, Place, memory, tinydb
from tests.storms import bodies_undelivered as bodies
from tests.storms.arena import Arena, arena_for


@pytest.fixture(params=["memory", "tinydb"])
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Place:
    return memory() if request.param == "memory" else tinydb(tmp_path)


@pytest.fixture(params=COLOURS)
def arena(request: pytest.FixtureRequest, place: Place) -> Callable[..., Arena]:
    def made(**given: Any) -> Arena:
        return arena_for(place, request.param, **given)

    return made


@pytest.mark.parametrize("alike", [True, False], ids=["one receipt", "many receipts"])
def test_sixty_four_receipts_bring_one_further_message(arena: Callable[..., Arena], alike: bool) -> None:
    with arena() as made:
        bodies.one_further_message(made, alike=alike)


def test_receipts_amid_checks_and_resends_bring_one_further_message(arena: Callable[..., Arena]) -> None:
    with arena() as made:
        bodies.followed_amid_checks(made)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_store_without_its_guard_is_caught(colour: str) -> None:
    """T1."""
    with arena_for(memory(), colour, naive=True) as made, pytest.raises(AssertionError):
        bodies.one_further_message(made, alike=False)
