"""A provider has stopped the sends to a recipient: both engines ask nobody else, breakers or not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore import AsyncEngine, Engine, Refusal, Refused, Sent
from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.routing import Leg, Routing, Rule, Strategy
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import NUMBER, PEPPER
from tests.numbers import phone

COLOURS = ("blocking", "awaiting", "awaiting a blocking provider")
WEIGHTED = Routing((Rule(legs=(Leg("a", weight=1), Leg("b", weight=1)), strategy=Strategy.WEIGHTED),))


class Scene:
    """An engine over "a", which says what it is told to, and "b", which accepts."""

    def __init__(self, colour: str, routing: Routing | None, said: list[Any]) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        make = AsyncFakeProvider if colour == "awaiting" else FakeProvider
        kind: Any = Engine if colour == "blocking" else AsyncEngine
        self.a: Any = make(owner=CodeOwner.CORE, script=lambda _: said.pop(0) if said else None)
        self.b: Any = make(owner=CodeOwner.CORE)
        self.engine = kind(
            MemoryStore(), {"a": self.a, "b": self.b}, routing=routing, pepper=PEPPER, clock=lambda: self.now
        )
        self.colour = colour

    def call(self, operation: str, *given: Any, **named: Any) -> Any:
        answer = getattr(self.engine, operation)(*given, **named)
        return answer if self.colour == "blocking" else asyncio.run(answer)

    def asked(self) -> tuple[int, int]:
        return self.a.calls["send"], self.b.calls["send"]


@pytest.mark.parametrize("kind", [FailureKind.FRAUD_SUSPECTED, FailureKind.OPTED_OUT])
@pytest.mark.parametrize("colour", COLOURS)
def test_weights_are_no_way_around_a_suspicion(colour: str, kind: FailureKind) -> None:
    scene = Scene(colour, WEIGHTED, [kind] * 50)
    while not scene.asked()[0]:
        scene.call("start", NUMBER)
        scene.now += timedelta(days=2)
    scene.now -= timedelta(days=2)
    others = scene.asked()[1]
    for _ in range(20):
        scene.now += timedelta(minutes=65)
        result = scene.call("start", NUMBER)
        assert isinstance(result, Refused)
        assert result.kind is Refusal(kind.value)
    assert scene.asked() == (21, others)
    assert isinstance(scene.call("start", phone(7)), Sent | Refused)
    scene.call("close")


@pytest.mark.parametrize("colour", COLOURS)
def test_a_breaker_is_no_way_around_it_either(colour: str) -> None:
    """Somebody else's failure moves the provider to the end of the route."""
    scene = Scene(colour, None, [FailureKind.FRAUD_SUSPECTED, FailureKind.QUOTA_EXHAUSTED, FailureKind.FRAUD_SUSPECTED])
    assert isinstance(scene.call("start", NUMBER), Refused)
    assert isinstance(scene.call("start", phone(7)), Sent)
    assert isinstance(scene.call("start", phone(8)), Sent)
    assert scene.asked() == (2, 2)
    assert isinstance(scene.call("start", NUMBER), Refused)
    assert scene.asked() == (3, 2)
    assert isinstance(scene.call("start", NUMBER), Sent)
    assert scene.asked() == (4, 2)
    scene.call("close")


@pytest.mark.parametrize("colour", COLOURS)
def test_an_answer_whose_message_may_be_out_stops_as_well(colour: str) -> None:
    fraud = Failure(FailureKind.FRAUD_SUSPECTED, SendEffect.UNKNOWN)
    scene = Scene(colour, None, [fraud, FailureKind.QUOTA_EXHAUSTED])
    scene.call("start", NUMBER)
    scene.call("start", phone(7))
    scene.now += timedelta(hours=2)
    scene.call("start", NUMBER)
    assert scene.asked() == (3, 1)
    scene.call("close")
