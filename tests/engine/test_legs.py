"""Each leg of a send is its provider's own: judged by the breaker of its channel, given the parameters that it knows.

Rules of this file: the vendors say what they are told to; the breakers' clock is a number that nobody moves.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore import Approved, AsyncEngine, Engine, Refusal, Refused, Sent
from otpcore.contract import Accepted, CodeOwner, Failure, FailureKind, ProviderCapabilities, SendEffect, SendRequest
from otpcore.hookspecs import Event, hookimpl
from otpcore.plugins import Plugins
from otpcore.routing import Leg, Routing, Rule
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import PEPPER
from tests.numbers import phone

COLOURS = ("blocking", "awaiting", "awaiting a blocking provider")
colours = pytest.mark.parametrize("colour", COLOURS)
UNREACHABLE = Failure(FailureKind.CHANNEL_UNREACHABLE, SendEffect.NOT_SENT)
MISCONFIGURED = Failure(FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)


class Vendor:
    """Accepts, unless it is told what to say on a channel; keeps what it is asked."""

    def __init__(self, *names: str, silent: bool = False, **says: Failure) -> None:
        can = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms", "call"}))
        self.capabilities = can if silent else replace(can, extra_names=frozenset(names))
        self.says = says
        self.asked: list[SendRequest] = []

    def send(self, request: SendRequest) -> Accepted | Failure:
        self.asked.append(request)
        return self.says.get(request.channel, Accepted("m1"))

    def close(self) -> None:
        """Nothing is open."""


class AsyncVendor:
    """The same, awaited."""

    def __init__(self, vendor: Vendor) -> None:
        self.capabilities = vendor.capabilities
        self.vendor = vendor

    async def send(self, request: SendRequest) -> Accepted | Failure:
        return self.vendor.send(request)

    async def close(self) -> None:
        self.vendor.close()


class Desk:
    """An engine of a colour over these vendors."""

    def __init__(self, colour: str, *rules: Rule, **vendors: Vendor) -> None:
        self.colour = colour
        self.vendors = vendors
        given: Any = {n: AsyncVendor(one) for n, one in vendors.items()} if colour == "awaiting" else vendors
        kind: Any = Engine if colour == "blocking" else AsyncEngine
        self.now, self.events = datetime(2030, 1, 1, tzinfo=UTC), list[Event]()
        plugins = Plugins()
        plugins.register(self, name="listener")
        more = {"routing": Routing(rules), "purposes": ("login", "payment"), "pepper": PEPPER, "plugins": plugins}
        self.engine = kind(MemoryStore(), given, clock=lambda: self.now, **more)

    @hookimpl
    def otpcore_observe(self, event: Event) -> None:
        self.events.append(event)

    def call(self, operation: str, *given: Any, **named: Any) -> Any:
        answer = getattr(self.engine, operation)(*given, **named)
        return answer if self.colour == "blocking" else asyncio.run(answer)

    def starts(self, times: int, first: int = 0, **named: Any) -> None:
        """Starts of somebody new each."""
        for place in range(first, first + times):
            self.call("start", phone(place), **named)

    def asked(self) -> dict[str, int]:
        """How often each vendor was asked."""
        return {name: len(one.asked) for name, one in self.vendors.items()}


# --- breakers ----------------------------------------------------------------------------------

SMS_THEN_CALLS = Rule(legs=(Leg("a", "sms"), Leg("b", "call"), Leg("c", "call")))


def calls_are_spared_when_messages_are_asked_for(colour: str) -> None:
    """b cannot call, which its first call says; whoever asks for a message meets it no more."""
    desk = Desk(colour, SMS_THEN_CALLS, a=Vendor(sms=UNREACHABLE), b=Vendor(call=MISCONFIGURED), c=Vendor())
    desk.starts(10)
    assert desk.asked() == {"a": 10, "b": 1, "c": 10}


@colours
def test_a_leg_is_spared_by_the_breaker_of_its_own_channel(colour: str) -> None:
    calls_are_spared_when_messages_are_asked_for(colour)


@colours
def test_a_leg_is_not_spared_by_the_breaker_of_the_channel_that_was_asked_for(colour: str) -> None:
    """b cannot send messages; its calls are as good as they were, whatever was asked for."""
    payments = Rule(legs=(Leg("b", "sms"),), purposes=frozenset({"payment"}))
    desk = Desk(colour, payments, SMS_THEN_CALLS, a=Vendor(sms=UNREACHABLE), b=Vendor(sms=MISCONFIGURED), c=Vendor())
    desk.starts(1, purpose="payment")
    desk.starts(9, first=1)
    assert desk.asked() == {"a": 9, "b": 10, "c": 0}


@colours
def test_a_provider_is_spared_on_the_channel_that_fails_and_asked_on_the_other(colour: str) -> None:
    legs = Rule(legs=(Leg("a", "sms"), Leg("a", "call"), Leg("b", "call")))
    desk = Desk(colour, legs, a=Vendor(sms=MISCONFIGURED), b=Vendor())
    desk.starts(3)
    assert [one.channel for one in desk.vendors["a"].asked] == ["sms", "call", "call"]
    assert desk.asked() == {"a": 3, "b": 1}


# --- provider-specific parameters ----------------------------------------------------------------

EMPTY = Failure(FailureKind.QUOTA_EXHAUSTED, SendEffect.NOT_SENT)
BOTH = {"Sender": "Shop", "brand": "The shop"}
KEYS = ("6f1c2a34-9b7d-4e58-8a10-3c5d7e9fb214", "0b0f4a7e-2f5c-4c55-9a9c-5d1f4b0f8f21")


def each_is_given_its_own(colour: str) -> None:
    """The first refuses whatever it is asked; the second is asked in its own words, and takes it."""
    desk = Desk(colour, a=Vendor("Sender", sms=EMPTY), b=Vendor("brand"), c=Vendor())
    for extra in ({"Sender": "Shop"}, BOTH):
        desk.starts(1, first=len(extra), extra=extra)
    asked = {name: [one.extra for one in vendor.asked] for name, vendor in desk.vendors.items()}
    assert asked == {"a": [{"Sender": "Shop"}], "b": [{}, {"brand": "The shop"}], "c": []}  # then a is spared


@colours
def test_each_leg_is_given_the_parameters_that_its_provider_understands(colour: str) -> None:
    each_is_given_its_own(colour)


@colours
def test_a_provider_that_does_not_say_is_given_them_all(colour: str) -> None:
    desk = Desk(colour, a=Vendor("Sender", sms=EMPTY), b=Vendor(silent=True))
    desk.starts(1, extra=BOTH | {"new": "1"})
    assert [one.extra for one in desk.vendors["b"].asked] == [BOTH | {"new": "1"}]


def what_nobody_understands(colour: str) -> None:
    """No ladder, no alert, no breaker: it is a mistake of whoever wrote the call."""
    desk = Desk(colour, a=Vendor("Sender"), b=Vendor("brand"))
    for _ in range(20):
        refused = desk.call("start", phone(0), extra=BOTH | {"Sendr": "Shop"})
        assert isinstance(refused, Refused)
        assert (refused.kind, refused.cause) == (Refusal.CONTENT_REJECTED, None)
        assert refused.detail == "No provider that this send may go through understands 'Sendr' in extra."
    assert desk.asked() == {"a": 0, "b": 0}
    assert {event.name for event in desk.events} == {"start.refused"}
    sent = desk.call("start", phone(0), extra=BOTH)
    assert isinstance(sent, Sent)
    assert sent.next.resend_at == desk.now + timedelta(minutes=2)  # the first step of the ladder


@colours
def test_a_parameter_that_nobody_understands_is_refused_and_nothing_is_counted(colour: str) -> None:
    what_nobody_understands(colour)


@colours
def test_a_parameter_of_a_way_that_this_send_does_not_have_is_not_understood(colour: str) -> None:
    payments = Rule(legs=(Leg("b"),), purposes=frozenset({"payment"}))
    desk = Desk(colour, payments, a=Vendor("Sender"), b=Vendor("brand"))
    refused = desk.call("start", phone(0), purpose="payment", extra=BOTH)
    assert isinstance(refused, Refused)
    assert "'Sender'" in refused.detail
    refused = desk.call("start", phone(0), purpose="payment", extra={"+12025550123": "Shop"})
    assert refused.detail == "No provider that this send may go through understands '+…' in extra."


@colours
def test_a_resend_may_be_given_what_its_start_was(colour: str) -> None:
    """The session is on b alone by then; what a would have understood is no mistake."""
    desk = Desk(colour, a=Vendor("Sender", sms=EMPTY), b=Vendor("brand"))
    token = desk.call("start", phone(0), extra=BOTH).session.token
    desk.now += timedelta(minutes=3)
    refused = desk.call("resend", token, phone(0), extra=BOTH | {"Sendr": "Shop"})
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.CONTENT_REJECTED
    assert refused.next.resend_at == desk.now
    resent = [desk.call("resend", token, phone(0), extra=BOTH, idempotency_key=KEYS[0]) for _ in range(2)]
    assert [(type(one), one.replayed) for one in resent] == [(Sent, False), (Sent, True)]
    assert [one.extra for one in desk.vendors["b"].asked] == [{"brand": "The shop"}] * 2
    other = desk.call("resend", token, phone(0), extra={"brand": "The shop"}, idempotency_key=KEYS[0])
    assert isinstance(other, Refused)
    assert other.kind is Refusal.IDEMPOTENCY_MISMATCH  # of the call, whatever its provider was given


def nothing_is_confirmed_beside(colour: str) -> None:
    """A payment, say: its provider would have compared it, and the core cannot."""
    desk = Desk(colour, a=Vendor("Amount", sms=EMPTY), b=Vendor())
    sent = desk.call("start", phone(0), extra={"Amount": "10"})
    code = desk.vendors["b"].asked[0].code
    refused = desk.call("check", sent.session.token, code, extra={"Amount": "99"})
    assert isinstance(refused, Refused), refused
    assert refused.kind is Refusal.CONTENT_REJECTED
    assert refused.next.checks_left == sent.next.checks_left
    assert isinstance(desk.call("check", sent.session.token, code), Approved)


@colours
def test_a_check_of_the_cores_code_confirms_nothing_in_extra(colour: str) -> None:
    nothing_is_confirmed_beside(colour)
