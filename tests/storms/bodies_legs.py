"""What must hold when many send at once and the first provider does not accept: one send, one message.

Rules of this file: as for `bodies_checks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.engine import Engine
from otpcore.model import SendState
from otpcore.policy import DAY
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.providers.fake_exchange import Script
from otpcore.results import Approved, Sent, Wait
from otpcore.routing import Leg, Routing, Rule
from tests.storms.arena import Arena, checking, outcomes_of, phone, starting, token_of
from tests.storms.bodies_sends import always

__all__ = [
    "before_the_arenas_own",
    "lost_answers_stay_alone",
    "one_message_of_many_starts",
    "refusals_are_given_back_once",
    "the_same_code_on_both",
]

REFUSED: Final = Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)
LOST: Final = Failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN)


def before_the_arenas_own(
    arena: Arena, owner: CodeOwner, script: Script | None, *, failover_on_unknown: bool = False
) -> Exchange:
    """A provider "first" before the arena's own, "second"; its vendor."""
    vendor = Exchange(owner=owner, script=script, clock=arena.clock, seed=11)
    engine = type(arena.engine)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType,reportUnknownVariableType]  # every arena has one
    blocking = engine is Engine
    make: Callable[..., FakeProvider | AsyncFakeProvider] = FakeProvider if blocking else AsyncFakeProvider
    rule = Rule(legs=(Leg("first"), Leg("second")), failover_on_unknown=failover_on_unknown)
    providers = {"first": make(exchange=vendor), "second": make(exchange=arena.exchange)}
    arena.engine = engine(arena.store, providers, routing=Routing((rule,)), **arena.settings)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # as above
    return vendor


def one_message_of_many_starts(arena: Arena, owner: CodeOwner, *, phones: int, starts: int = 64) -> None:
    """S1 over two providers: of many starts at once one sends, through the second, one message."""
    for turn, number in enumerate(map(phone, range(phones)), 1):
        first = before_the_arenas_own(arena, owner, always(REFUSED))  # whose breaker knows nothing yet
        results = arena.at_once([starting(number)] * starts)
        assert outcomes_of(results) == {"Sent": 1, "Wait": starts - 1}
        assert len(arena.messages(number)) == 1
        (sent,) = [result for result in results if isinstance(result, Sent)]
        assert sent.session.provider == "second"
        approved = arena.run(checking(token_of(sent), arena.right_code(number)))
        assert isinstance(approved, Approved)
        assert (first.calls["send"], len(first.outbox)) == (1, 0)
        assert arena.exchange.calls["send"] == turn
    assert [len(record.sends) for record in arena.records()] == [1] * phones


def refusals_are_given_back_once(arena: Arena, owner: CodeOwner) -> None:
    """S5 over two providers: neither takes it, and one step comes back."""
    before_the_arenas_own(arena, owner, always(REFUSED))
    number = phone(0)
    arena.exchange.script = always(REFUSED)
    arena.at_once([starting(number)] * 8)
    arena.clock.advance(DAY)
    arena.exchange.script = None
    assert isinstance(arena.start(number), Sent)
    (record,) = arena.records()
    assert len(arena.messages(number)) == 1
    assert record.ladder.count <= 1 + 8 - 3


def lost_answers_stay_alone(arena: Arena, owner: CodeOwner, *, operations: int) -> None:
    """S6: a lost answer of the first provider brings no message of the second."""
    for number in map(phone, range(operations)):
        before_the_arenas_own(arena, owner, always(LOST))  # whose breaker knows nothing yet
        sent = arena.start(number)
        assert isinstance(sent, Sent)
        assert sent.state is SendState.UNKNOWN
        assert isinstance(arena.start(number), Wait)
    assert arena.exchange.calls["send"] == 0


def the_same_code_on_both(arena: Arena) -> None:
    """With `failover_on_unknown` there are two messages, one code and one step."""
    first = before_the_arenas_own(arena, CodeOwner.CORE, always(LOST), failover_on_unknown=True)
    number = phone(0)
    results = arena.at_once([starting(number)] * 16)
    assert outcomes_of(results) == {"Sent": 1, "Wait": 15}
    (one,), (two,) = first.outbox, arena.exchange.outbox
    assert one.code == two.code
    (record,) = arena.records()
    assert (record.ladder.count, len(record.sends), record.sends[0].state) == (1, 1, SendState.ACCEPTED)
