"""What a provider says beside its answer, and gets wrong, takes neither the answer nor the operation away.

Nor does it tell the audit log what a person was sent: invariants 9 and 10.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from otpcore import CodeOwner, Refused, Sent
from otpcore.contract import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    FailureScope,
    Money,
    SendEffect,
    SendRequest,
)
from otpcore.engine import answers
from otpcore.engine.sync import Engine
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import COLOURS, NUMBER, driven
from tests.engine.test_nothing_readable import heard

PRICES: list[Any] = [
    0.0075,
    "0.0075 EUR",
    Money(0.0075, "EUR"),  # type: ignore[arg-type]  # what a plugin may get wrong
    Money(Decimal("0.0075"), None),  # type: ignore[arg-type]  # the same
    Money(Decimal("0.0075"), "+12025550123"),
    Money(Decimal("0." + "0" * 40 + "1") + Decimal("1" * 40), "EUR"),
]


NOW = datetime(2030, 1, 1, tzinfo=UTC)
CODE, MAIL = "173489", "ann.lee@example.org"


def a_send(recipient: str = NUMBER, code: str | None = CODE) -> SendRequest:
    return SendRequest("s1", recipient, "sms", "login", code, None, NOW, 8.0)


def a_check(recipient: str | None = NUMBER, code: str = CODE) -> CheckRequest:
    return CheckRequest("VE1", recipient, code, 8.0)


def refused(said: Any) -> Failure:
    return Failure(FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT, provider_code=said)


class Says(FakeProvider):
    """Answers every send so."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def send(self, request: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("cost", PRICES, ids=str)
def test_a_price_that_is_none_is_left_out_and_the_send_stands(cost: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="otpcore.audit")
    with Engine(MemoryStore(), Says(Accepted("VE1", cost=cost))) as engine:
        assert isinstance(engine.start(NUMBER), Sent)
    assert "send.accepted" in caplog.text
    assert "cost" not in caplog.text


def test_a_price_is_kept() -> None:
    said = Accepted("VE1", cost=Money(Decimal("0.0075"), "EUR"))
    assert answers.send_answer(said, a_send()) is said


@pytest.mark.parametrize("wait", [timedelta.max, timedelta.min])
def test_a_wait_that_no_calendar_holds_is_cut(wait: timedelta) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    often = Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, scope=FailureScope.RECIPIENT, retry_after=wait)
    with Engine(MemoryStore(), Says(often), clock=lambda: now) as engine:
        result = engine.start(NUMBER)
    assert isinstance(result, Refused)
    assert result.next is not None
    assert result.next.resend_at is not None
    assert now <= result.next.resend_at <= now + answers.LONGEST_WAIT


@pytest.mark.parametrize("verdict", ["approved", None, True])
def test_a_verdict_that_is_none_says_nothing(verdict: Any) -> None:
    assert answers.check_answer(CheckAnswer(verdict, "VE1"), a_check()).verdict is CheckVerdict.UNKNOWN


# --- a vendor's error code ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "recipient"),
    [
        (CODE, NUMBER),
        (f"bad_text-{CODE}.", NUMBER),
        ("17-34-89", NUMBER),
        (f"{NUMBER[1:]}-{CODE}", NUMBER),
        (NUMBER, NUMBER),
        (NUMBER[1:], NUMBER),
        (NUMBER[2:], NUMBER),
        ("to.202-555-0123", NUMBER),
        (quote(NUMBER), NUMBER),
        ("%2531%2537%2533%2534%2538%2539", NUMBER),
        (MAIL, MAIL),
        (MAIL.upper(), MAIL),
        (quote(MAIL), MAIL),
        (quote(quote(MAIL)), MAIL),
        ("no_mailbox_ann_lee", MAIL),
        ("ann.example.org", "ann@example.org"),
        ("x" * 101, NUMBER),
        ("caf\u00e9", NUMBER),
        ("E1\nE2", NUMBER),
        (60203, NUMBER),
        (b"60203", NUMBER),
    ],
)
def test_an_error_code_that_holds_what_was_sent_is_dropped(said: Any, recipient: str) -> None:
    """Invariants 9 and 10: logs show a vendor's error code."""
    sent = answers.send_answer(refused(said), a_send(recipient))
    assert isinstance(sent, Failure)
    assert (sent.kind, sent.provider_code) == (FailureKind.CONTENT_REJECTED, None)
    checked = answers.check_answer(CheckAnswer(CheckVerdict.DENIED, provider_code=said), a_check(recipient))
    assert (checked.verdict, checked.provider_code) == (CheckVerdict.DENIED, None)


@pytest.mark.parametrize("said", [None, "", "60203", "550 5.1.1", "ESME_RINVDSTADR", "0x00000058", "invalid-params"])
@pytest.mark.parametrize("recipient", [NUMBER, MAIL])
def test_any_other_error_code_is_kept(said: str | None, recipient: str) -> None:
    sent, checked = refused(said), CheckAnswer(CheckVerdict.DENIED, provider_code=said)
    assert answers.send_answer(sent, a_send(recipient)) is sent
    assert answers.send_answer(sent, a_send(recipient, None)) is sent
    assert answers.check_answer(checked, a_check(recipient)) is checked


@pytest.mark.parametrize(("said", "kept"), [("60202", True), (NUMBER, False), (NUMBER[4:], False), (MAIL, False)])
def test_where_a_check_is_told_no_recipient_nothing_that_may_be_one_is_kept(said: str, kept: bool) -> None:
    answer = answers.check_answer(CheckAnswer(CheckVerdict.DENIED, provider_code=said), a_check(None))
    assert answer.provider_code == (said if kept else None)
    later = answers.check_answer(CheckAnswer(CheckVerdict.APPROVED, provider_code=said), None)
    assert (later.verdict, later.provider_code) == (CheckVerdict.APPROVED, None)


class _Echo:
    """Refuses everything, and says back what it was told."""

    def said(self, request: Any) -> str:
        return f"{NUMBER[1:]}-{request.code}"


class Echo(_Echo, FakeProvider):
    def send(self, request: SendRequest) -> Any:
        return refused(self.said(request)) if request.code else super().send(request)

    def check(self, request: CheckRequest) -> CheckAnswer:
        return CheckAnswer(CheckVerdict.DENIED, provider_code=self.said(request))


class AsyncEcho(_Echo, AsyncFakeProvider):
    async def send(self, request: SendRequest) -> Any:
        return refused(self.said(request)) if request.code else await super().send(request)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        return CheckAnswer(CheckVerdict.DENIED, provider_code=self.said(request))


def nothing_is_echoed(colour: str) -> None:
    kind = AsyncEcho if colour == "awaiting" else Echo
    with heard() as listener:
        for owner in CodeOwner:
            exchange = Exchange(owner=owner)
            engine = driven(colour, exchange, vendor=kind(exchange=exchange))
            result = engine.call("start", NUMBER)
            if isinstance(result, Sent):
                result = engine.call("check", result.session.token, CODE)
            assert isinstance(result, Refused)
            assert isinstance(result.cause, Failure | CheckAnswer)
            assert result.cause.provider_code is None
    written = "\n".join(listener.lines)
    assert "send.definitely_refused" in written
    assert "check.answered" in written
    assert not [text for text in ("provider_code", NUMBER[1:], CODE) if text in written]


def nothing_is_echoed_in_either_colour() -> None:
    for colour in COLOURS[:2]:
        nothing_is_echoed(colour)


@pytest.mark.parametrize("colour", COLOURS)
def test_neither_code_nor_number_reaches_log_or_caller_by_an_error_code(colour: str) -> None:
    nothing_is_echoed(colour)
