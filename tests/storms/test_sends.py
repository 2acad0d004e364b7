"""S1, S2, S5, S6, S7, S11 under storms, in both colours, on every store.

Nightly runs have the figures of the requirements: 1,000 phones with 64 starts (S1), 100 histories of 50 steps (S2; the
sequential model test has the 10,000), 1,000 lost answers in five ways (S5, S6), 1,000 keys with 16 starts (S7), 23
spellings by ten users (S11). A CI run has 10 phones, 3 histories of 40 steps, 100 lost answers, 10 keys and ten users
over the memory store; 4 phones, one history of 12 steps, 20 lost answers, 4 keys and two users over each other one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otpcore.contract import CodeOwner
from otpcore.providers.fake_exchange import Outcome
from tests.places import KINDS
from tests.storms import bodies_sends as bodies
from tests.storms.arena import Arena, phone
from tests.storms.sizes import sized

CONTROLS = 20
MEMORY = ("memory-threads", "memory-tasks")
OTHERS = [kind for kind in KINDS if kind not in MEMORY]

Make = Callable[..., Arena]
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize(("kind", "phones"), sized(10, 4, 1000))
@pytest.mark.parametrize("owner", list(CodeOwner))
def test_of_many_starts_one_reaches_the_provider(arena_of: Make, kind: str, owner: CodeOwner, phones: int) -> None:
    bodies.one_send_of_many_starts(arena_of(kind, owner=owner), phones=phones)


@pytest.mark.parametrize(("kind", "histories"), sized((3, 40), (1, 12), (100, 50)))
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


@pytest.mark.parametrize(("kind", "operations"), sized(20, 4, 200))
@pytest.mark.parametrize("lost", bodies.LOST_ANSWERS, ids=lambda lost: type(lost).__name__)
def test_a_lost_answer_keeps_its_step_and_is_not_asked_for_again(
    arena_of: Make, kind: str, lost: Outcome, operations: int
) -> None:
    bodies.lost_answers_are_not_refunded(arena_of(kind, script=bodies.always(lost)), operations=operations)


@pytest.mark.parametrize(("kind", "keys"), sized(10, 4, 1000))
def test_an_idempotency_key_sends_once(arena_of: Make, kind: str, keys: int) -> None:
    bodies.a_key_sends_once(arena_of(kind), keys=keys)


@pytest.mark.parametrize(("kind", "users"), sized(10, 2, 10))
def test_spellings_and_users_share_one_budget(arena_of: Make, kind: str, users: int) -> None:
    assert len(set(bodies.SPELLINGS)) == 23
    bodies.spellings_share_one_budget(arena_of(kind), users=users)


# --- controls: the same bodies over a store without a guard ----------------------------------


@pytest.mark.parametrize("kind", MEMORY)
def test_a_store_without_a_guard_sends_too_often_every_time(arena_of: Make, kind: str) -> None:
    """T1, T2: the stores of a storm give way between load and commit, so 20 of 20 are caught."""
    for _ in range(CONTROLS):
        with pytest.raises(AssertionError):
            bodies.one_send_of_many_starts(arena_of(kind, naive=True), phones=1)


CAUGHT: dict[Callable[..., None], dict[str, int]] = {
    bodies.one_send_of_many_starts: {"phones": 3},
    bodies.lost_answers_are_not_refunded: {"operations": 3, "parties": 32},
    bodies.a_key_sends_once: {"keys": 3},
    bodies.spellings_share_one_budget: {"users": 2},
}
"""Bodies that a store without a guard fails wherever its records are, and their sizes."""


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("body", CAUGHT)
def test_without_its_guard_every_store_is_caught(arena_of: Make, kind: str, body: Callable[..., None]) -> None:
    """T1."""
    arena = arena_of(kind, naive=True)
    arena.started(phone(1999))  # tables are made at the first use, and whoever makes them holds up the others
    arena.exchange.script = bodies.always(TimeoutError()) if body is bodies.lost_answers_are_not_refunded else None
    with pytest.raises(AssertionError):
        body(arena, **CAUGHT[body])


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
