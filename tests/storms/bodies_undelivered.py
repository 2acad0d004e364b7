"""What must hold when many receipts say at once that a message did not arrive: one further message, one approval.

Rules of this file: as for `bodies_checks`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from operator import methodcaller

from otpcore.contract import CodeOwner
from otpcore.engine import Engine
from otpcore.model import SendState
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.receipts import DeliveryState, InboundRequest, Received
from otpcore.results import Approved, Wrong
from otpcore.routing import Leg, Routing, Rule
from tests.storms.arena import Arena, Call, checking, phone, resending, token_of

__all__ = ["followed_amid_checks", "one_further_message", "two_that_follow"]

BAD = (DeliveryState.UNDELIVERED, DeliveryState.FAILED, DeliveryState.EXPIRED)


def two_that_follow(arena: Arena) -> Exchange:
    """A provider "first" before the arena's own, "second", and a rule that goes from it to that; its vendor."""
    vendor = Exchange(owner=CodeOwner.CORE, clock=arena.clock, seed=11)
    engine = type(arena.engine)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType,reportUnknownVariableType]  # every arena has one
    blocking = engine is Engine
    make: Callable[..., FakeProvider | AsyncFakeProvider] = FakeProvider if blocking else AsyncFakeProvider
    rule = Rule(legs=(Leg("first"), Leg("second")), failover_on_undelivered=timedelta(minutes=2))
    providers = {"first": make(exchange=vendor), "second": make(exchange=arena.exchange)}
    arena.engine = engine(  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # as above
        arena.store, providers, routing=Routing((rule,)), keep_number=True, **arena.settings
    )
    return vendor


def hearing(request: InboundRequest) -> Call:
    return methodcaller("receipt", "first", request)


def one_further_message(arena: Arena, *, alike: bool, parties: int = 64) -> None:
    """However many say so, and whether they are one receipt or many: one message more, and no step."""
    first, number = two_that_follow(arena), phone(0)
    token = token_of(arena.started(number))
    (message,) = first.outbox
    requests = [
        first.receipts.of(message.handle, message.recipient, BAD[place % 3]) for place in range(1 if alike else parties)
    ] * (parties if alike else 1)
    results = arena.at_once([hearing(request) for request in requests])
    assert all(isinstance(result, Received) for result in results), results
    assert sum(result.failed_over for result in results) == 1
    assert sum(result.applied for result in results) == 1
    assert (len(first.outbox), len(arena.exchange.outbox)) == (1, 1)
    (record,) = arena.records()
    assert record.ladder.count == 1
    assert [send.state for send in record.sends] == [SendState.UNDELIVERED, SendState.ACCEPTED]
    assert isinstance(arena.run(checking(token, arena.right_code(number))), Approved)
    (record,) = arena.records()
    assert not any(session.sealed for session in record.sessions)


def followed_amid_checks(arena: Arena) -> None:
    """Receipts among right codes and resends: one approval, and never more than one message beside the first."""
    first, number = two_that_follow(arena), phone(0)
    token = token_of(arena.started(number))
    (message,) = first.outbox
    request = first.receipts.of(message.handle, message.recipient, DeliveryState.FAILED)
    calls = [checking(token, message.code), hearing(request), resending(token, number)]
    results = arena.at_once(calls * 16)
    approved, wrong = (sum(isinstance(result, kind) for result in results) for kind in (Approved, Wrong))
    assert approved <= 1
    assert approved + wrong <= 5  # the first code matches until the next one is accepted
    assert len(first.outbox) + len(arena.exchange.outbox) <= 2
    assert sum(result.failed_over for result in results if isinstance(result, Received)) <= 1
