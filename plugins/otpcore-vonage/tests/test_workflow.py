"""Verifications from start to end: both engines, the embedded store, http and TLS, through the real SDK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore import Approved, CodeOwner, Ended, Refused, SendState, Sent, SessionStatus, Wait, Wrong
from otpcore.policy import DEFAULT
from otpcore.ports import Failure, FailureKind, SendEffect
from otpcore.providers.fake import FakeProvider
from otpcore.results import Refusal, WaitReason
from otpcore_vonage.fake import FakeVonage

PHONE = "+12025550123"
Desks = Callable[..., Any]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def test_start_wrong_and_right(desk: Desks) -> None:
    here = desk()
    sent = here.start(PHONE)
    assert isinstance(sent, Sent)
    assert sent.state is SendState.ACCEPTED
    (code,) = here.codes()
    assert len(code) == 6
    assert isinstance(here.check(sent.session.token, wrong(code)), Wrong)
    assert isinstance(here.check(sent.session.token, code), Approved)
    assert isinstance(here.check(sent.session.token, code), Ended), "once"
    assert here.vonage.live() == []


def test_a_resend_moves_the_verification_to_its_next_channel(desk: Desks, vonage: FakeVonage) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    vonage.advance(120)
    assert isinstance(here.resend(token, PHONE), Sent)
    assert here.channels() == ["sms", "voice"]
    assert vonage.exchanges[-1].path.endswith("/next_workflow")
    assert len(vonage.live()) == 1
    assert isinstance(here.check(token, here.codes()[0]), Approved)


def test_vonage_moves_on_by_itself_and_the_same_session_goes_on(desk: Desks, vonage: FakeVonage) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    vonage.advance(180)
    assert here.channels() == ["sms", "voice"]
    answer = here.resend(token, PHONE)
    assert isinstance(answer, Refused), "there is no further channel, and nothing was sent"
    assert answer.kind is Refusal.RATE_LIMITED
    assert isinstance(here.check(token, here.codes()[1]), Approved)


def test_it_does_not_move_where_it_shall_not(desk: Desks, vonage: FakeVonage) -> None:
    here = desk(moves=False, channel_timeout_s=120)
    assert here.provider.capabilities.extra_sends == 0
    here.start(PHONE)
    vonage.advance(180)
    assert here.channels() == ["sms"]
    assert vonage.live() == []


def test_after_its_window_a_new_verification_goes_on_with_the_ladder(desk: Desks, vonage: FakeVonage) -> None:
    here = desk()
    first = here.start(PHONE).session.token
    vonage.advance(359)
    assert isinstance(here.check(first, wrong(here.codes()[0])), Wrong), "alive to the last second"
    vonage.advance(1)
    assert isinstance(here.check(first, here.codes()[0]), Ended)
    second = here.start(PHONE)
    assert isinstance(second, Sent)
    now = datetime.fromtimestamp(vonage.now(), UTC)
    assert second.next.resend_at == now + timedelta(seconds=300), "the second wait"
    assert isinstance(here.check(second.session.token, here.codes()[-1]), Approved)


def test_the_window_takes_as_many_sends_as_the_workflow_has_steps(desk: Desks, vonage: FakeVonage) -> None:
    here = desk(channels=("sms", "sms"), channel_timeout_s=300, engine={"profile": replace(DEFAULT, ladder=())})
    token = here.start(PHONE).session.token
    vonage.advance(120)
    assert isinstance(here.resend(token, PHONE), Sent)
    vonage.advance(300)  # no ladder is in the way, and Vonage's verification is over before the core's clock says so
    waiting = here.resend(token, PHONE)
    assert isinstance(waiting, Wait)
    assert waiting.reason is WaitReason.PROVIDER_WINDOW
    assert here.channels() == ["sms", "sms"]


def test_a_verification_that_is_gone_is_replaced_by_a_resend(desk: Desks, vonage: FakeVonage) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    assert here.provider.cancel(vonage.live()[0], 5.0) is True
    vonage.advance(120)
    assert isinstance(here.resend(token, PHONE), Sent)
    assert here.channels() == ["sms", "sms"]
    assert isinstance(here.check(token, here.codes()[1]), Approved)


def test_too_many_wrong_codes_end_the_session_at_vonages_third(desk: Desks) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    code = here.codes()[0]
    assert [type(here.check(token, wrong(code))) for _ in range(3)] == [Wrong, Wrong, Ended]
    answer = here.check(token, code)
    assert isinstance(answer, Ended)
    assert answer.status is SessionStatus.MAX_ATTEMPTS_REACHED


def test_a_cancel_reaches_vonage(desk: Desks, vonage: FakeVonage) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    assert isinstance(here.cancel(token), Ended)
    assert vonage.live() == []
    vonage.advance(600)
    assert here.channels() == ["sms"], "no further step is taken"


def test_another_purpose_waits(desk: Desks, vonage: FakeVonage) -> None:
    here = desk(engine={"purposes": ("login", "payment")})
    here.start(PHONE)
    vonage.advance(130)
    waiting = here.start(PHONE, purpose="payment")
    assert isinstance(waiting, Wait)
    assert waiting.reason is WaitReason.OTHER_PURPOSE
    assert len(vonage.exchanges) == 1


@pytest.fixture
def owning(desk: Desks) -> Any:
    return desk(custom_code_enabled=True, engine={"code_owner": CodeOwner.CORE, "purposes": ("login", "payment")})


def test_a_code_of_the_core_is_the_one_that_goes_out_and_its_approval_ends_the_workflow(
    owning: Any, vonage: FakeVonage
) -> None:
    token = owning.start(PHONE).session.token
    (code,) = owning.codes()
    assert isinstance(owning.check(token, code), Approved)
    assert vonage.live() == []
    vonage.advance(600)
    assert owning.channels() == ["sms"], "nobody is called who is verified already"


def test_a_resend_of_a_code_of_the_core_has_a_verification_of_its_own(owning: Any, vonage: FakeVonage) -> None:
    token = owning.start(PHONE).session.token
    vonage.advance(120)
    assert isinstance(owning.resend(token, PHONE), Sent)
    first, second = owning.codes()
    assert first != second
    assert len(vonage.live()) == 1
    assert isinstance(owning.check(token, second), Approved)


def test_a_code_of_the_core_that_another_provider_replaces_ends_its_workflow(desk: Desks, vonage: FakeVonage) -> None:
    """Here a breaker moves the resend; Vonage would call the person with a code that is over."""
    other = FakeProvider(owner=CodeOwner.CORE)
    here = desk(custom_code_enabled=True, engine={"code_owner": CodeOwner.CORE, "beside": {"other": other}})
    token = here.start(PHONE).session.token
    breakers = here._engine._driver.breakers
    broken = Failure(FailureKind.DESTINATION_BLOCKED, SendEffect.NOT_SENT)
    breakers.heard("vonage", "sms", "US", broken, began=breakers.clock(), timeout_s=8.0)
    vonage.advance(120)
    assert here.resend(token, PHONE).session.provider == "other"
    assert vonage.live() == []
    vonage.advance(600)
    assert here.channels() == ["sms"], "nobody is called with it"
