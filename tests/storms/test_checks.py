"""V1, V2, V5, V6 under storms, in both colours, on both embedded stores, with codes of either owner.

The figures of the requirements run under `nightly`; a CI run uses the smaller ones that stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otpcore.contract import CodeOwner
from tests.places import KINDS
from tests.storms import bodies_checks as bodies
from tests.storms.arena import Arena

SESSIONS = [12, pytest.param(1000, marks=pytest.mark.nightly)]
RESENDS = 20
ROUNDS = [16, pytest.param(40, marks=pytest.mark.nightly)]
"""Days."""

CONTROLS = 20
MEMORY = ("memory-threads", "memory-tasks")

Make = Callable[..., Arena]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_owner = pytest.mark.parametrize("owner", list(CodeOwner))


@each_kind
@each_owner
@pytest.mark.parametrize("sessions", SESSIONS)
def test_a_session_answers_as_often_as_it_has_tries(arena_of: Make, kind: str, owner: CodeOwner, sessions: int) -> None:
    bodies.no_more_answers_than_tries(arena_of(kind, owner=owner), sessions=sessions)


@each_kind
@each_owner
@pytest.mark.parametrize("sessions", SESSIONS)
def test_a_session_succeeds_once(arena_of: Make, kind: str, owner: CodeOwner, sessions: int) -> None:
    bodies.one_success_a_session(arena_of(kind, owner=owner), sessions=sessions)


@each_kind
def test_resends_amid_checks_give_no_tries_back(arena_of: Make, kind: str) -> None:
    bodies.resends_give_no_tries_back(arena_of(kind, profile=bodies.QUICK), resends=RESENDS)


@each_kind
def test_of_many_resends_one_is_sent_and_voids_the_old_code(arena_of: Make, kind: str) -> None:
    bodies.old_codes_are_void(arena_of(kind, profile=bodies.QUICK), resends=RESENDS)


@pytest.mark.parametrize("kind", MEMORY)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_the_failures_of_a_phone_are_bounded_across_its_sessions(arena_of: Make, kind: str, rounds: int) -> None:
    bodies.failures_of_a_phone_are_bounded(arena_of(kind), rounds=rounds)


# --- controls: the same bodies over a store without a guard ----------------------------------


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine wakes threads late; with a longer pause they still meet between load and commit."""
    monkeypatch.setattr("otpcore.conformance.yielding.PAUSE_S", 0.02)


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_answers_too_often_every_time(arena_of: Make, kind: str) -> None:
    """T1, T2: the stores of a storm give way between load and commit, so 20 of 20 are caught."""
    for _ in range(CONTROLS):
        with pytest.raises(AssertionError):
            bodies.no_more_answers_than_tries(arena_of(kind, naive=True), sessions=1)


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_approves_twice_every_time(arena_of: Make, kind: str) -> None:
    """T1, T2: the stores of a storm give way between load and commit, so 20 of 20 are caught."""
    for _ in range(CONTROLS):
        with pytest.raises(AssertionError):
            bodies.one_success_a_session(arena_of(kind, naive=True), sessions=1)


@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_fails_the_other_bodies(arena_of: Make, kind: str) -> None:
    with pytest.raises(AssertionError):
        bodies.resends_give_no_tries_back(arena_of(kind, naive=True, profile=bodies.QUICK), resends=RESENDS)
    with pytest.raises(AssertionError):
        bodies.old_codes_are_void(arena_of(kind, naive=True, profile=bodies.QUICK), resends=2)
    with pytest.raises(AssertionError):
        bodies.failures_of_a_phone_are_bounded(arena_of(kind, naive=True), rounds=1)
