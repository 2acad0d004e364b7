"""Every channel through the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests

from otpcore import Approved, ByRecipient, Refused, Sent, Undecided, Wait
from otpcore.results import Refusal, Wrong
from otpcore_twilio.emulator import Emulator, Options, serve

PHONE = "+12025550123"
EMAIL = "ann@example.com"
NO_CODE = "0000"
"""A silent authentication has none; the core wants one that could be."""

ALL = ("sms", "call", "whatsapp", "email", "sna", "auto")
Desks = Callable[..., Any]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One whose account has every channel."""
    with serve(Options(channels=frozenset(ALL))) as running:
        yield running


def opened(url: str, **query: str) -> str:
    """What the phone reads at the URL: the token of the silent authentication."""
    return dict(parse_qsl(requests.get(url, params=query, timeout=10).text)).get("SnaClientToken", "")


@pytest.mark.parametrize("channel", ["sms", "call", "whatsapp"])
def test_a_code_goes_out_on_the_channel_that_was_asked_for(desk: Desks, emulator: Emulator, channel: str) -> None:
    here = desk(channels=ALL)
    sent = here.start(PHONE, channel=channel)
    assert isinstance(sent, Sent)
    assert [message.channel for message in emulator.inbox(PHONE)] == [channel]
    assert isinstance(here.check(sent.session.token, here.codes()[0]), Approved)


def test_auto_goes_out_as_twilio_chooses(desk: Desks) -> None:
    with serve(Options(channels=frozenset({"sms", "auto"}))) as other:
        settings = {"origin": other.url, "account_sid": other.account_sid, "service_sid": other.service_sid}
        here = desk(channels=("auto",), auth_token=other.auth_token, **settings)
        sent = here.start(PHONE, channel="auto", extra={"DeviceIp": "192.0.2.1"})
        assert sent.native.channel == "sms"
        assert isinstance(here.check(sent.session.token, other.latest_code(PHONE)), Approved)


@pytest.mark.parametrize("channel", ["sna", "auto"])
def test_a_silent_authentication_is_approved_by_its_token_once_the_phone_has_spoken(desk: Desks, channel: str) -> None:
    here = desk(channels=ALL)
    sent = here.start(PHONE, channel=channel)
    token, url = sent.session.token, sent.native.sna["url"]
    waiting = here.check(token, NO_CODE, extra={"SnaClientToken": "not-yet-known"})
    assert isinstance(waiting, Refused)
    assert (waiting.kind, waiting.next.checks_left) == (Refusal.RATE_LIMITED, 5), "nothing was tried"
    silent = opened(url)
    assert isinstance(here.check(token, NO_CODE, extra={"SnaClientToken": "another"}), Wrong)
    assert not isinstance(here.check(token, NO_CODE), Approved | Undecided), "a code is a wrong one"
    assert isinstance(here.check(token, NO_CODE, extra={"SnaClientToken": silent}), Approved)


def test_a_carrier_that_does_not_confirm_the_number_is_a_wrong_try(desk: Desks) -> None:
    here = desk(channels=ALL)
    sent = here.start(PHONE, channel="sna")
    silent = opened(sent.native.sna["url"], code="60500")
    answer = here.check(sent.session.token, NO_CODE, extra={"SnaClientToken": silent})
    assert isinstance(answer, Wrong)
    assert answer.next.checks_left == 4


def test_a_code_goes_out_to_an_address(desk: Desks, emulator: Emulator) -> None:
    here = desk(channels=ALL)
    refused = here.start(PHONE, channel="email")
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.INVALID_RECIPIENT
    assert emulator.inbox() == ()
    sent = here.start(EMAIL, channel="email")
    assert isinstance(sent, Sent)
    assert [(message.to, message.channel) for message in emulator.inbox()] == [(EMAIL, "email")]
    assert isinstance(here.start("Ann@Example.com", channel="email"), Wait)
    emulator.clock.advance(150)
    assert isinstance(here.resend(sent.session.token, EMAIL), Sent)
    first, second = here.codes(EMAIL)
    assert first == second, "Twilio sends its own code again"
    assert isinstance(here.check(sent.session.token, f"{(int(first) + 1) % 10**6:06}"), Wrong)
    assert isinstance(here.check(sent.session.token, first), Approved)


def test_a_session_of_an_address_needs_no_token(desk: Desks) -> None:
    here = desk(channels=ALL)
    assert isinstance(here.start(EMAIL, channel="email", by_recipient=True), Sent)
    assert isinstance(here.check(ByRecipient("ann@EXAMPLE.com"), here.codes(EMAIL)[0]), Approved)


def test_a_channel_that_is_not_declared_is_refused_by_the_core(desk: Desks, emulator: Emulator) -> None:
    here = desk(channels=("sms",))
    refused = here.start(PHONE, channel="call")
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.CHANNEL_UNSUPPORTED
    assert emulator.inbox() == ()
