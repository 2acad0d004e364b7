"""What a provider says beside its answer, and gets wrong, takes neither the answer nor the operation away."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from otpcore import Refused, Sent
from otpcore.contract import Accepted, CheckAnswer, CheckVerdict, Failure, FailureKind, FailureScope, Money, SendEffect
from otpcore.engine import answers
from otpcore.engine.sync import Engine
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import NUMBER

PRICES: list[Any] = [
    0.0075,
    "0.0075 EUR",
    Money(0.0075, "EUR"),  # type: ignore[arg-type]  # what a plugin may get wrong
    Money(Decimal("0.0075"), None),  # type: ignore[arg-type]  # the same
    Money(Decimal("0.0075"), "+12025550123"),
    Money(Decimal("0." + "0" * 40 + "1") + Decimal("1" * 40), "EUR"),
]


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
    assert answers.send_answer(said) is said


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
    assert answers.check_answer(CheckAnswer(verdict, "VE1")).verdict is CheckVerdict.UNKNOWN
