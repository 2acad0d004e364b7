"""S15 under storms: receipts at once, repeated and contradicting, amid checks; and what the vendor hears meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from otpcore import Approved, Ended, Received
from otpcore.contract import CodeOwner
from otpcore.model import SendState
from otpcore.receipts import DeliveryState, Outcome
from tests.numbers import phone
from tests.places import KINDS
from tests.storms.arena import Arena, Call, checking, token_of

Make = Callable[..., Arena]
each_kind = pytest.mark.parametrize("kind", KINDS)
PARTIES = 48


def hearing(arena: Arena, state: DeliveryState) -> Call:
    message = arena.exchange.outbox[-1]
    request = arena.exchange.receipts.of(message.handle, message.recipient, state)
    return lambda engine: engine.receipt(None, request)


def told_at_once(arena: Arena) -> None:
    """S15: a good end and a bad one, each in many copies: at most one change to each, and the good one stays."""
    arena.started(phone(0))
    states = [DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.SENT] * (PARTIES // 3)
    random.Random(15).shuffle(states)
    results = arena.at_once([hearing(arena, state) for state in states])
    assert all(isinstance(result, Received) for result in results), results
    assert 1 <= sum(result.applied for result in results) <= 2
    assert [send.state for record in arena.records() for send in record.sends] == [SendState.DELIVERED]


def told_amid_checks(arena: Arena) -> None:
    """S15, V2: receipts among right codes: one approval, and the vendor hears of one."""
    token = token_of(arena.started(phone(0)))
    right = arena.right_code(phone(0))
    calls = [checking(token, right), hearing(arena, DeliveryState.FAILED), hearing(arena, DeliveryState.READ)]
    results = arena.at_once(calls * (PARTIES // 3))
    assert sum(isinstance(result, Approved) for result in results) == 1
    assert sum(isinstance(result, Ended) for result in results) == PARTIES // 3 - 1
    assert sum(result.applied for result in results if isinstance(result, Received)) <= 2
    assert [outcome for _, outcome in arena.exchange.reported] == [Outcome.APPROVED]


@each_kind
@pytest.mark.parametrize("owner", list(CodeOwner))
def test_receipts_at_once_end_in_one_state(arena_of: Make, kind: str, owner: CodeOwner) -> None:
    told_at_once(arena_of(kind, owner=owner))


@each_kind
def test_receipts_amid_checks_take_no_part_in_them(arena_of: Make, kind: str) -> None:
    told_amid_checks(arena_of(kind))


@pytest.mark.parametrize("kind", ["memory-threads", "memory-tasks"])
def test_a_store_without_a_guard_fails_both_bodies(arena_of: Make, kind: str) -> None:
    """T1."""
    for body in (told_at_once, told_amid_checks):
        with pytest.raises(AssertionError):
            body(arena_of(kind, naive=True))
