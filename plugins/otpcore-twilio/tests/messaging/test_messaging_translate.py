"""What a send becomes on the wire, and what each answer of the `Messages` resource means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from otpcore.ports import Accepted, Failure, FailureKind, Money, Outcome, SendEffect, SendRequest
from otpcore_twilio import TwilioMessagingSettings
from otpcore_twilio.messaging import translate

SID = "SM" + "a" * 32
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MESSAGES = "https://api.twilio.com"
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., TwilioMessagingSettings]


def parameters(settings: TwilioMessagingSettings, request: SendRequest) -> dict[str, Any]:
    found = translate.create_parameters(request, settings, NOW)
    assert not isinstance(found, Failure), found
    return found


def refused(settings: TwilioMessagingSettings, request: SendRequest) -> Failure:
    found = translate.create_parameters(request, settings, NOW)
    assert isinstance(found, Failure)
    assert found.effect is SendEffect.NOT_SENT
    return found


def test_only_what_is_set_is_sent(messages_at: MakeSettings, a_message: MakeSend) -> None:
    request = a_message("hello 918273", expires_at=NOW + timedelta(seconds=300))
    assert parameters(messages_at(MESSAGES), request) == {
        "to": "+12025550123",
        "body": "hello 918273",
        "validity_period": 300,
        "from_": "+12025550100",
    }
    all_of_it = {
        "messaging_service_sid": "MG" + "1" * 32,
        "status_callback": "https://otp.example.com/x",
        "provide_feedback": True,
        "risk_check": "enable",
    }
    settings = messages_at(MESSAGES, sender="", **all_of_it)
    assert all_of_it.items() <= parameters(settings, request).items()
    assert "from_" not in parameters(settings, request)
    asked = a_message(expires_at=NOW, extra={"RiskCheck": "disable"})
    assert parameters(settings, asked)["risk_check"] == "disable"


@pytest.mark.parametrize(
    ("left", "period"),
    [(-5, 1), (0, 1), (0.9, 1), (1, 1), (299.9, 299), (300, 300), (36_000, 36_000), (36_001, 36_000), (10**8, 36_000)],
)
def test_a_message_lives_as_long_as_its_code_and_within_twilios_bounds(
    messages_at: MakeSettings, a_message: MakeSend, left: float, period: int
) -> None:
    request = a_message(expires_at=NOW + timedelta(seconds=left))
    assert parameters(messages_at(MESSAGES), request)["validity_period"] == period


@pytest.mark.parametrize("text", ["x" * 1600, "\u20ac\U0001f600\n\n@example.com #918273", " 918273 ", "a&b=c%0d"])
def test_the_words_of_the_core_are_not_touched(messages_at: MakeSettings, a_message: MakeSend, text: str) -> None:
    assert parameters(messages_at(MESSAGES), a_message(text))["body"] == text


def test_without_words_there_is_a_plain_sentence(messages_at: MakeSettings, a_message: MakeSend) -> None:
    assert "918273" in parameters(messages_at(MESSAGES), a_message(message=None))["body"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"recipient": "12025550123"}, FailureKind.INVALID_RECIPIENT),
        ({"recipient": "+12025550123\n"}, FailureKind.INVALID_RECIPIENT),
        ({"recipient": "anna@example.com"}, FailureKind.INVALID_RECIPIENT),
        ({"channel": "call"}, FailureKind.CHANNEL_UNREACHABLE),
        ({"code": None}, FailureKind.MISCONFIGURED),
        ({"code": None, "message": None}, FailureKind.MISCONFIGURED),
        ({"text": "x" * 1601}, FailureKind.CONTENT_REJECTED),
        ({"text": " \n"}, FailureKind.CONTENT_REJECTED),
        ({"text": "a\x00b"}, FailureKind.CONTENT_REJECTED),
        ({"text": "\ud800"}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"RiskCheck": "maybe"}}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"From": "ACME"}}, FailureKind.CONTENT_REJECTED),
        ({"timeout_s": 0.0}, FailureKind.TIMEOUT),
    ],
)
def test_what_cannot_be_sent_is_refused_before_the_wire(
    messages_at: MakeSettings, a_message: MakeSend, changes: dict[str, Any], kind: FailureKind
) -> None:
    failure = refused(messages_at(MESSAGES), a_message(**changes))
    assert failure.kind is kind
    assert "2025550123" not in failure.detail


def answer(**changes: object) -> SimpleNamespace:
    given: dict[str, object] = {"sid": SID, "status": "queued", "num_segments": "1", "price": None, "price_unit": "USD"}
    return SimpleNamespace(**(given | {"error_code": None} | changes))


@pytest.mark.parametrize("status", ["accepted", "scheduled", "queued", "sending", "sent", "delivered", "read"])
def test_a_message_that_is_under_way_is_accepted_with_its_sid(status: str) -> None:
    found = translate.accepted(answer(status=status))
    assert found == Accepted(SID, segments=1)
    assert isinstance(found, Accepted)
    assert found.native is not None


@pytest.mark.parametrize(
    ("told", "segments"), [("1", 1), ("3", 3), ("0", None), (None, None), (1, None), ("-1", None), ("many", None)]
)
def test_segments_are_twilios_and_a_service_counts_none_yet(told: object, segments: int | None) -> None:
    found = translate.accepted(answer(num_segments=told))
    assert isinstance(found, Accepted)
    assert found.segments == segments


@pytest.mark.parametrize(
    ("price", "unit", "cost"),
    [
        ("-0.00790", "USD", Money(Decimal("0.00790"), "USD")),
        ("0.05", "eur", Money(Decimal("0.05"), "EUR")),
        (None, "USD", None),
        ("-0.0079", None, None),
        ("nan", "USD", None),
        (-0.0079, "USD", None),
        ("1e9", "USD", None),
        ("0.05", "dollars", None),
    ],
)
def test_a_price_is_what_is_taken_and_above_zero(price: object, unit: object, cost: Money | None) -> None:
    found = translate.accepted(answer(price=price, price_unit=unit))
    assert isinstance(found, Accepted)
    assert found.cost == cost


@pytest.mark.parametrize(
    ("status", "code", "kind", "effect"),
    [
        ("failed", 30001, FailureKind.TRANSIENT, SendEffect.NOT_SENT),
        ("failed", 30006, FailureKind.CHANNEL_UNREACHABLE, SendEffect.NOT_SENT),
        ("failed", 30410, FailureKind.TIMEOUT, SendEffect.UNKNOWN),
        ("failed", 99999, FailureKind.INTERNAL, SendEffect.UNKNOWN),
        ("failed", None, FailureKind.INTERNAL, SendEffect.UNKNOWN),
        ("canceled", None, FailureKind.INTERNAL, SendEffect.UNKNOWN),
        ("undelivered", 30007, FailureKind.CONTENT_REJECTED, SendEffect.UNKNOWN),
    ],
)
def test_a_message_that_failed_at_once_is_a_failure(
    status: str, code: int | None, kind: FailureKind, effect: SendEffect
) -> None:
    found = translate.accepted(answer(status=status, error_code=code))
    assert isinstance(found, Failure)
    assert (found.kind, found.effect) == (kind, effect)
    assert found.provider_code == (None if code is None else str(code))


@pytest.mark.parametrize(
    "changes",
    [
        *({"sid": sid} for sid in (None, "", "SM1", "VE" + "a" * 32, SID + "\n", SID.upper(), f"{SID}/../x")),
        *({"status": status} for status in (None, 1, "", "received", "receiving", "QUEUED", "new")),
    ],
)
def test_an_answer_without_a_message_under_way_is_unknown(changes: dict[str, object]) -> None:
    found = translate.accepted(answer(**changes))
    assert isinstance(found, Failure)
    assert (found.kind, found.effect) == (FailureKind.INTERNAL, SendEffect.UNKNOWN)


def test_a_feedback_is_taken_where_the_answer_says_so() -> None:
    assert translate.OUTCOMES == {Outcome.APPROVED: "confirmed", Outcome.CANCELED: "unconfirmed"}
    assert translate.has_outcome(SimpleNamespace(message_sid=SID, outcome="confirmed"), SID, "confirmed")
    for told in ({}, {"message_sid": SID}, {"message_sid": "SM" + "b" * 32, "outcome": "confirmed"}):
        assert not translate.has_outcome(SimpleNamespace(**told), SID, "confirmed")
    assert not translate.has_outcome(SimpleNamespace(message_sid=SID, outcome="unconfirmed"), SID, "confirmed")
