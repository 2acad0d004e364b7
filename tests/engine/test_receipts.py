"""Feedback and receipts in both colours: one call each, and whatever a provider does wrong is a refusal."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest

from otpcore import Approved, Ended, Received, Refusal, Refused, SendState, Sent
from otpcore.contract import CodeOwner
from otpcore.errors import ReceiptRefused, UsageError
from otpcore.model import RecipientRecord
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.receipts import DeliveryEvent, DeliveryState, InboundRequest, Outcome
from tests.engine.colours import COLOURS, NUMBER, Driven, driven
from tests.numbers import phone

colours = pytest.mark.parametrize("colour", COLOURS)
owners = pytest.mark.parametrize("owner", list(CodeOwner))


def begun(colour: str, owner: CodeOwner = CodeOwner.CORE) -> tuple[Driven, Any]:
    life = driven(colour, Exchange(owner=owner))
    sent = life.call("start", NUMBER)
    assert isinstance(sent, Sent)
    return life, sent


def news(life: Driven, state: DeliveryState = DeliveryState.DELIVERED) -> InboundRequest:
    request: InboundRequest = life.vendor.receipt(life.vendor.outbox[-1], state)
    return request


def state_of(life: Driven) -> SendState:
    ((_, entry),) = life.store.scan("", 10)
    return RecipientRecord.decode(entry.data).sends[-1].state


# --- feedback ------------------------------------------------------------------------------------


@colours
def test_an_approval_and_a_cancellation_reach_the_vendor_once(colour: str) -> None:
    life, sent = begun(colour)
    assert isinstance(life.call("check", sent.session.token, life.vendor.code_for(NUMBER)), Approved)
    other = life.call("start", phone(7))
    for _ in range(2):
        assert isinstance(life.call("cancel", other.session.token), Ended)
    handles = [message.handle for message in life.vendor.outbox]
    assert life.vendor.reported == ((handles[0], Outcome.APPROVED), (handles[1], Outcome.CANCELED))


def approval_stands(colour: str, answer: object) -> None:
    life, sent = begun(colour)

    def report_outcome(*_: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    life.vendor.exchange.report_outcome = report_outcome
    assert isinstance(life.call("check", sent.session.token, life.vendor.code_for(NUMBER)), Approved)


@colours
@pytest.mark.parametrize("answer", [RuntimeError(NUMBER), TimeoutError(), "yes", 1, None], ids=repr)
def test_whatever_becomes_of_the_report_the_approval_stands(colour: str, answer: object, lines: list[str]) -> None:
    approval_stands(colour, answer)
    last = [json.loads(line) for line in lines][-2:]
    assert [event["event"] for event in last] == ["check.approved", "outcome.reported"]
    assert last[1]["taken"] == "no"
    assert NUMBER[1:] not in "".join(lines)


def test_a_report_that_hangs_is_left_alone_after_its_deadline() -> None:
    class Hangs(AsyncFakeProvider):
        async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
            await asyncio.Event().wait()
            return True

    vendor = Hangs(owner=CodeOwner.CORE)
    life = driven("awaiting", vendor.exchange, vendor=vendor, timeout_s=0.01)
    sent = life.call("start", NUMBER)
    assert isinstance(life.call("check", sent.session.token, vendor.code_for(NUMBER)), Approved)
    assert vendor.reported == ()


@colours
def test_a_code_of_the_vendors_own_is_not_reported(colour: str) -> None:
    life, sent = begun(colour, CodeOwner.PROVIDER)
    assert isinstance(life.call("check", sent.session.token, life.vendor.code_for(NUMBER)), Approved)
    life.call("cancel", life.call("start", phone(7)).session.token)
    assert life.vendor.calls["report_outcome"] == 0


# --- receipts ------------------------------------------------------------------------------------


@colours
@owners
def test_a_receipt_is_written_down_once_in_every_colour(colour: str, owner: CodeOwner) -> None:
    life, _ = begun(colour, owner)
    request = news(life)
    assert life.call("receipt", None, request) == Received(1, 0)
    assert life.call("receipt", "default", request) == Received(0, 0, 1)
    assert life.call("receipt", None, news(life, DeliveryState.SENT)) == Received(0, 1)
    assert state_of(life) is SendState.DELIVERED


@colours
def test_what_the_vendor_did_not_sign_is_refused_and_touches_nothing(colour: str, lines: list[str]) -> None:
    life, _ = begun(colour)
    genuine = news(life)
    elsewhere = replace(genuine, url=f"/receipts?to={NUMBER}")
    for forged in (replace(genuine, body=genuine.body + b" "), replace(genuine, headers={}), elsewhere):
        result = life.call("receipt", None, forged)
        assert isinstance(result, Refused)
        assert result.kind is Refusal.INVALID_RECEIPT
        assert NUMBER[1:] not in f"{result}{forged}"
    assert state_of(life) is SendState.ACCEPTED
    told = [json.loads(line) for line in lines][-3:]
    assert [(event["event"], event["kind"]) for event in told] == [("receipt.refused", "invalid_receipt")] * 3


class Nowhere(tzinfo):
    """A zone that fails."""

    def __repr__(self) -> str:
        return "Nowhere()"

    def utcoffset(self, _at: datetime | None) -> timedelta:
        raise LookupError(NUMBER)

    def dst(self, _at: datetime | None) -> None:
        return None

    def tzname(self, _at: datetime | None) -> None:
        return None


SOUND = DeliveryEvent("EV1", "h", NUMBER, DeliveryState.DELIVERED)
WRONG_KINDS: list[Any] = [
    None,
    SOUND,
    {"events": []},
    [SOUND, "delivered"],
    (replace(SOUND, state="delivered"),),  # type: ignore[arg-type]  # what no vendor's plugin may give
    [replace(SOUND, at=datetime(2026, 11, 22))],  # noqa: DTZ001  # naive
    [replace(SOUND, recipient=12025550123)],  # type: ignore[arg-type]  # as above
    [replace(SOUND, id=None)],  # type: ignore[arg-type]  # as above
    [replace(SOUND, id="")],
    [replace(SOUND, id="E" * 201)],
    [replace(SOUND, id="EV\n1")],
    [replace(SOUND, id="EV\u00e9")],
    [replace(SOUND, id=f"EV.{NUMBER[1:]}.delivered")],
    [replace(SOUND, provider_code=NUMBER)],
    [replace(SOUND, at=datetime(2026, 11, 22, tzinfo=Nowhere()))],
    RuntimeError(NUMBER),
    KeyError("body"),
]


def events_or_a_refusal(colour: str, answer: Any) -> None:
    life, _ = begun(colour)
    request = news(life)

    def parse(_request: InboundRequest) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    life.vendor.exchange.receipts.parse = parse
    result = life.call("receipt", None, request)
    assert isinstance(result, Refused)
    assert result.kind is Refusal.INVALID_RECEIPT
    assert NUMBER[1:] not in result.detail
    assert state_of(life) is SendState.ACCEPTED


@colours
@pytest.mark.parametrize("answer", WRONG_KINDS, ids=repr)
def test_whatever_a_provider_makes_of_a_receipt_is_events_or_a_refusal(colour: str, answer: Any) -> None:
    events_or_a_refusal(colour, answer)


@colours
def test_a_receipt_that_fails_is_told_of(colour: str, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """L6."""
    life, _ = begun(colour)

    def load(_key: str) -> Any:
        raise ValueError

    request = news(life)
    monkeypatch.setattr(life.store, "load", load)
    with pytest.raises(Exception, match="store failed"):
        life.call("receipt", None, request)
    assert json.loads(lines[-1])["event"] == "receipt.storeunavailable"


@colours
def test_an_engine_whose_providers_read_none_says_so(colour: str) -> None:
    class Mute:
        """Sends, and tells nothing."""

        def __init__(self, inner: FakeProvider) -> None:
            self.capabilities, self.send, self.close = inner.capabilities, inner.send, inner.close

    class AsyncMute:
        def __init__(self, inner: AsyncFakeProvider) -> None:
            self.capabilities, self.send, self.close = inner.capabilities, inner.send, inner.close

    exchange = Exchange(owner=CodeOwner.CORE)
    inner = AsyncFakeProvider(exchange=exchange)
    vendor = AsyncMute(inner) if colour == "awaiting" else Mute(FakeProvider(exchange=exchange))
    life = driven(colour, exchange, vendor=vendor)
    sent = life.call("start", NUMBER)
    request = inner.receipt(exchange.outbox[-1], DeliveryState.DELIVERED)
    with pytest.raises(UsageError, match="0 providers"):
        life.call("receipt", None, request)
    assert isinstance(life.call("receipt", "default", request), Refused)
    assert isinstance(life.call("check", sent.session.token, exchange.code_for(NUMBER)), Approved)
    assert exchange.calls["report_outcome"] == 0


def test_a_refusal_by_the_provider_is_passed_on_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    life, _ = begun("blocking")

    def parse(_request: InboundRequest) -> Any:
        raise ReceiptRefused("The clock of the signature is an hour ahead.")

    request = news(life)
    monkeypatch.setattr(life.vendor.exchange.receipts, "parse", parse)
    assert life.call("receipt", None, request).detail == "The clock of the signature is an hour ahead."
