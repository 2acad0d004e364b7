"""How the record changes, one function at a time: settled once, refunded once, ended once."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from otpcore.contract import CodeOwner
from otpcore.ledger import (
    adopt,
    approve,
    checks_left,
    claim,
    claims_open,
    end,
    forget,
    left_open,
    next_actions,
    reserve,
    settle_check,
    settle_send,
    unlock,
)
from otpcore.machine import CheckEvent, SendEvent, SessionEvent
from otpcore.model import Check, CheckState, Code, Handle, RecipientRecord, SendState, Session, SessionStatus
from otpcore.policy import DEFAULT
from tests.properties.world import EPOCH

LIFE = timedelta(seconds=600)


def session(owner: CodeOwner = CodeOwner.CORE, **changes: Any) -> Session:
    codes = (
        (Code(generation=1, send="s1", digest="d", kid="k", expires_at=EPOCH + LIFE),)
        if owner is CodeOwner.CORE
        else ()
    )
    made = Session(id="n1", purpose="login", owner=owner, provider="vendor", expires_at=EPOCH + LIFE, codes=codes)
    return made.but(**changes)


def reserved(owner: CodeOwner = CodeOwner.CORE) -> RecipientRecord:
    return reserve(RecipientRecord(), DEFAULT, session(owner), now=EPOCH, send="s1", source="")


def settled(record: RecipientRecord, event: SendEvent, send: str = "s1") -> RecipientRecord:
    mark = next((one for one in record.sends if one.id == send), None)
    if mark is None:
        return record
    return settle_send(record, DEFAULT, mark, event, now=EPOCH, handle="h", lifetime=None)


def test_a_reservation_takes_the_step_and_the_place_under_the_cap_at_once() -> None:
    """Invariant 1."""
    record = reserved()
    assert (record.ladder.count, record.ladder.next_at) == (1, EPOCH + DEFAULT.ladder[0])
    assert [send.state for send in record.sends] == [SendState.RESERVED]


def test_the_same_refusal_told_64_times_refunds_once() -> None:
    """S5, invariant 1: never below zero."""
    record = reserved()
    for _ in range(64):
        record = settled(record, SendEvent.DEFINITELY_REFUSED)
    assert record.ladder.count == 0
    assert sum(send.refunded for send in record.sends) == 1


@pytest.mark.parametrize("order", sorted(set(permutations([SendEvent.ANSWER_LOST, SendEvent.DEFINITELY_REFUSED]))))
def test_an_unknown_send_is_never_refunded(order: tuple[SendEvent, ...]) -> None:
    """Trap 4: unknown to refused gives nothing back; a refusal first gives back once."""
    record = reserved()
    for event in order:
        record = settled(record, event)
    assert record.ladder.count == (0 if order[0] is SendEvent.DEFINITELY_REFUSED else 1)


def test_answers_in_any_order_and_number_refund_at_most_once_and_verify_nothing() -> None:
    """S15, S5: 10^4 random sequences of what may be told of one send."""
    draw = random.Random(15)
    for _ in range(10_000):
        record = reserved()
        for event in draw.choices(list(SendEvent), k=6):
            record = settled(record, event)
        assert record.ladder.count in (0, 1)
        assert sum(send.refunded for send in record.sends) <= 1
        assert record.sessions[0].status in (SessionStatus.PENDING, SessionStatus.FAILED)


@pytest.mark.parametrize("event", list(SessionEvent))
@pytest.mark.parametrize("status", [each for each in SessionStatus if each is not SessionStatus.PENDING])
def test_what_ended_ends_no_second_time(status: SessionStatus, event: SessionEvent) -> None:
    """Invariant 4: the record is the very same object, so nothing is written."""
    over = session(status=status)
    record = RecipientRecord(sessions=(over,))
    assert end(record, over, event, by="x", now=EPOCH) is record


def test_a_success_clears_the_ladder_and_the_row_and_nothing_else() -> None:
    """Invariant 6: sends stay under the cap, failures of the day stay failures."""
    record = settled(reserved(), SendEvent.ACCEPTED)
    record = claim(record, record.sessions[0], now=EPOCH, check="c1", source="", state=CheckState.WRONG)
    record = approve(record, record.sessions[0], by="c2", now=EPOCH)
    assert (record.ladder.count, record.ladder.next_at, record.consecutive) == (0, None, 0)
    assert (len(record.sends), len(record.checks)) == (1, 1)
    assert record.sessions[0].codes == ()
    assert record.ladder.epoch == 1


def test_a_try_is_spent_when_claimed_and_returns_only_when_it_was_never_made() -> None:
    """Invariant 3."""
    record = adopt(
        reserved(CodeOwner.PROVIDER),
        DEFAULT,
        session(CodeOwner.PROVIDER),
        handle="h",
        send=None,
        lifetime=LIFE,
        now=EPOCH,
    )
    live = record.sessions[0]
    record = claim(record, live, now=EPOCH, check="c1", source="")
    assert (checks_left(record, live, DEFAULT), claims_open(record, live), record.handles[0].checks) == (4, True, 1)
    back = settle_check(record, DEFAULT, record.checks[0], None, now=EPOCH)
    assert (checks_left(back, live, DEFAULT), back.consecutive, back.handles[0].checks) == (5, 0, 0)
    lost = settle_check(record, DEFAULT, record.checks[0], CheckEvent.ANSWER_LOST, now=EPOCH)
    assert (checks_left(lost, live, DEFAULT), lost.checks[0].state) == (4, CheckState.UNKNOWN)


def test_the_last_try_ends_a_session_only_when_no_claim_is_open() -> None:
    """Trap 7."""
    live = session(CodeOwner.PROVIDER, handle="h")
    checks = tuple(Check(id=f"c{n}", at=EPOCH, state=CheckState.CLAIMED, session="n1") for n in range(5))
    record = RecipientRecord(sessions=(live,), checks=checks)
    for check in checks[:4]:
        record = settle_check(record, DEFAULT, check, CheckEvent.FOUND_WRONG, now=EPOCH)
        assert record.sessions[0].is_live
    record = settle_check(record, DEFAULT, checks[4], CheckEvent.FOUND_WRONG, now=EPOCH)
    assert record.sessions[0].status is SessionStatus.MAX_ATTEMPTS_REACHED


def test_forgetting_keeps_limits_without_ids_and_verifications_until_their_window_is_over() -> None:
    """Invariant 10, trap 1, L5."""
    record = reserved(CodeOwner.PROVIDER)
    kept = forget(record)
    assert (kept.sessions, kept.keys) == ((), ())
    assert [send.id for send in kept.sends] == [""]
    assert kept.ladder == record.ladder
    assert [(one.id, one.purpose) for one in kept.handles] == [("", "login")]


def test_unlocking_clears_failures_and_gives_no_tries_back() -> None:
    """Invariant 5."""
    record = settled(reserved(), SendEvent.ACCEPTED)
    for n in range(3):
        record = claim(record, record.sessions[0], now=EPOCH, check=f"c{n}", source="", state=CheckState.WRONG)
    free = unlock(record)
    assert (free.consecutive, checks_left(free, free.sessions[0], DEFAULT)) == (0, 2)
    assert free.ladder == record.ladder


def test_what_is_left_open_is_joined_to_what_was_left_behind() -> None:
    """Trap 1: one verification, counted once; it may have been opened first or last."""
    left = Handle(provider="vendor", id="", purpose="login", first_at=EPOCH, sends=2, checks=3)
    record = left_open(
        RecipientRecord(handles=(left,)),
        provider="vendor",
        handle="h",
        purpose="login",
        at=EPOCH + timedelta(seconds=30),
        lifetime=LIFE,
    )
    assert record.handles == (left.but(id="h", last_at=EPOCH + timedelta(seconds=30), sends=3),)
    late = left_open(record, provider="vendor", handle="h", purpose="login", at=EPOCH, lifetime=LIFE)
    assert late.handles == (left.but(id="h", last_at=EPOCH + timedelta(seconds=30), sends=4),)


def test_the_next_actions_say_when_and_how_often() -> None:
    """Invariant 15."""
    record = settled(reserved(), SendEvent.ACCEPTED)
    told = next_actions(record, record.sessions[0], DEFAULT, now=EPOCH)
    assert (told.resend_at, told.checks_left, told.expires_at) == (EPOCH + DEFAULT.ladder[0], 5, EPOCH + LIFE)
    bound = EPOCH + timedelta(hours=1)
    assert next_actions(record, None, DEFAULT, now=EPOCH, not_before=bound).resend_at == bound
    locked = record.but(consecutive=100)
    assert next_actions(locked, None, DEFAULT, now=EPOCH).resend_at is None
