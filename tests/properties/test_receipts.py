"""S15: receipts in any order, as often as may be, end in one state, and that is all that they change.

Rules of this file: a history is drawn from a seed; what the reference says is worked out without the flow.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Received, Refused, SendState, Sent
from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.model import RecipientRecord
from otpcore.receipts import DeliveryState, InboundRequest
from tests.properties.world import World

NUMBERS = ("+12025550123", "+12025550124")
PERMUTATIONS = 5_000
"""Of each owner's: 10^4 in all."""

ARRIVED = {DeliveryState.DELIVERED, DeliveryState.READ}
LOST = {DeliveryState.UNDELIVERED, DeliveryState.FAILED, DeliveryState.EXPIRED}


def records(world: World) -> dict[str, RecipientRecord]:
    return {key: RecipientRecord.decode(entry.data) for key, entry in world.store.scan("", 10) if "/r/" in key}


def untold(record: RecipientRecord) -> RecipientRecord:
    """The record without what receipts may change, and without the mark of its last write."""
    return record.but(mark_at=None, sends=tuple(send.but(state=SendState.ACCEPTED, told=()) for send in record.sends))


def states(world: World) -> dict[str, list[SendState]]:
    return {key: [send.state for send in record.sends] for key, record in records(world).items()}


def served(owner: CodeOwner) -> World:
    """Two recipients: one with a send, and one with a session of two accepted sends, a lost and a refused one."""
    world = World(owner=owner)
    sent = [world.engine.start(number) for number in NUMBERS][-1]
    assert isinstance(sent, Sent)
    token = sent.session.token or ""
    for order in (SendEffect.UNKNOWN, SendEffect.NOT_SENT, None):
        world.move(timedelta(minutes=2))
        world.orders[:] = [Failure(FailureKind.TRANSIENT, order)] if order else []
        world.engine.resend(token, NUMBERS[-1])
    return world


def deliveries(world: World, draw: random.Random) -> Iterator[tuple[InboundRequest, DeliveryState, int]]:
    """Receipts of every message that left, each of three states, with what they say and of which message."""
    for place, message in enumerate(world.vendor.outbox):
        for state in draw.sample(list(DeliveryState), 3):
            yield world.vendor.receipt(message, state, at=message.at), state, place


def order_does_not_matter(owner: CodeOwner, permutations: int) -> None:
    draw = random.Random(15)
    world = served(owner)
    clean = {entry[0]: entry[1].data for entry in world.store.scan("", 10)}
    before = records(world)
    while permutations:
        told = list(deliveries(world, draw))
        ends: dict[str, list[SendState]] | None = None
        for _ in range(min(permutations, 50)):
            permutations -= 1
            for key, entry in list(world.store.scan("", 10)):
                world.store.commit(key, clean[key], expect=entry.version, gc_at=world.now)
            heard = [*told, *draw.choices(told, k=3)]
            draw.shuffle(heard)
            applied = 0
            for request, _, _ in heard:
                result: Any = world.engine.receipt(None, request)
                assert isinstance(result, Received)
                applied += result.applied
            after = records(world)
            assert {key: untold(record) for key, record in after.items()} == {
                key: untold(record) for key, record in before.items()
            }
            assert applied <= 2 * sum(len(found) for found in states(world).values())
            ends = ends or states(world)
            assert states(world) == ends
        assert ends is not None
        expected = Counter(
            SendState.DELIVERED if said & ARRIVED else SendState.UNDELIVERED
            for said in (
                {state for _, state, of in told if of == place}
                for place in range(len(world.vendor.outbox))
                if owner is CodeOwner.PROVIDER or is_newest(world, place)
            )
            if said & (ARRIVED | LOST)
        )
        found = Counter(state for sends in ends.values() for state in sends)
        for state in (SendState.DELIVERED, SendState.UNDELIVERED):
            assert found[state] == expected[state]


def is_newest(world: World, place: int) -> bool:
    """Whether the session knows this message's handle: that of its newest accepted send."""
    handles = {session.handle for record in records(world).values() for session in record.sessions}
    return world.vendor.outbox[place].handle in handles


@pytest.mark.parametrize("owner", list(CodeOwner))
def test_receipts_in_any_order_and_repeated_end_in_one_state(owner: CodeOwner) -> None:
    """S15: 10^4 random permutations, with duplicates."""
    order_does_not_matter(owner, PERMUTATIONS)


@pytest.mark.parametrize("owner", list(CodeOwner))
def test_a_service_that_hears_receipts_answers_as_one_that_hears_none(owner: CodeOwner) -> None:
    """S15: 200 histories, every answer compared: nothing is verified, refunded, locked or ended by a receipt."""
    for seed in range(100):
        answers_alike(owner, seed)


def answers_alike(owner: CodeOwner, seed: int) -> None:
    deaf, hears = World(owner=owner, seed=seed), World(owner=owner, seed=seed)
    draw = random.Random(seed)
    tokens = [""]
    for _ in range(30):
        operation = draw.choices(["start", "resend", "check", "cancel", "status"], (4, 4, 6, 1, 1))[0]
        ordered = (
            Failure(draw.choice(list(FailureKind)), draw.choice(list(SendEffect))) if draw.random() < 0.2 else None
        )
        token, digits, step = draw.choice(tokens[-2:]), f"{draw.randrange(10**6):06d}", draw.choice([1, 35, 130, 700])
        right = draw.random() < 0.2
        answers: list[Any] = []
        for world in (deaf, hears):
            world.orders[:] = [ordered] if ordered else []
            code = world.vendor.code_for(NUMBERS[0]) if right and world.vendor.outbox and holds(world) else digits
            given = {"start": (NUMBERS[0],), "resend": (token, NUMBERS[0]), "check": (token, code)}
            answers.append(getattr(world.engine, operation)(*given.get(operation, (token,))))
            world.move(timedelta(seconds=step))
        assert answers[0] == answers[1]
        # whoever looks next writes an expiry down: here both do, or it would be the receipt of the one
        assert deaf.engine.status(tokens[-1]) == hears.engine.status(tokens[-1])
        if isinstance(answers[0], Sent):
            tokens.append(answers[0].session.token or "")
        for message in hears.vendor.outbox[-2:]:
            request = hears.vendor.receipt(message, draw.choice(list(DeliveryState)))
            assert isinstance(hears.engine.receipt(None, request), Received)
            assert isinstance(deaf.engine.receipt(None, request), Refused)  # of another vendor's key


def holds(world: World) -> bool:
    try:
        world.vendor.code_for(NUMBERS[0])
    except LookupError:
        return False
    return True
