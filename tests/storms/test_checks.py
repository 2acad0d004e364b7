"""V1, V2, V5, V6 under storms, in both colours, on every store, with codes of either owner.

Nightly runs have the figures of the requirements: 1,000 sessions with 64 wrong checks (V1) and with 32 right ones
(V2), 20 resends and 1,000 old codes (V5), 40 days (V6). A CI run has 12 sessions over the memory store and 4 over each
other one; 20 resends; 27 old codes and 9; 16 days and one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otpcore.contract import CodeOwner
from tests.places import KINDS
from tests.storms import bodies_checks as bodies
from tests.storms.arena import Arena
from tests.storms.sizes import sized

RESENDS = 20
CONTROLS = 20
MEMORY = ("memory-threads", "memory-tasks")
OTHERS = [kind for kind in KINDS if kind not in MEMORY]

Make = Callable[..., Arena]
many_sessions = pytest.mark.parametrize(("kind", "sessions"), sized(12, 4, 1000))
many_codes = pytest.mark.parametrize(("kind", "codes"), sized(27, 9, 1000))
many_days = pytest.mark.parametrize(("kind", "days"), sized(16, 1, 40))
each_owner = pytest.mark.parametrize("owner", list(CodeOwner))


@many_sessions
@each_owner
def test_a_session_answers_as_often_as_it_has_tries(arena_of: Make, kind: str, owner: CodeOwner, sessions: int) -> None:
    bodies.no_more_answers_than_tries(arena_of(kind, owner=owner), sessions=sessions)


@many_sessions
@each_owner
def test_a_session_succeeds_once(arena_of: Make, kind: str, owner: CodeOwner, sessions: int) -> None:
    bodies.one_success_a_session(arena_of(kind, owner=owner), sessions=sessions)


@pytest.mark.parametrize("kind", KINDS)
def test_resends_amid_checks_give_no_tries_back(arena_of: Make, kind: str) -> None:
    bodies.resends_give_no_tries_back(arena_of(kind, profile=bodies.QUICK), resends=RESENDS)


@many_codes
def test_of_many_resends_one_is_sent_and_voids_the_old_code(arena_of: Make, kind: str, codes: int) -> None:
    bodies.old_codes_are_void(arena_of(kind, profile=bodies.QUICK), codes=codes)


@many_days
def test_the_failures_of_a_phone_are_bounded_across_its_sessions(arena_of: Make, kind: str, days: int) -> None:
    bodies.failures_of_a_phone_are_bounded(arena_of(kind), rounds=days)


# --- controls: the same bodies over a store without a guard ----------------------------------


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_answers_too_often_every_time(arena_of: Make, kind: str) -> None:
    """T1, T2: the stores of a storm give way between load and commit, so 20 of 20 are caught."""
    for _ in range(CONTROLS):
        with pytest.raises(AssertionError):
            bodies.no_more_answers_than_tries(arena_of(kind, naive=True), sessions=1)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_approves_twice_every_time(arena_of: Make, kind: str) -> None:
    """T1, T2: the stores of a storm give way between load and commit, so 20 of 20 are caught."""
    for _ in range(CONTROLS):
        with pytest.raises(AssertionError):
            bodies.one_success_a_session(arena_of(kind, naive=True), sessions=1)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("body", [bodies.no_more_answers_than_tries, bodies.one_success_a_session])
def test_without_its_guard_every_store_is_caught(arena_of: Make, kind: str, body: Callable[..., None]) -> None:
    """T1: whoever has a connection would else be through before the next one has made its own."""
    with pytest.raises(AssertionError):
        body(arena_of(kind, naive=True, meets=True), sessions=1)


@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_fails_the_other_bodies(arena_of: Make, kind: str) -> None:
    with pytest.raises(AssertionError):
        bodies.resends_give_no_tries_back(arena_of(kind, naive=True, profile=bodies.QUICK), resends=RESENDS)
    with pytest.raises(AssertionError):
        bodies.old_codes_are_void(arena_of(kind, naive=True, profile=bodies.QUICK), codes=2)
    with pytest.raises(AssertionError):
        bodies.failures_of_a_phone_are_bounded(arena_of(kind, naive=True), rounds=1)
