"""One verification at a provider serves one purpose, for as long as it may live there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from otpcore import Approved, Engine, Refusal, Refused, SendState, Sent, Wait, WaitReason
from otpcore.contract import SendRequest
from otpcore.errors import ConfigurationError
from otpcore.policy import DEMO
from otpcore.providers.console import ConsoleProvider
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore

NUMBER = "+12025550123"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_verification_that_a_lost_send_may_have_opened_keeps_other_purposes_away_for_its_longest_life() -> None:
    """Trap 1, invariant 8: expiry counts from the earliest send that may have opened it, the hold from the latest."""
    now = [START]
    lose = [True]

    def before(_request: SendRequest) -> None:
        if lose:
            lose.clear()
            raise RuntimeError

    provider = FakeProvider(clock=lambda: now[0])
    provider.before_send = before
    engine = Engine(MemoryStore(), provider, clock=lambda: now[0], purposes=("login", "payment"))
    lost = engine.start(NUMBER)
    assert isinstance(lost, Sent)
    assert lost.state is SendState.UNKNOWN
    engine.check(lost.session.token or "", "000000", recipient=NUMBER)
    now[0] += timedelta(minutes=2)
    login = engine.start(NUMBER)
    assert isinstance(login, Sent)
    code = provider.code_for(NUMBER)
    held = engine.start(NUMBER, purpose="payment")
    assert isinstance(held, Wait)
    assert (held.reason, held.until) == (WaitReason.OTHER_PURPOSE, START + timedelta(minutes=12))
    now[0] = held.until
    payment = engine.start(NUMBER, purpose="payment")
    assert isinstance(payment, Sent)
    assert payment.next.expires_at is not None
    assert payment.next.expires_at > now[0]
    assert provider.code_for(NUMBER) != code
    assert not isinstance(engine.check(payment.session.token or "", code or ""), Approved)


def test_the_demo_profile_is_refused_where_nothing_stands_in_for_a_vendor() -> None:
    with pytest.raises(ConfigurationError, match="for demonstrations"):
        Engine(MemoryStore(), ConsoleProvider(), profile=DEMO)
    Engine(MemoryStore(), FakeProvider(), profile=DEMO)


def test_a_holder_who_names_another_number_is_told_what_can_be_done() -> None:
    engine = Engine(MemoryStore(), FakeProvider(), clock=lambda: START)
    sent = engine.start(NUMBER)
    assert isinstance(sent, Sent)
    for refused in (
        engine.resend(sent.session.token or "", "+12025550124"),
        engine.check(sent.session.token or "", "000000", recipient="+12025550124"),
    ):
        assert isinstance(refused, Refused)
        assert refused.kind is Refusal.RECIPIENT_MISMATCH
        assert (refused.next.checks_left, refused.next.expires_at) == (5, START + timedelta(minutes=10))


def test_a_store_is_closed_although_a_provider_fails_to_close() -> None:
    class Stuck(FakeProvider):
        def close(self) -> None:
            raise OSError

    store = MemoryStore()
    with pytest.raises(OSError):  # the one that the provider raised
        Engine(store, Stuck()).close()
    from otpcore.errors import StoreUnavailable

    with pytest.raises(StoreUnavailable):
        store.load("a/r/b")
