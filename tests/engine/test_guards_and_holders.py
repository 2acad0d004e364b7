"""Guards judge sends that would be made, and nobody learns of a session that is not theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from otpcore import CodeOwner, Ended, Engine, NotFound, Refusal, Refused, Sent, Wait, WaitReason, Wrong
from otpcore.codes import Token
from otpcore.hookspecs import Guard, SendIntent, Verdict, hookimpl
from otpcore.plugins import Plugins
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore

NUMBER, OTHER = "+12025550123", "+12025550124"
KEY = "6f1c2a34-9b7d-4e58-8a10-3c5d7e9fb214"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class MindChanger:
    """A guard whose verdict a test sets."""

    def __init__(self) -> None:
        self.verdict: Verdict | None = None
        self.asked = 0

    @hookimpl
    def otpcore_guard_send(self, intent: SendIntent) -> Verdict | None:
        self.asked += 1
        return self.verdict


class Scene:
    def __init__(self) -> None:
        self.now = START
        self.guard = MindChanger()
        plugins = Plugins()
        plugins.register(self.guard, name="mind-changer")
        self.provider = FakeProvider(owner=CodeOwner.CORE, clock=lambda: self.now)
        self.engine = Engine(MemoryStore(), self.provider, plugins=plugins, clock=lambda: self.now)

    def started(self, **asked: str) -> Sent:
        sent = self.engine.start(NUMBER, **asked)  # type: ignore[arg-type]  # only texts are given here
        assert isinstance(sent, Sent)
        return sent


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_repeated_start_is_answered_as_before_although_the_guard_has_changed_its_mind(scene: Scene) -> None:
    first = scene.started(idempotency_key=KEY)
    scene.guard.verdict = Verdict(Guard.DENY, "no more")
    again = scene.started(idempotency_key=KEY)
    assert (again.session.token, again.replayed) == (first.session.token, True)
    assert len(scene.provider.outbox) == 1
    fresh = scene.engine.start(OTHER, idempotency_key=KEY)
    assert isinstance(fresh, Refused)
    assert fresh.kind is Refusal.DENIED_BY_GUARD


def test_a_session_that_is_over_is_over_whatever_a_guard_says(scene: Scene) -> None:
    sent = scene.started()
    scene.engine.cancel(sent.session.token or "")
    scene.guard.verdict = Verdict(Guard.DENY, "no more")
    assert isinstance(scene.engine.resend(sent.session.token or "", NUMBER), Ended)


def test_a_guard_holds_until_its_time_and_no_longer(scene: Scene) -> None:
    scene.guard.verdict = Verdict(Guard.HOLD, "busy", START + timedelta(minutes=1))
    held = scene.engine.start(NUMBER)
    assert isinstance(held, Wait)
    assert (held.reason, held.until, held.retry_after_s) == (WaitReason.GUARD, START + timedelta(minutes=1), 60)
    scene.now += timedelta(minutes=1)
    assert isinstance(scene.engine.start(NUMBER), Sent)


def test_a_source_that_used_its_share_of_failures_is_told_until_when(scene: Scene) -> None:
    sent = scene.started()
    for _ in range(5):
        assert isinstance(scene.engine.check(sent.session.token or "", "000000", source="203.0.113.7"), Wrong)
    scene.now += timedelta(minutes=2)
    second = scene.started()
    locked = scene.engine.check(second.session.token or "", "000000", source="203.0.113.7")
    assert isinstance(locked, Refused)
    assert locked.kind is Refusal.LOCKED
    assert locked.next.locked_until == START + timedelta(hours=24)
    assert isinstance(scene.engine.check(second.session.token or "", "000000", source="198.51.100.9"), Wrong)


@pytest.mark.parametrize("number", [NUMBER, OTHER])
def test_who_forges_a_token_of_a_known_record_learns_nothing_of_its_number(scene: Scene, number: str) -> None:
    """V12: the record's key stands in logs; without the secret half it opens nothing, not even a mismatch."""
    sent = scene.started()
    true = Token.parse(sent.session.token)
    assert true is not None
    forged = str(Token(true.key, true.session, "A" * 24))
    assert scene.engine.resend(forged, number) == NotFound()
    assert scene.engine.check(forged, "000000", recipient=number) == NotFound()
    holder = scene.engine.resend(str(true), OTHER)
    assert isinstance(holder, Refused)
    assert holder.kind is Refusal.RECIPIENT_MISMATCH
