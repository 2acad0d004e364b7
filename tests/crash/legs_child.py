"""What the crash test of a move runs in a process of its own: `main(place, colour, log, owners, *points)`.

A start whose first provider refuses is killed at each step on its way to the second. The file that the providers write
is the truth about what was sent, and what the record then says is compared with it.

Rules of this file: each attempt is a fork; nothing is forked in the process of the tests.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from otpcore.contract import Accepted, CodeOwner, Failure, FailureKind, SendEffect, SendRequest
from otpcore.engine import AsyncEngine, Engine
from otpcore.flows import transact
from otpcore.flows.setup import held_by
from otpcore.model import RecipientRecord, SendState
from otpcore.phone import canonicalise
from otpcore.providers.fake import Exchange, FakeProvider
from otpcore.results import Sent, Wait
from tests.crash.deadly import Deaths, deadly, die
from tests.crash.forks import in_fork
from tests.places import Place
from tests.storms.arena import PEPPER, MovedClock, phone
from tests.storms.sent_log import append, read_log

__all__ = ["POINTS"]

POINTS: Final = ("in the first", "before the move", "after the move", "in the second", "before the settlement")
REFUSED: Final = Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)


class Vendor(FakeProvider):
    """Writes down what it delivers, and may die then."""

    def __init__(self, name: str, log: str, exchange: Exchange, dies: Callable[[], object]) -> None:
        super().__init__(exchange=exchange)
        self._name = name
        self._log = log
        self._dies = dies

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        if isinstance(answer, Accepted):
            at = self.exchange.outbox[-1].at.isoformat()
            append(self._log, recipient=request.recipient, code=self._name, at=at)
        self._dies()
        return answer


def nothing() -> None:
    """Lives on."""


def engine_of(
    place: Place, log: str, owners: tuple[CodeOwner, ...], clock: MovedClock, point: str = "", colour: str = "threads"
) -> Any:
    deaths = Deaths(
        before={"before the move": 2, "before the settlement": 3}.get(point, 0), after=2 * (point == "after the move")
    )
    first = Exchange(owner=owners[0], script=lambda _request: REFUSED if point else None, clock=clock)
    second = Exchange(owner=owners[1], clock=clock)
    providers = {
        "first": Vendor("first", log, first, die if point == "in the first" else nothing),
        "second": Vendor("second", log, second, die if point == "in the second" else nothing),
    }
    engine = AsyncEngine if colour == "tasks" else Engine
    return engine(deadly(place.opened(colour), deaths), providers, pepper=PEPPER, clock=clock)


def killed(
    place: Place, colour: str, log: str, owners: tuple[CodeOwner, ...], point: str, number: str
) -> dict[str, Any]:
    """One start that is killed, and what the record says of it afterwards."""
    clock = MovedClock()

    def dying() -> None:
        started = engine_of(place, log, owners, clock, point, colour).start(number)
        if inspect.isawaitable(started):
            asyncio.run(awaited(started))

    ended = in_fork(dying)
    assert not ended, f"nothing was killed: {point}"
    delivered = [sent.code for sent in read_log(log) if sent.recipient == number]
    engine = engine_of(place, log, owners, clock)
    again = engine.start(number)
    assert isinstance(again, Wait), f"{point}: {again}"  # the step stays taken
    setup = engine._setup  # pyright: ignore[reportPrivateUsage]  # what the flows are given
    key = transact.places(setup, canonicalise(number))[-1]
    found = place.open().load(key)
    assert found is not None
    record = RecipientRecord.decode(found.data)
    held = held_by(setup, record, "login", now=clock.now)
    makes = {name for name, owner in zip(("first", "second"), owners, strict=True) if owner is CodeOwner.PROVIDER}
    unknown_to_the_record = sorted((set(delivered) & makes) - held.keys())
    states = [send.state for send in record.sends]
    assert states == [SendState.RESERVED], states
    clock.advance(timedelta(hours=1))
    again = engine.start(number)
    assert isinstance(again, Sent), again
    engine.close()
    return {"delivered": delivered, "unknown": unknown_to_the_record, "steps": record.ladder.count}


async def awaited(started: Awaitable[object]) -> None:
    await started


def main(place: str, colour: str, log: str, owners: str, *points: str) -> None:
    """These points, or every one, for one pair of owners."""
    pair = tuple(CodeOwner(owner) for owner in owners.split(","))
    told = {
        point: killed(Place.parse(place), colour, log, pair, point, phone(number))
        for number, point in enumerate(points or POINTS)
    }
    json.dump(told, sys.stdout)
