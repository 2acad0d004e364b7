"""A provider that hangs, resets, answers garbage, 401, 429 or 5xx: an answer with next actions, nothing lost.

The Twilio adapter meets the same faults on the wire in its own distribution's tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from otpcore.contract import (
    CheckAnswer,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    FailureScope,
    SendEffect,
    SendRequest,
)
from otpcore.engine import AsyncEngine
from otpcore.model import SendState
from otpcore.providers.fake import AsyncFakeProvider
from otpcore.providers.fake_exchange import Outcome
from otpcore.results import Approved, Ended, Refused, Sent, Status, Undecided, Wait
from otpcore.stores.memory import MemoryStore
from tests.storms.arena import Arena, checking, phone, resending, token_of
from tests.storms.bodies_sends import LOST_ANSWERS, always

Make = Callable[..., Arena]

REFUSALS: list[tuple[str, Failure]] = [
    ("401", Failure(FailureKind.MISCONFIGURED, SendEffect.NOT_SENT, "check the credentials", "20003")),
    (
        "429",
        Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, retry_after=timedelta(minutes=9)),
    ),
    (
        "429 of the recipient",
        Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, scope=FailureScope.RECIPIENT),
    ),
    ("invalid", Failure(FailureKind.INVALID_RECIPIENT, SendEffect.NOT_SENT)),
    ("fraud", Failure(FailureKind.FRAUD_SUSPECTED, SendEffect.NOT_SENT)),
]
each_owner = pytest.mark.parametrize("owner", list(CodeOwner))


def left_of(arena: Arena, token: str) -> int | None:
    status = arena.run(lambda engine: engine.status(token))
    assert isinstance(status, Status)
    return status.next.checks_left


@each_owner
@pytest.mark.parametrize("lost", LOST_ANSWERS, ids=lambda lost: type(lost).__name__)
def test_a_lost_answer_to_a_send_keeps_step_and_session(arena_with: Make, owner: CodeOwner, lost: Outcome) -> None:
    arena = arena_with(owner=owner, script=always(lost))
    sent = arena.start(phone(0))
    assert isinstance(sent, Sent)
    assert sent.state is SendState.UNKNOWN
    assert sent.next.resend_at == arena.clock.now + arena.profile.ladder[0]
    assert sent.next.checks_left == arena.profile.checks_per_session
    assert sent.next.expires_at is not None
    assert isinstance(arena.start(phone(0)), Wait)
    assert arena.exchange.calls["send"] == 1
    arena.exchange.script = None
    if arena.exchange.outbox:  # the message had left, so its code opens the session
        answer = arena.run(checking(token_of(sent), arena.right_code(phone(0)), recipient=phone(0)))
        assert isinstance(answer, Approved)


@each_owner
@pytest.mark.parametrize(("name", "refusal"), REFUSALS, ids=lambda each: each if isinstance(each, str) else "")
def test_a_definite_refusal_gives_the_step_back_and_says_when(
    arena_with: Make, owner: CodeOwner, name: str, refusal: Failure
) -> None:
    arena = arena_with(owner=owner, script=always(refusal))
    answer = arena.start(phone(0))
    assert isinstance(answer, Refused)
    assert answer.kind.value == refusal.kind.value
    assert answer.detail == refusal.detail
    assert answer.cause is refusal
    assert answer.next.resend_at == arena.clock.now + (refusal.retry_after or timedelta(0))
    arena.exchange.script = None
    assert isinstance(arena.start(phone(0)), Sent), "a send that was not made cost a step"


@each_owner
def test_a_failed_resend_leaves_the_code_that_the_person_holds(arena_with: Make, owner: CodeOwner) -> None:
    for outcome in (*LOST_ANSWERS[:1], *(refusal for _, refusal in REFUSALS)):
        arena = arena_with(owner=owner)
        token = token_of(arena.started(phone(0)))
        held = arena.right_code(phone(0))
        arena.clock.advance(arena.profile.ladder[0])
        arena.exchange.script = {phone(0): outcome}
        assert isinstance(arena.run(resending(token, phone(0))), Sent | Refused)
        arena.exchange.script = None
        assert isinstance(arena.run(checking(token, held)), Approved), outcome


@pytest.mark.parametrize("lost", [TimeoutError(), ConnectionResetError(), ValueError(), CheckVerdict.UNKNOWN], ids=repr)
def test_a_lost_answer_to_a_check_costs_its_try_and_approves_nobody(arena_with: Make, lost: Outcome) -> None:
    arena = arena_with(owner=CodeOwner.PROVIDER)
    token = token_of(arena.started(phone(0)))
    right = arena.right_code(phone(0))
    arena.exchange.script = always(lost)
    answer = arena.run(checking(token, right))
    assert isinstance(answer, Undecided)
    assert answer.next.checks_left == 4
    assert answer.next.resend_at is not None
    arena.exchange.script = None
    assert isinstance(arena.run(checking(token, right)), Approved)


@pytest.mark.parametrize("verdict", [CheckVerdict.DENIED, CheckVerdict.THROTTLED])
def test_a_check_that_was_not_compared_costs_no_try(arena_with: Make, verdict: CheckVerdict) -> None:
    arena = arena_with(owner=CodeOwner.PROVIDER)
    token = token_of(arena.started(phone(0)))
    arena.exchange.script = always(CheckAnswer(verdict, detail="check the credentials"))
    for _ in range(7):
        answer = arena.run(checking(token, "123456"))
        assert isinstance(answer, Refused)
        assert answer.detail == "check the credentials"
        assert answer.next.checks_left == 5
    arena.exchange.script = None
    assert isinstance(arena.run(checking(token, arena.right_code(phone(0)))), Approved)


@pytest.mark.parametrize("verdict", [CheckVerdict.GONE, CheckVerdict.EXPIRED, CheckVerdict.EXHAUSTED])
def test_a_verification_that_is_over_at_the_provider_ends_the_session(arena_with: Make, verdict: CheckVerdict) -> None:
    arena = arena_with(owner=CodeOwner.PROVIDER)
    token = token_of(arena.started(phone(0)))
    arena.exchange.script = always(verdict)
    answer = arena.run(checking(token, "123456"))
    assert isinstance(answer, Ended)
    assert answer.next.checks_left == 0
    assert answer.next.resend_at is not None


@pytest.mark.parametrize("garbage", [None, True, "accepted", {"sid": "x"}, CheckVerdict.APPROVED], ids=repr)
def test_a_value_that_is_no_answer_is_an_unknown_outcome(
    arena_with: Make, monkeypatch: pytest.MonkeyPatch, garbage: Any
) -> None:
    arena = arena_with(owner=CodeOwner.PROVIDER)
    token = token_of(arena.started(phone(1)))

    def answer(_request: object) -> Any:
        return garbage

    monkeypatch.setattr(arena.exchange, "send", answer)
    monkeypatch.setattr(arena.exchange, "check", answer)
    sent = arena.start(phone(0))
    assert isinstance(sent, Sent)
    assert sent.state is SendState.UNKNOWN
    assert isinstance(arena.run(checking(token, "123456")), Undecided)
    assert left_of(arena, token) == 4


async def _hang(_request: SendRequest) -> None:
    await asyncio.Event().wait()


def test_a_provider_that_hangs_is_left_at_the_deadline() -> None:
    async def run() -> tuple[object, object]:
        provider = AsyncFakeProvider()
        provider.before_send = _hang
        engine = AsyncEngine(MemoryStore(), provider, timeout_s=0.01)
        answers = await engine.start(phone(0)), await engine.start(phone(0))
        await engine.close()
        return answers

    first, second = asyncio.run(run())
    assert isinstance(first, Sent)
    assert first.state is SendState.UNKNOWN
    assert isinstance(second, Wait)
