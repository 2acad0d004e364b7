"""Providers that were left behind, and receipts that were faster than the settlement, in every colour."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore import Approved, AsyncEngine, Engine, Received, SendState, Sent
from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.model import RecipientRecord
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.receipts import DeliveryState, Outcome
from otpcore.routing import Leg, Routing, Rule
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import NUMBER, PEPPER

COLOURS = ("blocking", "awaiting", "awaiting a blocking provider")
colours = pytest.mark.parametrize("colour", COLOURS)

FOLLOWS = Routing((Rule(legs=(Leg("a"), Leg("b")), failover_on_undelivered=timedelta(minutes=2)),))


@dataclass
class Scene:
    """An engine over the vendors "a" and "b"."""

    colour: str
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        make: Any = AsyncFakeProvider if self.colour == "awaiting" else FakeProvider
        self.a, self.b = (make(owner=CodeOwner.CORE, clock=self.clock) for _ in "ab")
        kind: Any = Engine if self.colour == "blocking" else AsyncEngine
        self.store = MemoryStore()
        providers = {"a": self.a, "b": self.b}
        self.engine = kind(self.store, providers, pepper=PEPPER, clock=self.clock, **self.given)

    def clock(self) -> datetime:
        return self.now

    def call(self, operation: str, *given: Any) -> Any:
        return self.run(getattr(self.engine, operation)(*given))

    def run(self, answer: Any) -> Any:
        return answer if self.colour == "blocking" else asyncio.run(answer)

    def states(self) -> list[SendState]:
        ((_, entry),) = self.store.scan("", 10)
        return [send.state for send in RecipientRecord.decode(entry.data).sends]


def left(colour: str) -> None:
    """A breaker moves the resend: the vendor that is left hears that its code is over, and of the end nothing more."""
    scene = Scene(colour)
    sent = scene.call("start", NUMBER)
    broken = Failure(FailureKind.DESTINATION_BLOCKED, SendEffect.NOT_SENT)
    breakers = scene.engine._driver.breakers
    breakers.heard("a", "sms", "US", broken, began=breakers.clock(), timeout_s=8.0)
    scene.now = sent.next.resend_at
    again = scene.call("resend", sent.session.token, NUMBER)
    assert isinstance(again, Sent)
    assert again.session.provider == "b"
    assert scene.a.reported == ((scene.a.outbox[0].handle, Outcome.CANCELED),)
    assert isinstance(scene.call("check", sent.session.token, scene.b.code_for(NUMBER)), Approved)
    assert scene.a.calls["report_outcome"] == 1
    assert scene.b.reported == ((scene.b.outbox[0].handle, Outcome.APPROVED),)


@colours
def test_a_vendor_that_a_resend_leaves_hears_that_its_code_is_over(colour: str) -> None:
    left(colour)


def followed(colour: str) -> None:
    """The vendor whose message did not arrive hears of it when another one has accepted."""
    scene = Scene(colour, {"routing": FOLLOWS, "keep_number": True})
    sent = scene.call("start", NUMBER)
    told = scene.a.receipt(scene.a.outbox[0], DeliveryState.UNDELIVERED)
    assert scene.call("receipt", "a", told) == Received(1, 0, 0, 1)
    assert scene.a.reported == ((scene.a.outbox[0].handle, Outcome.CANCELED),)
    assert isinstance(scene.call("check", sent.session.token, scene.b.code_for(NUMBER)), Approved)
    assert scene.b.reported == ((scene.b.outbox[0].handle, Outcome.APPROVED),)


@colours
def test_a_vendor_whose_message_did_not_arrive_hears_that_its_code_is_over(colour: str) -> None:
    followed(colour)


@colours
def test_a_vendor_that_fails_to_hear_of_it_takes_no_answer_away(colour: str) -> None:
    scene = Scene(colour, {"routing": FOLLOWS, "keep_number": True})
    scene.call("start", NUMBER)

    def report_outcome(*_: object) -> bool:
        raise RuntimeError(NUMBER)

    scene.a.exchange.report_outcome = report_outcome
    told = scene.a.receipt(scene.a.outbox[0], DeliveryState.UNDELIVERED)
    assert scene.call("receipt", "a", told) == Received(1, 0, 0, 1)


def early(colour: str) -> None:
    """The vendor tells of the end while its answer is on its way; told again, it is taken, and followed."""
    scene = Scene(colour, {"routing": FOLLOWS, "keep_number": True})
    seen: list[Any] = []
    told: list[Any] = []

    def hasty(call: Any) -> Any:
        def send(request: Any) -> Any:
            answer = call(request)
            told.append(scene.a.receipt(scene.a.outbox[0], DeliveryState.UNDELIVERED))
            seen.append(scene.call("receipt", "a", told[0]))
            return answer

        return send

    async def hasty_too(request: Any) -> Any:
        answer = await awaited(request)
        told.append(scene.a.receipt(scene.a.outbox[0], DeliveryState.UNDELIVERED))
        seen.append(await scene.engine.receipt("a", told[0]))
        return answer

    awaited = scene.a.send
    if colour == "awaiting":
        scene.a.send = hasty_too
    else:
        scene.a.send = hasty(scene.a.send)
    scene.call("start", NUMBER)
    assert seen == [Received(0, 0, early=1)]
    assert scene.b.calls["send"] == 0
    assert scene.call("receipt", "a", told[0]) == Received(1, 0, 0, 1)
    assert scene.states() == [SendState.UNDELIVERED, SendState.ACCEPTED]


@colours
def test_an_end_that_overtakes_the_answer_is_taken_when_it_is_told_again(colour: str) -> None:
    early(colour)
