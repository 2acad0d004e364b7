"""The audit log: one line for each operation, no line that a value could forge, no operation that it could break."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from otpcore import InboundRequest, Received, Sent
from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.engine import audit
from otpcore.events import Event
from otpcore.receipts import DeliveryState
from tests.properties.world import EPOCH, NUMBER, World

OPERATIONS = ("start", "resend", "check", "cancel", "status", "forget", "unlock", "receipt")
SENDS = {"send.accepted", "send.definitely_refused", "send.answer_lost"}
FACTS = {
    *SENDS,
    "send.attempted",
    "route.alert",
    "delivery",
    "send.delivered",
    "send.undelivered",
    "refund",
    "lock",
    "erase",
    "check.answered",
    "outcome.reported",
    "breaker.opened",
    "breaker.closed",
}


@pytest.mark.parametrize("owner", list(CodeOwner))
def test_every_operation_is_told_once(owner: CodeOwner, lines: list[str]) -> None:
    """L6: events = operations in a run of 10^4 (half of it for each owner)."""
    world, draw = World(owner=owner), random.Random(6)
    done: Counter[str] = Counter()
    tokens, applied = ["otps_nothing"], 0
    for _ in range(5_000):
        operation = draw.choices(OPERATIONS, (30, 15, 40, 3, 6, 1, 1, 4))[0]
        if draw.random() < 0.1:
            world.orders[:] = [Failure(draw.choice(list(FailureKind)), draw.choice(list(SendEffect)))]
        given = [NUMBER if operation in ("start", "forget", "unlock") else draw.choice(tokens[-4:])]
        if operation == "resend":
            given.append(NUMBER)
        if operation == "check":
            given.append(f"{draw.randrange(10**6):06d}")
        result: Any = getattr(world.engine, operation)(*(given if operation != "receipt" else news(world, draw)))
        if isinstance(result, Sent):
            tokens.append(result.session.token or "")
        done[operation] += 1
        applied += result.applied if isinstance(result, Received) else 0
        world.move(timedelta(seconds=draw.choice([1, 30, 600, 7200])))
    events = [json.loads(line) for line in lines]
    assert all(event["at"].endswith("+00:00") for event in events)
    told = Counter(event["event"].split(".")[0] for event in events if event["event"] not in FACTS)
    assert told == done
    facts = Counter(event["event"] for event in events)
    assert sum(facts[name] for name in SENDS) == world.vendor.calls["send"]
    assert facts["send.delivered"] + facts["send.undelivered"] == applied > 0
    assert facts["outcome.reported"] == world.vendor.calls["report_outcome"]
    assert (facts["outcome.reported"] > 0) == (owner is CodeOwner.CORE)
    assert {"refund", "erase", *SENDS} <= set(facts)


def news(world: World, draw: random.Random) -> tuple[None, InboundRequest]:
    """A receipt of the last message, or of none."""
    if not world.vendor.outbox:
        return None, InboundRequest("POST", "/", {}, b"")
    return None, world.vendor.receipt(world.vendor.outbox[-1], draw.choice(list(DeliveryState)))


def test_a_refund_a_lock_and_an_erasure_are_told(lines: list[str]) -> None:
    """L6."""
    world = World()
    world.orders[:] = [Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)]
    world.engine.start(NUMBER)
    for _ in range(2):
        sent = world.engine.start(NUMBER)
        assert isinstance(sent, Sent)
        wrong = "000000" if world.vendor.code_for(NUMBER) != "000000" else "111111"
        for _ in range(5):
            world.engine.check(sent.session.token or "", wrong)
        world.move(timedelta(minutes=5))
    world.engine.forget(NUMBER)
    names = Counter(json.loads(line)["event"] for line in lines)
    assert (names["refund"], names["lock"], names["erase"]) == (1, 1, 1)


def test_no_value_forges_a_line() -> None:
    """L6: CR, LF and their Unicode kin in any value: 0 injections."""
    draw = random.Random(5)
    odd = ["\r", "\n", "\u2028", "\u2029", "\x85", "\x0b", '"', "\\", "{", "é"]
    for _ in range(1000):
        text = "".join(draw.choices(odd, k=8))
        line = audit.line_of(Event("start.sent", EPOCH, text, text, text, text, text, {"detail": text}))
        assert len(line.splitlines()) == 1
        assert line.isascii()
        assert json.loads(line)["detail"] == text


def test_neither_codes_nor_numbers_nor_tokens_are_told(lines: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """L1, L2, invariants 9 and 10: at every level; the tail is two digits."""
    caplog.set_level(logging.DEBUG)
    for owner in CodeOwner:
        world = World(owner=owner)
        sent = world.engine.start(NUMBER)
        assert isinstance(sent, Sent)
        code = world.vendor.code_for(NUMBER)
        result = world.engine.check(sent.session.token or "", code)
        shown = [*lines, caplog.text, repr(sent), repr(result), repr(world.record())]
        for text in shown:
            assert NUMBER[1:] not in text
            assert f'"{code}"' not in text
            assert f"'{code}'" not in text
            assert (sent.session.token or "")[-24:] not in text
    assert json.loads(lines[0])["tail"] == "…23"


def test_a_handler_that_fails_takes_no_answer_away() -> None:
    """An approval that nobody hears of would be a success lost: telling never fails what it tells of."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    handler = Broken()
    before = audit.AUDIT.level
    audit.AUDIT.addHandler(handler)
    audit.AUDIT.setLevel(logging.INFO)
    try:
        assert isinstance(World().engine.start(NUMBER), Sent)
    finally:
        audit.AUDIT.removeHandler(handler)
        audit.AUDIT.setLevel(before)


def test_events_are_not_made_when_nobody_listens() -> None:
    def make() -> tuple[Event, ...]:
        raise AssertionError

    audit.AUDIT.setLevel(logging.WARNING)
    audit.tell(make, None)
    audit.AUDIT.setLevel(logging.NOTSET)


def test_the_filter_hides_digits_whoever_logs_them() -> None:
    """L1: the last line of defence."""
    error = ValueError(f"cannot reach {NUMBER}")
    caught = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.INFO, "f", 1, "code %s for %s", ("123456", NUMBER), caught)
    assert audit.Redact().filter(record)
    assert record.getMessage() == "code … for …"
    assert NUMBER not in (record.exc_text or "")
    address = logging.LogRecord("x", logging.INFO, "f", 1, "to <%s>: 550 no such user", ("jo.doe+1@example.org",), None)
    assert audit.Redact().filter(address)
    assert address.getMessage() == "to <…>: 550 no such user"
    plain = logging.LogRecord("x", logging.INFO, "f", 1, "in %d ms", (12,), None)
    assert audit.Redact().filter(plain)
    assert plain.getMessage() == "in 12 ms"
