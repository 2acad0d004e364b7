"""The tables are total, an illegal event changes nothing, and the page of the docs is drawn from them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from otpcore.machine import (
    CHECK_TRANSITIONS,
    SEND_TRANSITIONS,
    SESSION_TRANSITIONS,
    CheckEvent,
    SendEvent,
    SessionEvent,
    step,
)
from otpcore.model import CheckState, SendState, SessionStatus

DOCS = Path(__file__).parents[2] / "docs"
MACHINES: list[tuple[Mapping[Any, Any], type[StrEnum], type[StrEnum]]] = [
    (SESSION_TRANSITIONS, SessionStatus, SessionEvent),
    (SEND_TRANSITIONS, SendState, SendEvent),
    (CHECK_TRANSITIONS, CheckState, CheckEvent),
]
CELLS: list[Any] = [
    pytest.param(table, state, event, id=f"{states.__name__}-{state}-{event}")
    for table, states, events in MACHINES
    for state, event in product(states, events)
]


@pytest.mark.parametrize(("table", "state", "event"), CELLS)
def test_every_state_takes_every_event_and_changes_only_as_listed(table: Any, state: Any, event: Any) -> None:
    assert step(table, state, event) is table.get((state, event), state)


def test_a_session_leaves_pending_once_and_never_comes_back() -> None:
    """Invariant 4: no way leads out of an ended state, so there is one success at most."""
    assert {source for source, _ in SESSION_TRANSITIONS} == {SessionStatus.PENDING}
    assert SessionStatus.PENDING not in SESSION_TRANSITIONS.values()
    into_approved = [event for (_, event), target in SESSION_TRANSITIONS.items() if target is SessionStatus.APPROVED]
    assert into_approved == [SessionEvent.RIGHT_CODE]


def test_every_state_can_be_reached_and_every_event_does_something() -> None:
    for table, states, events in MACHINES:
        first = next(iter(states))
        assert {first, *table.values()} == set(states)
        assert {event for _, event in table} == set(events)


def test_no_answer_ever_brings_a_send_back_to_reserved() -> None:
    """Trap 4: only a reserved send can be refunded, and none is reserved twice."""
    assert SendState.RESERVED not in SEND_TRANSITIONS.values()
    assert CheckState.CLAIMED not in CHECK_TRANSITIONS.values()


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate_state_machine", DOCS / "generate_state_machine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_in_the_docs_is_as_drawn_from_the_tables() -> None:
    drawn = generator()
    assert drawn.main(["--check"]) == 0
    for table, _, _ in MACHINES:
        for (source, event), target in table.items():
            assert f"{source} --> {target}: {event}" in drawn.page()


def test_a_page_that_is_not_as_drawn_is_found(tmp_path: Path) -> None:
    drawn = generator()
    drawn.PAGE = tmp_path / "page.md"
    drawn.PAGE.write_text(drawn.page() + "a word more", "utf-8")
    assert drawn.main(["--check"]) == 1
    assert drawn.main([]) == 0
    assert drawn.main(["--check"]) == 0
