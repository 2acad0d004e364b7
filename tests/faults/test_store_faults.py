"""D6 and unknown commits: a store that fails at any of its calls costs at most a step or a try, and gives none.

The store fails at its n-th call and at every one behind it, or loses one answer, applied or not.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otpcore.contract import CodeOwner
from otpcore.errors import StoreError, StoreFull, StoreUnavailable
from otpcore.results import Approved, Refused, Sent, Status, Wait, Wrong
from otpcore.stores.memory import MemoryStore
from tests.faults.failing import FailingStore
from tests.storms.arena import Arena, Call, checking, outcomes_of, phone, starting, token_of

Make = Callable[..., Arena]

CALLS = range(1, 7)
"""More than an operation makes."""


ERRORS = [StoreUnavailable("down"), OSError("the disk is gone"), StoreFull("no room"), ValueError("a bug")]
each_owner = pytest.mark.parametrize("owner", list(CodeOwner))


def outcome_of(arena: Arena, call: Call) -> object:
    try:
        return arena.run(call)
    except StoreError as error:
        return error


def left_of(arena: Arena, token: str) -> int | None:
    status = arena.run(lambda engine: engine.status(token))
    assert isinstance(status, Status)
    return status.next.checks_left


@each_owner
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_goes_down_sends_nothing_uncounted(
    arena_with: Make, owner: CodeOwner, error: Exception, call: int
) -> None:
    store = FailingStore()
    arena = arena_with(store, owner=owner)
    store.told(down_from=call, error=error)
    refused = outcome_of(arena, starting(phone(0)))
    sent = len(arena.messages(phone(0)))
    if isinstance(refused, StoreError):
        assert phone(0)[-4:] not in str(refused)
        assert not sent, "sent, and the caller was told that it was not"
    store.told()
    assert sent <= 1
    if sent:
        assert isinstance(arena.start(phone(0)), Wait), "what was sent is not counted"


@each_owner
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_goes_down_approves_nobody(
    arena_with: Make, owner: CodeOwner, error: Exception, call: int
) -> None:
    store = FailingStore()
    arena = arena_with(store, owner=owner)
    token = token_of(arena.started(phone(0)))
    wrong, right = arena.wrong_code(phone(0)), arena.right_code(phone(0))
    store.told(down_from=call, error=error)
    revealed = isinstance(outcome_of(arena, checking(token, wrong)), Wrong)
    store.told()
    assert left_of(arena, token) in (5 - revealed, 4)
    store.told(down_from=call, error=error)
    approved = isinstance(outcome_of(arena, checking(token, right)), Approved)
    store.told()
    later = [arena.run(checking(token, right)) for _ in range(6)]
    assert approved + outcomes_of(later)["Approved"] <= 1


@each_owner
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_lost_answer_of_the_store_neither_sends_twice_nor_forgets(
    arena_with: Make, owner: CodeOwner, *, applied: bool, commit: int
) -> None:
    store = FailingStore()
    arena = arena_with(store, owner=owner)
    store.told(lose=commit, applied=applied)
    assert isinstance(arena.start(phone(0)), Sent)
    store.told()
    assert len(arena.messages(phone(0))) == 1
    assert isinstance(arena.start(phone(0)), Wait)


@each_owner
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_lost_answer_of_the_store_costs_one_try_and_approves_once(
    arena_with: Make, owner: CodeOwner, *, applied: bool, commit: int
) -> None:
    store = FailingStore()
    arena = arena_with(store, owner=owner)
    token = token_of(arena.started(phone(0)))
    store.told(lose=commit, applied=applied)
    assert isinstance(arena.run(checking(token, arena.wrong_code(phone(0)))), Wrong)
    store.told()
    assert left_of(arena, token) == 4
    right = arena.right_code(phone(0))
    store.told(lose=commit, applied=applied)
    answers = [arena.run(checking(token, right)) for _ in range(3)]
    assert outcomes_of(answers)["Approved"] == 1


def test_a_full_store_refuses_new_phones_and_serves_the_others(arena_with: Make) -> None:
    arena = arena_with(MemoryStore(max_records=1))
    token = token_of(arena.started(phone(0)))
    with pytest.raises(StoreFull):
        arena.run(starting(phone(1)))
    assert not arena.messages(phone(1))
    assert isinstance(arena.run(checking(token, arena.right_code(phone(0)))), Approved)


def test_a_store_that_was_closed_is_a_clear_error(arena_with: Make) -> None:
    store = MemoryStore()
    arena = arena_with(store)
    token = token_of(arena.started(phone(0)))
    store.close()
    for call in (starting(phone(0)), checking(token, "123456")):
        with pytest.raises(StoreUnavailable, match="closed"):
            arena.run(call)
    assert len(arena.messages(phone(0))) == 1


def test_a_damaged_record_is_refused_and_not_overwritten(arena_with: Make) -> None:
    store = MemoryStore()
    arena = arena_with(store)
    arena.started(phone(0))
    [(key, found)] = store.scan("", 10)
    store.commit(key, found.data[:-20], expect=found.version, gc_at=arena.clock.now)
    with pytest.raises(StoreError, match="damaged"):
        arena.start(phone(0))
    newer = found.data.replace(b'"v":3', b'"v":99')
    [(key, torn)] = store.scan("", 10)
    store.commit(key, newer, expect=torn.version, gc_at=arena.clock.now)
    with pytest.raises(StoreError, match="schema 99"):
        arena.start(phone(0))
    [(_, stands)] = store.scan("", 10)
    assert stands.data == newer
    assert not isinstance(arena.run(checking("otps_nonsense", "123456")), Refused)
    assert len(arena.exchange.outbox) == 1
