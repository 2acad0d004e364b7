"""Invariant 16: a provider call is made once, whatever becomes of it: by the engine, by the SDK and on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore import AsyncEngine, Engine, SendState, Sent, Wait
from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.conformance.provider.misbehaving import Scenario, cut, cut_mid_body, drip_headers, reply, serve
from otpcore.providers.fake import Exchange
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings
from tests.engine.colours import COLOURS, NUMBER, driven
from tests.numbers import phone

LOST: dict[str, Scenario] = {
    "a reset": cut,
    "a torn answer": cut_mid_body,
    "a 500": reply(WireAnswer(500)),
    "a 429": reply(WireAnswer(429, b"{}", {"Retry-After": "0"})),
    "a 503": reply(WireAnswer(503, b"{}", {"Retry-After": "0"})),
}
SID = "VE" + "a" * 32


def pending(_request: WireRequest) -> WireAnswer:
    return WireAnswer.of_json(201, {"sid": SID, "status": "pending"})


def an_engine(origin: str, *, awaiting: bool, timeout_s: float = 8.0) -> Engine | AsyncEngine:
    settings = TwilioSettings(
        account_sid="AC" + "0" * 32, auth_token=SecretStr("t" * 32), service_sid="VA" + "1" * 32, origin=origin
    )
    if awaiting:
        return AsyncEngine(MemoryStore(), AsyncTwilioProvider(settings), timeout_s=timeout_s)
    return Engine(MemoryStore(), TwilioProvider(settings), timeout_s=timeout_s)


def requests_of(scenario: Scenario, *, awaiting: bool) -> list[int]:
    """How many requests that change something arrive for a start and for a check that go wrong.

    Each goes over a connection that was used. A lost answer is asked about later, once, which changes nothing.
    """
    counts: list[int] = []
    with MisbehavingServer(pending) as server:

        async def calls() -> None:
            engine: Any = an_engine(server.origin, awaiting=awaiting)

            async def made(answer: Any) -> Any:
                return await answer if awaiting else answer

            sent = await made(engine.start(phone(1)))
            assert isinstance(sent, Sent)
            for operation, *given in (("start", phone(2)), ("check", sent.session.token, "123456")):
                server.scenario = scenario
                before = len(server.requests)
                await made(getattr(engine, str(operation))(*given))
                made_now = [one.method for one in server.requests[before:]]
                counts.append(made_now.count("POST"))
                assert made_now.count("GET") <= 1, made_now
                server.scenario = serve
            await made(engine.close())

        asyncio.run(calls())
    return counts


def wire_sees_each_call_once() -> None:
    for name, scenario in LOST.items():
        for awaiting in (False, True):
            assert requests_of(scenario, awaiting=awaiting) == [1, 1], (name, awaiting)


@pytest.mark.parametrize("awaiting", [False, True], ids=["blocking", "awaiting"])
@pytest.mark.parametrize("name", LOST)
def test_a_call_that_goes_wrong_is_seen_once_on_the_wire(name: str, awaiting: bool) -> None:
    """Invariant 16: neither the SDK nor what is below it asks again."""
    assert requests_of(LOST[name], awaiting=awaiting) == [1, 1]


def provider_is_called_once(colour: str) -> None:
    for outcome in (TimeoutError(), ConnectionError(), RuntimeError()):
        life = driven(colour, Exchange(script=lambda _, told=outcome: told))
        sent = life.call("start", NUMBER)
        assert life.vendor.calls["send"] == 1
        life.call("check", sent.session.token, "123456", recipient=NUMBER)
        assert life.vendor.calls["check"] == 1
        life.run(life.engine.close())


@pytest.mark.parametrize("colour", COLOURS)
def test_an_engine_calls_a_provider_that_fails_once(colour: str) -> None:
    """Invariant 16: whatever it raises, for a send as for a check."""
    provider_is_called_once(colour)


# --- and a lost send keeps its step ----------------------------------------------------------------

UNKNOWN = {name: LOST[name] for name in ("a reset", "a torn answer", "a 500", "a 503")} | {"slow loris": drip_headers}
HASTY_S = 0.4
"""The deadline of calls that meet a server which never ends its answer."""


async def lost_sends(name: str, count: int, *, awaiting: bool) -> tuple[int, int]:
    """Starts whose answers are lost, each asked for twice: what was not kept as unknown, and requests too many."""
    odd = 0
    with MisbehavingServer(pending) as server:
        timeout_s = HASTY_S if name == "slow loris" else 8.0
        engine: Any = an_engine(server.origin, awaiting=awaiting, timeout_s=timeout_s)

        async def started(number: str) -> Any:
            answer = engine.start(number)
            return await answer if awaiting else answer

        await started(phone(0))  # the SDK is loaded at first use, and that is no part of the deadline
        server.scenario = UNKNOWN[name]
        for each in range(1, count + 1):
            sent, again = await started(phone(each)), await started(phone(each))
            odd += not (isinstance(sent, Sent) and sent.state is SendState.UNKNOWN and isinstance(again, Wait))
        duplicates = len(server.requests) - 1 - count
        closed = engine.close()
        await closed if awaiting else None
    return odd, duplicates


@pytest.mark.parametrize("awaiting", [False, True], ids=["blocking", "awaiting"])
@pytest.mark.parametrize("name", UNKNOWN)
def test_a_send_whose_answer_is_lost_keeps_its_step_and_is_made_once(name: str, awaiting: bool) -> None:
    """S6, invariant 1: a thousand lost answers of a real server, 0 duplicates; of the slow one there are few."""
    count = 3 if name == "slow loris" else 125
    assert asyncio.run(lost_sends(name, count, awaiting=awaiting)) == (0, 0)
