"""Invariant 15: with every answer a session's holder is told of the next send, the tries that are left, and its end.

Rules of this file: each row makes one answer of a live session, or of a recipient; what is true of them all is said
once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from otpcore import (
    Approved,
    CodeOwner,
    Ended,
    Forgotten,
    Refusal,
    Refused,
    Sent,
    Status,
    Undecided,
    Unlocked,
    Wait,
    WaitReason,
    Wrong,
)
from otpcore.contract import CheckVerdict, Failure, FailureKind, SendEffect
from otpcore.engine.sync import Engine
from otpcore.hookspecs import Guard, SendIntent, Verdict, hookimpl
from otpcore.plugins import Plugins
from tests.properties.world import EPOCH, NUMBER, World

OTHER = "+12025550124"
KEY = "6f1c2a34-9b7d-4e58-8a10-3c5d7e9fb214"
LADDER = EPOCH + timedelta(minutes=2)
ENDS = EPOCH + timedelta(minutes=10)


class Judge:
    """A guard whose verdict a row sets."""

    verdict: Verdict | None = None

    @hookimpl
    def otpcore_guard_send(self, intent: SendIntent) -> Verdict | None:
        return self.verdict


class Scene:
    """A world with one live session that began at `EPOCH`; its provider owns the code."""

    def __init__(self) -> None:
        self.judge = Judge()
        plugins = Plugins()
        plugins.register(self.judge, name="judge")
        self.world = World(
            owner=CodeOwner.PROVIDER, make=lambda *given, **named: Engine(*given, plugins=plugins, **named)
        )
        self.engine = self.world.engine
        sent = self.engine.start(NUMBER, idempotency_key=KEY)
        assert isinstance(sent, Sent)
        self.sent = sent
        self.token = sent.session.token or ""

    def check(self, *orders: Any, **asked: Any) -> Any:
        self.world.orders[:] = orders
        return self.engine.check(self.token, "000000", **asked)

    def resend(self, *orders: Any, later: timedelta = timedelta(0), **asked: Any) -> Any:
        self.world.orders[:] = orders
        self.world.move(later)
        return self.engine.resend(self.token, NUMBER, **asked)

    def judged(self, guard: Guard) -> Any:
        self.judge.verdict = Verdict(guard, "no", EPOCH + timedelta(minutes=3))
        return self.resend()


def refused(answer: Any, kind: Refusal) -> Any:
    assert isinstance(answer, Refused)
    assert answer.kind is kind
    return answer


def locked(scene: Scene) -> Any:
    """Ten failures: five of this session, five of the next."""
    for wait in (0, 10):
        scene.world.move(timedelta(minutes=wait))
        sent = scene.engine.start(NUMBER) if wait else scene.sent
        assert isinstance(sent, Sent)
        for _ in range(5):
            assert isinstance(scene.engine.check(sent.session.token or "", "000000"), Wrong)
    return refused(scene.engine.start(NUMBER), Refusal.LOCKED)


TWO = timedelta(minutes=2)
LIVE: dict[str, tuple[type, Callable[[Scene], Any], int]] = {
    "a start": (Sent, lambda s: s.sent, 5),
    "a start that is repeated": (Sent, lambda s: s.engine.start(NUMBER, idempotency_key=KEY), 5),
    "a resend": (Sent, lambda s: s.resend(later=TWO), 5),
    "a resend whose answer is lost": (Sent, lambda s: s.resend(FailureKind.TIMEOUT, later=TWO), 5),
    "a resend too early": (Wait, lambda s: s.resend(), 5),
    "a resend that a guard holds": (Wait, lambda s: s.judged(Guard.HOLD), 5),
    "a resend that a guard denies": (Refused, lambda s: s.judged(Guard.DENY), 5),
    "a resend that the provider refuses": (
        Refused,
        lambda s: s.resend(Failure(FailureKind.OPTED_OUT, SendEffect.NOT_SENT), later=TWO),
        5,
    ),
    "a resend on no channel": (Refused, lambda s: s.resend(channel="pigeon"), 5),
    "a resend to another number": (Refused, lambda s: s.engine.resend(s.token, OTHER), 5),
    "a wrong code": (Wrong, lambda s: s.check(), 4),
    "a check whose answer is lost": (Undecided, lambda s: s.check(CheckVerdict.UNKNOWN), 4),
    "a check that the provider throttles": (Refused, lambda s: s.check(CheckVerdict.THROTTLED), 5),
    "a check that the provider denies": (Refused, lambda s: s.check(CheckVerdict.DENIED), 5),
    "a check for another number": (Refused, lambda s: s.check(recipient=OTHER), 5),
    "a status": (Status, lambda s: s.engine.status(s.token), 5),
}
OVER: dict[str, tuple[type, Callable[[Scene], Any]]] = {
    "a right code": (Approved, lambda s: s.engine.check(s.token, s.world.vendor.code_for(NUMBER))),
    "a cancel": (Ended, lambda s: s.engine.cancel(s.token)),
    "a verification that is gone": (Ended, lambda s: s.check(CheckVerdict.GONE)),
}
RECIPIENT: dict[str, tuple[type, Callable[[Scene], Any]]] = {
    "a start too early": (Wait, lambda s: s.engine.start(NUMBER)),
    "a start that the provider refuses": (
        Refused,
        lambda _: World(orders=[FailureKind.OPTED_OUT]).engine.start(NUMBER),
    ),
    "a key of another call": (Refused, lambda s: s.engine.start(NUMBER, channel="call", idempotency_key=KEY)),
    "an erasure": (Forgotten, lambda s: s.engine.forget(NUMBER)),
    "an unlocking": (Unlocked, lambda s: s.engine.unlock(NUMBER)),
}


def holder_is_told(name: str) -> None:
    kind, act, tries = LIVE[name]
    answer: Any = act(Scene())
    assert type(answer).__name__ == kind.__name__, answer
    assert (answer.next.checks_left, answer.next.expires_at) == (tries, ENDS)
    assert answer.next.resend_at is not None
    assert answer.next.resend_at >= LADDER


@pytest.mark.parametrize("name", LIVE)
def test_the_holder_of_a_live_session_is_told_what_comes_next(name: str) -> None:
    """Invariant 15: the next send, the tries that are left, and the end of the session, with each answer."""
    holder_is_told(name)


@pytest.mark.parametrize("name", OVER)
def test_the_holder_of_a_session_that_is_over_is_told_when_to_start_anew(name: str) -> None:
    """Invariant 15: no try is left of it, and it ends no more."""
    kind, act = OVER[name]
    answer: Any = act(Scene())
    assert type(answer).__name__ == kind.__name__, answer
    assert (answer.next.checks_left, answer.next.expires_at) == (0, None)
    assert answer.next.resend_at is not None


@pytest.mark.parametrize("name", RECIPIENT)
def test_an_answer_about_a_recipient_says_when_a_send_is_possible(name: str) -> None:
    """Invariant 15."""
    kind, act = RECIPIENT[name]
    answer: Any = act(Scene())
    assert type(answer).__name__ == kind.__name__, answer
    assert answer.next.resend_at is not None


def test_a_lock_says_until_when() -> None:
    """Invariant 15: and no send is possible before."""
    scene = Scene()
    answer = locked(scene)
    assert answer.next.locked_until == answer.next.resend_at == EPOCH + timedelta(hours=24)


def test_a_guard_that_holds_a_resend_says_until_when() -> None:
    """Invariant 15: the instant is the guard's, the rest is the session's."""
    answer = Scene().judged(Guard.HOLD)
    assert (answer.reason, answer.until) == (WaitReason.GUARD, EPOCH + timedelta(minutes=3))
    assert answer.next.resend_at == answer.until
