"""S1, S2, S5, S6, S7, S11 under storms, in both colours, on both embedded stores.

The figures of the requirements run under `nightly`; a CI run uses the smaller ones that stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otpcore.contract import CodeOwner
from otpcore.providers.fake_exchange import Outcome
from tests.places import KINDS
from tests.storms import bodies_sends as bodies
from tests.storms.arena import Arena

PHONES = [10, pytest.param(1000, marks=pytest.mark.nightly)]
KEYS = [10, pytest.param(1000, marks=pytest.mark.nightly)]
HISTORIES = [(3, 40), pytest.param((100, 50), marks=pytest.mark.nightly)]
"""Histories and steps; the sequential model test has the 10,000 x 50 of the requirement."""
LOST = [20, pytest.param(200, marks=pytest.mark.nightly)]
"""For each of five ways to lose an answer and each of four arenas; 200 make the thousand."""

CONTROLS = 20
MEMORY = ("memory-threads", "memory-tasks")

Make = Callable[..., Arena]
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("owner", list(CodeOwner))
@pytest.mark.parametrize("phones", PHONES)
def test_of_many_starts_one_reaches_the_provider(arena_of: Make, kind: str, owner: CodeOwner, phones: int) -> None:
    bodies.one_send_of_many_starts(arena_of(kind, owner=owner), phones=phones)


@pytest.mark.parametrize("kind", MEMORY)
@pytest.mark.parametrize("histories", HISTORIES, ids=str)
def test_the_windows_hold_in_any_history(arena_of: Make, kind: str, histories: tuple[int, int]) -> None:
    for seed in range(histories[0]):
        bodies.windows_hold(arena_of(kind), steps=histories[1], seed=seed)


@each_kind
def test_refusals_at_once_are_refunded_three_times(arena_of: Make, kind: str) -> None:
    bodies.refunds_are_few(arena_of(kind, script=bodies.always(bodies.NOT_SENT)))


@each_kind
@pytest.mark.parametrize("owner", list(CodeOwner))
def test_one_refusal_told_often_is_refunded_once(arena_of: Make, kind: str, owner: CodeOwner) -> None:
    bodies.a_refusal_is_refunded_once(arena_of(kind, owner=owner))


@each_kind
@pytest.mark.parametrize("lost", bodies.LOST_ANSWERS, ids=lambda lost: type(lost).__name__)
@pytest.mark.parametrize("operations", LOST)
def test_a_lost_answer_keeps_its_step_and_is_not_asked_for_again(
    arena_of: Make, kind: str, lost: Outcome, operations: int
) -> None:
    bodies.lost_answers_are_not_refunded(arena_of(kind, script=bodies.always(lost)), operations=operations)


@each_kind
@pytest.mark.parametrize("keys", KEYS)
def test_an_idempotency_key_sends_once(arena_of: Make, kind: str, keys: int) -> None:
    bodies.a_key_sends_once(arena_of(kind), keys=keys)


@pytest.mark.parametrize("kind", MEMORY)
def test_spellings_and_users_share_one_budget(arena_of: Make, kind: str) -> None:
    assert len(set(bodies.SPELLINGS)) == 23
    bodies.spellings_share_one_budget(arena_of(kind))


# --- controls: the same bodies over a store without a guard ----------------------------------


@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_sends_too_often_every_time(arena_of: Make, kind: str) -> None:
    """T1, T2: the stores of a storm give way between load and commit, so 20 of 20 are caught."""
    for _ in range(CONTROLS):
        with pytest.raises(AssertionError):
            bodies.one_send_of_many_starts(arena_of(kind, naive=True), phones=1)


@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_fails_the_other_bodies(arena_of: Make, kind: str) -> None:
    with pytest.raises(AssertionError):
        bodies.windows_hold(arena_of(kind, naive=True), steps=20, seed=1)
    with pytest.raises(AssertionError):
        bodies.refunds_are_few(arena_of(kind, naive=True, script=bodies.always(bodies.NOT_SENT)))
    with pytest.raises(AssertionError):
        bodies.lost_answers_are_not_refunded(
            arena_of(kind, naive=True, script=bodies.always(TimeoutError())), operations=1
        )
    with pytest.raises(AssertionError):
        bodies.a_key_sends_once(arena_of(kind, naive=True), keys=1)
    with pytest.raises(AssertionError):
        bodies.spellings_share_one_budget(arena_of(kind, naive=True))
