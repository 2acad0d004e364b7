"""One verification at a provider serves one purpose, for as long as it may live there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore import (
    Approved,
    CodeOwner,
    Ended,
    Engine,
    Refusal,
    Refused,
    SendState,
    Sent,
    SessionStatus,
    Status,
    Wait,
    WaitReason,
)
from otpcore.contract import Accepted, Conflict, Failure, SendRequest, Version, Versioned
from otpcore.errors import CommitUnknown, ConfigurationError, InvalidNumber, StoreUnavailable, UnknownPurpose
from otpcore.hookspecs import Guard, SendIntent, Verdict, hookimpl
from otpcore.phone import LineType, PhoneNumber
from otpcore.plugins import Plugins
from otpcore.policy import DEMO, TWILIO
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
    assert (held.reason, held.until) == (WaitReason.OTHER_PURPOSE, START + timedelta(minutes=12, seconds=13))
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
    with pytest.raises(StoreUnavailable):
        store.load("a/r/b")


@pytest.mark.parametrize("lag", [1, 5, 8])
def test_a_vendor_that_opens_later_than_was_reserved_never_lends_its_code_to_another_purpose(lag: int) -> None:
    """Trap 1: the vendor's ten minutes begin up to a deadline after ours."""
    now = [START]

    def slowly(_request: SendRequest) -> None:
        now[0] += timedelta(seconds=lag)

    provider = FakeProvider(clock=lambda: now[0])
    provider.before_send = slowly
    engine = Engine(MemoryStore(), provider, clock=lambda: now[0], purposes=("login", "payment"))
    engine.start(NUMBER, purpose="login")
    code = provider.code_for(NUMBER)
    for after in (600, 600 + lag, 612):
        now[0] = START + timedelta(seconds=after)
        assert isinstance(engine.start(NUMBER, purpose="payment"), Wait)
    now[0] = START + timedelta(seconds=613)
    payment = engine.start(NUMBER, purpose="payment")
    assert isinstance(payment, Sent)
    assert payment.next.expires_at is not None
    assert payment.next.expires_at > now[0]
    assert provider.code_for(NUMBER) != code
    assert not isinstance(engine.check(payment.session.token or "", code), Approved)


def test_a_provider_goes_on_with_a_verification_of_another_purpose_and_the_session_fails() -> None:
    now = [START]
    provider = FakeProvider(clock=lambda: START)  # its clock stands: it never lets go
    engine = Engine(MemoryStore(), provider, clock=lambda: now[0], purposes=("login", "payment"))
    engine.start(NUMBER, purpose="login")
    now[0] += timedelta(hours=2)
    ended = engine.start(NUMBER, purpose="payment")
    assert isinstance(ended, Ended)
    assert ended.status is SessionStatus.FAILED


def test_a_handle_that_no_record_may_keep_is_an_answer_that_cannot_be_trusted() -> None:
    class Odd(FakeProvider):
        odd: Any = None

        def send(self, request: SendRequest) -> Accepted | Failure:
            super().send(request)
            return Accepted(self.odd)

    for handle in (123, object(), "\ud800", "x" * 101):
        provider = Odd()
        provider.odd = handle
        engine = Engine(MemoryStore(), provider)
        sent = engine.start(NUMBER)
        assert isinstance(sent, Sent)
        assert sent.state is SendState.UNKNOWN
        assert isinstance(engine.status(sent.session.token or ""), Status)


def test_a_lost_answer_and_then_no_store_is_an_unknown_commit() -> None:
    class Fading(MemoryStore):
        gone = False

        def load(self, key: str) -> Versioned | None:
            if self.gone:
                raise StoreUnavailable
            return super().load(key)

        def commit(
            self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
        ) -> Version | Conflict:
            super().commit(key, data, expect=expect, gc_at=gc_at)
            self.gone = True
            raise CommitUnknown

    with pytest.raises(CommitUnknown):
        Engine(Fading(), FakeProvider(owner=CodeOwner.CORE)).start(NUMBER)


def test_a_stores_own_error_reaches_the_caller_and_is_not_its_own_cause() -> None:
    class Down(MemoryStore):
        def commit(
            self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
        ) -> Version | Conflict:
            raise StoreUnavailable from ConnectionError()

    with pytest.raises(StoreUnavailable) as caught:
        Engine(Down(), FakeProvider(owner=CodeOwner.CORE)).start(NUMBER)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_key_that_is_older_than_a_day_passes_no_guard_over() -> None:
    now = [START]
    asked: list[SendIntent] = []

    class Denies:
        @hookimpl
        def otpcore_guard_send(self, intent: SendIntent) -> Verdict | None:
            asked.append(intent)
            return Verdict(Guard.DENY) if len(asked) > 1 else None

    plugins = Plugins()
    plugins.register(Denies(), name="denies")
    engine = Engine(MemoryStore(), FakeProvider(), plugins=plugins, clock=lambda: now[0])
    key = "6f1c2a34-9b7d-4e58-8a10-3c5d7e9fb214"
    assert isinstance(engine.start(NUMBER, idempotency_key=key), Sent)
    now[0] += timedelta(hours=25)
    late = engine.start(NUMBER, idempotency_key=key)
    assert isinstance(late, Refused)
    assert late.kind is Refusal.DENIED_BY_GUARD


def test_a_source_is_told_when_it_may_ask_again() -> None:
    """Invariant 15: a source's share counts in what it is told."""
    now = [START]
    engine = Engine(MemoryStore(), FakeProvider(), profile=TWILIO, clock=lambda: now[0])
    told = START
    for _ in range(4):
        sent = engine.start(NUMBER, source="203.0.113.7", by_recipient=True)
        assert isinstance(sent, Sent)
        assert sent.next.resend_at is not None
        told, now[0] = sent.next.resend_at, min(sent.next.resend_at, now[0] + timedelta(minutes=2))
    assert told == START + timedelta(hours=24)


@pytest.mark.parametrize("text", ["+12025550123 ", "+1-202-555-0123", "2025550123", "+1202555012\uff13"])
def test_a_number_is_made_in_one_spelling_only(text: str) -> None:
    """Invariant 11."""
    with pytest.raises(InvalidNumber):
        PhoneNumber(text, "US", LineType.MOBILE)


def test_what_an_end_user_sends_as_its_address_breaks_nothing() -> None:
    assert isinstance(Engine(MemoryStore(), FakeProvider()).start(NUMBER, source="\ud800"), Sent)
    with pytest.raises(UnknownPurpose) as caught:
        Engine(MemoryStore(), FakeProvider()).start("login", purpose=NUMBER)
    assert "2025550123" not in str(caught.value)
