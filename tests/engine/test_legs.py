"""Each leg of a send is its provider's own: judged by the breaker of its channel, given the parameters that it knows.

Rules of this file: the vendors say what they are told to; the breakers' clock is a number that nobody moves.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from otpcore import AsyncEngine, Engine
from otpcore.contract import Accepted, CodeOwner, Failure, FailureKind, ProviderCapabilities, SendEffect, SendRequest
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

    def __init__(self, **says: Failure) -> None:
        self.capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms", "call"}))
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
        more = {"routing": Routing(rules), "purposes": ("login", "payment"), "pepper": PEPPER}
        self.engine = kind(MemoryStore(), given, **more)

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
