"""What must hold when many send at once: S1, S2, S5, S6, S7, S11 of the requirements.

Rules of this file: as for `bodies_checks`.
"""

from __future__ import annotations

import os
import random
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from otpcore.contract import Failure, FailureKind, SendEffect
from otpcore.model import SendState
from otpcore.policy import DAY
from otpcore.providers.fake_exchange import Outcome, Script
from otpcore.results import Approved, Refused, Sent, Wait, WaitReason
from tests.storms.arena import Arena, checking, outcomes_of, phone, resending, starting, token_of
from tests.storms.bodies_checks import most_in_a_day

__all__ = [
    "LOST_ANSWERS",
    "SPELLINGS",
    "a_key_sends_once",
    "a_refusal_is_refunded_once",
    "always",
    "lost_answers_are_not_refunded",
    "one_send_of_many_starts",
    "refunds_are_few",
    "spellings_share_one_budget",
    "windows_hold",
]

NOT_SENT: Final = Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)

LOST_ANSWERS: Final[tuple[Outcome, ...]] = (
    TimeoutError("read timed out"),
    ConnectionResetError("reset by peer"),
    Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, provider_code="20500"),
    ValueError("Expecting value: line 1 column 1"),
    FailureKind.TIMEOUT,
)
"""A hang, a reset, a 5xx, garbage, and a provider that says so itself."""

SPELLINGS: Final = (
    *("+12025550123", "+1 202 555 0123", "+1-202-555-0123", "+1.202.555.0123", "+1 (202) 555-0123"),
    *("+1 202-555-0123", "+1 202.555.0123", "+1(202)5550123", "+1 2025550123", "+1-2025550123"),
    *("+1 202 5550123", "+1202 5550123", "+1202-555-0123", "+1202 555 0123", "+1 (202) 5550123"),
    *("+1(202)555-0123", "+1(202)555 0123", "+1-202-5550123", "+1.2025550123", "+1 202555 0123"),
    *("+1 202555-0123", "+1202555 0123", "+1202.555.0123"),
)
"""23 ways to write one number."""


def always(outcome: Outcome) -> Script:
    """A script that orders one outcome of everything."""
    return lambda _request: outcome


def one_send_of_many_starts(arena: Arena, *, phones: int, parties: int = 64) -> None:
    """S1: of `parties` starts of one phone at once exactly one reaches the provider, for every phone."""
    for number in range(phones):
        before = arena.exchange.calls["send"]
        results = arena.at_once([starting(phone(number))] * parties)
        assert arena.exchange.calls["send"] - before == 1
        assert outcomes_of(results) == {"Sent": 1, "Wait": parties - 1}
        until = arena.clock.now + arena.profile.ladder[0]
        assert {result.until for result in results if isinstance(result, Wait)} == {until}


def windows_hold(arena: Arena, *, steps: int, seed: int, parties: int = 8) -> None:
    """S2: whatever is asked at once and whenever: at most 4 sends in 24 h without a success, at most 10 in all."""
    drawn = random.Random(seed)  # a history that can be told again
    number, token = phone(0), ""
    sends, run, runs = list[datetime](), list[datetime](), list[list[datetime]]()
    for _ in range(steps):
        before = len(arena.exchange.outbox)
        calls = [starting(number) for _ in range(parties)]
        if token:
            calls[: parties // 2] = [resending(token, number)] * (parties // 2)
        for result in arena.at_once(calls):
            assert not isinstance(result, Exception), result
            token = token_of(result) if isinstance(result, Sent) else token
        now = [arena.clock.now] * (len(arena.exchange.outbox) - before)
        sends += now
        run += now
        if token and drawn.random() < 0.3:
            code = arena.right_code(number) if drawn.random() < 0.5 else arena.wrong_code(number)
            if isinstance(arena.run(checking(token, code)), Approved):
                runs.append(run)
                run = []
        arena.clock.advance(seconds=drawn.choice((1, 60, 120, 299, 300, 900, 3600, 6 * 3600, 86_399, 86_400)))
    for one in (*runs, run):
        assert most_in_a_day(one) <= len(arena.profile.ladder), "too many sends without a success"
    assert most_in_a_day(sends) <= arena.profile.daily_cap, "too many sends in a day"
    assert len(sends) >= steps // 10, "a history of refusals shows nothing"


def refunds_are_few(arena: Arena, *, parties: int = 64) -> None:
    """S5: definite refusals are given back three times an hour, so a storm costs four calls. Needs `NOT_SENT`."""
    results = arena.at_once([starting(phone(0))] * parties)
    outcomes = outcomes_of(results)
    assert outcomes["Refused"] + outcomes["Wait"] == parties, outcomes
    allowed = arena.profile.refunds_per_hour + 1
    assert arena.exchange.calls["send"] == outcomes["Refused"] <= allowed, outcomes
    later = outcomes_of([arena.start(phone(0)) for _ in range(allowed)])
    assert later["Wait"] >= 1, "a step that was refunded too often was given back"
    assert arena.exchange.calls["send"] == outcomes["Refused"] + later["Refused"] == allowed


def a_refusal_is_refunded_once(arena: Arena, *, parties: int = 64) -> None:
    """S5: a definite refusal of the second send, told `parties` times at once, gives one step back.

    Equal entropy makes the calls one operation, of which the provider's answer arrives in `parties` copies.
    """
    number, (first, second, *_) = phone(0), arena.profile.ladder
    token = token_of(arena.started(number))
    arena.clock.advance(first)
    arena.exchange.script, arena.entropy = {number: NOT_SENT}, bytes
    assert outcomes_of(arena.at_once([resending(token, number)] * parties)) == {"Refused": parties}
    arena.exchange.script, arena.entropy = None, os.urandom
    again = arena.run(resending(token, number))
    assert isinstance(again, Sent), "the step was not given back"
    assert again.next.resend_at == arena.clock.now + second, "the step of the first send was given back too"


def lost_answers_are_not_refunded(arena: Arena, *, operations: int, parties: int = 4) -> None:
    """S5, S6: a lost answer keeps the step and is asked for once. Needs a script that loses every answer."""
    for number in range(operations):
        results = arena.at_once([starting(phone(number))] * parties)
        assert outcomes_of(results) == {"Sent": 1, "Wait": parties - 1}
        assert {result.state for result in results if isinstance(result, Sent)} == {SendState.UNKNOWN}
        wait = arena.start(phone(number))
        assert isinstance(wait, Wait)
        assert wait.until == arena.clock.now + arena.profile.ladder[0]
        assert wait.reason is WaitReason.LADDER
    assert arena.exchange.calls["send"] == operations


def a_key_sends_once(arena: Arena, *, keys: int, parties: int = 16) -> None:
    """S7: of `parties` starts with one idempotency key one sends, and all answer with the same token."""
    drawn = random.Random(5)  # the same keys in every run
    for number in range(keys):
        key = str(uuid.UUID(int=drawn.getrandbits(128), version=4))
        before = arena.exchange.calls["send"]
        results = arena.at_once([starting(phone(number), idempotency_key=key)] * parties)
        assert outcomes_of(results) == {"Sent": parties}, outcomes_of(results)
        sent = [result for result in results if isinstance(result, Sent)]
        assert Counter(one.replayed for one in sent) == {False: 1, True: parties - 1}
        assert len({one.session.token for one in sent}) == 1
        arena.clock.advance(hours=23)
        assert isinstance(arena.start(phone(number), idempotency_key=key, purpose="payment"), Refused)
        assert arena.exchange.calls["send"] - before == 1


def spellings_share_one_budget(arena: Arena, *, users: int = 10) -> None:
    """S11: 23 spellings of one number, asked for by ten users each, share the budget of one number."""
    calls = [starting(text, source=f"user-{user}") for text in SPELLINGS for user in range(users)]
    began = arena.clock.now
    for wait in (*arena.profile.ladder[:-1], timedelta(hours=2)):
        results = arena.at_once(calls)
        assert outcomes_of(results) == {"Sent": 1, "Wait": len(calls) - 1}
        arena.clock.advance(wait)
    assert outcomes_of(arena.at_once(calls)) == {"Wait": len(calls)}
    assert arena.clock.now - began < DAY
    assert len(arena.messages("+12025550123")) == len(arena.exchange.outbox) == len(arena.profile.ladder)
