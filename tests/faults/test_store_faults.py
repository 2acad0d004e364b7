"""D6 and unknown commits: a store that fails at any of its calls costs at most a step or a try, and gives none.

The store fails at its n-th call and at every one behind it, or loses one answer, applied or not.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, product

import pytest

from otpcore.contract import CodeOwner
from otpcore.errors import StoreError, StoreFull, StoreUnavailable
from otpcore.results import Approved, Refused, Sent, Status, Wait, Wrong
from otpcore.stores.memory import MemoryStore
from tests.faults.failing import FailingStore
from tests.places import Place
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


# --- down ------------------------------------------------------------------------------------------


def down_amid_a_start(arena: Arena, store: FailingStore, number: str, call: int, error: Exception | None) -> None:
    """D6: nothing leaves of which the caller, or a later one, does not know."""
    store.told(down_from=call, error=error)
    refused = outcome_of(arena, starting(number))
    sent = len(arena.messages(number))
    if isinstance(refused, StoreError):
        assert number[-4:] not in str(refused)
        assert not sent, "sent, and the caller was told that it was not"
    store.told()
    assert sent <= 1
    if sent:
        assert isinstance(arena.start(number), Wait), "what was sent is not counted"


def down_amid_checks(arena: Arena, store: FailingStore, number: str, call: int, error: Exception | None) -> None:
    """D6: a try that was answered is spent, and a code is right once."""
    token = token_of(arena.started(number))
    wrong, right = arena.wrong_code(number), arena.right_code(number)
    store.told(down_from=call, error=error)
    revealed = isinstance(outcome_of(arena, checking(token, wrong)), Wrong)
    store.told()
    assert left_of(arena, token) in (5 - revealed, 4)
    store.told(down_from=call, error=error)
    approved = isinstance(outcome_of(arena, checking(token, right)), Approved)
    store.told()
    later = [arena.run(checking(token, right)) for _ in range(6)]
    assert approved + outcomes_of(later)["Approved"] <= 1


DOWN = [down_amid_a_start, down_amid_checks]


@each_owner
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", DOWN)
def test_a_store_that_goes_down_sends_nothing_uncounted_and_approves_nobody(
    arena_with: Make, owner: CodeOwner, error: Exception, call: int, body: Callable[..., None]
) -> None:
    store = FailingStore()
    body(arena_with(store, owner=owner), store, phone(0), call, error)


@pytest.mark.parametrize("body", DOWN)
def test_a_store_that_swallows_its_errors_is_caught(arena_with: Make, body: Callable[..., None]) -> None:
    """T1."""
    store = FailingStore()
    with pytest.raises(AssertionError):
        body(arena_with(store, owner=CodeOwner.CORE), store, phone(0), 1, None)


# --- lost answers ----------------------------------------------------------------------------------


def lost_amid_a_start(arena: Arena, store: FailingStore, number: str, commit: int, *, applied: bool) -> None:
    """One message, and it is counted."""
    store.told(lose=commit, applied=applied)
    assert isinstance(arena.start(number), Sent)
    store.told()
    assert len(arena.messages(number)) == 1
    assert isinstance(arena.start(number), Wait)


def lost_amid_checks(arena: Arena, store: FailingStore, number: str, commit: int, *, applied: bool) -> None:
    """One try, and one approval."""
    token = token_of(arena.started(number))
    store.told(lose=commit, applied=applied)
    assert isinstance(arena.run(checking(token, arena.wrong_code(number))), Wrong)
    store.told()
    assert left_of(arena, token) == 4
    right = arena.right_code(number)
    store.told(lose=commit, applied=applied)
    answers = [arena.run(checking(token, right)) for _ in range(3)]
    assert outcomes_of(answers)["Approved"] == 1


@each_owner
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("commit", [1, 2, 3])
@pytest.mark.parametrize("body", [lost_amid_a_start, lost_amid_checks])
def test_a_lost_answer_of_the_store_neither_gives_nor_forgets(
    arena_with: Make, owner: CodeOwner, *, applied: bool, commit: int, body: Callable[..., None]
) -> None:
    store = FailingStore()
    body(arena_with(store, owner=owner), store, phone(0), commit, applied=applied)


# --- the embedded stores ---------------------------------------------------------------------------


@each_owner
@pytest.mark.parametrize("kept_by", ["tinydb", "sqlite"])
def test_what_holds_over_the_memory_store_holds_over_a_file(
    arena_with: Make, place_of: Callable[[str], Place], kept_by: str, owner: CodeOwner
) -> None:
    """D6: at each of the store's calls."""
    store, numbers = FailingStore(place_of(kept_by).open()), map(phone, count())
    arena = arena_with(store, owner=owner)
    for call, error, down in product(CALLS, ERRORS, DOWN):
        down(arena, store, next(numbers), call, error)
    for commit, applied, lost in product((1, 2, 3), (True, False), (lost_amid_a_start, lost_amid_checks)):
        lost(arena, store, next(numbers), commit, applied=applied)


# --- and what else may be wrong with it ------------------------------------------------------------


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
