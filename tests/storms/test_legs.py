"""A first provider that does not accept, under a crowd: on memory and on the embedded store, in both colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otpcore.contract import CodeOwner
from tests.places import COLOURS, Place, memory, tinydb
from tests.storms import bodies_legs as bodies
from tests.storms.arena import Arena, arena_for

OWNERS = pytest.mark.parametrize("owner", list(CodeOwner))
FIRST = pytest.mark.parametrize("first", list(CodeOwner))


@pytest.fixture(params=["memory", "tinydb"])
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Place:
    return memory() if request.param == "memory" else tinydb(tmp_path)


@pytest.fixture(params=COLOURS)
def arena(request: pytest.FixtureRequest, place: Place) -> Callable[..., Arena]:
    def made(**given: Any) -> Arena:
        return arena_for(place, request.param, **given)

    return made


@OWNERS
@FIRST
def test_of_many_starts_one_sends_one_message(arena: Callable[..., Arena], owner: CodeOwner, first: CodeOwner) -> None:
    with arena(owner=owner) as made:
        bodies.one_message_of_many_starts(made, first, phones=2)


@OWNERS
def test_a_refusal_of_both_is_given_back(arena: Callable[..., Arena], owner: CodeOwner) -> None:
    with arena(owner=owner) as made:
        bodies.refusals_are_given_back_once(made, owner)


@OWNERS
@pytest.mark.parametrize("operations", [25, pytest.param(1000, marks=pytest.mark.nightly)])
def test_a_lost_answer_brings_no_second_message(arena: Callable[..., Arena], owner: CodeOwner, operations: int) -> None:
    with arena(owner=owner) as made:
        bodies.lost_answers_stay_alone(made, owner, operations=operations)


def test_a_rule_may_send_the_same_code_through_both(arena: Callable[..., Arena]) -> None:
    with arena() as made:
        bodies.the_same_code_on_both(made)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_store_without_its_guard_is_caught(colour: str) -> None:
    """T1."""
    with arena_for(memory(), colour, naive=True) as made, pytest.raises(AssertionError):
        bodies.one_message_of_many_starts(made, CodeOwner.CORE, phones=3)
