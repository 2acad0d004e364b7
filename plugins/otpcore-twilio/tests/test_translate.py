"""What reaches the SDK is what was meant, and what comes back is believed only where it is literal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.ports import (
    Accepted,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    FailureScope,
    SendEffect,
    SendRequest,
)
from otpcore.providers.transport import Attempt, WireFailure
from otpcore_twilio import TwilioProvider, TwilioSettings, translate

SID = "VE" + "a" * 32
OTHER = "VE" + "b" * 32
PHONE = "+12025550123"
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., TwilioSettings]


def pending(_request: WireRequest) -> WireAnswer:
    return WireAnswer.of_json(201, {"sid": SID, "status": "pending", "valid": False, "to": PHONE})


@pytest.fixture(scope="module")
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(pending) as server:
        yield server


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["recipient", "channel", "code", "locale", "extra-name", "extra-value"]),
    before=st.text("abc123", max_size=3),
    bad=st.sampled_from(["\r", "\n", "\0", "\r\n", "\x1b", "\x85", "\ud800"]),
    after=st.text("abc123", max_size=3),
)
def test_a_control_character_in_any_field_is_refused_before_the_wire(
    field: str, before: str, bad: str, after: str, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    value = before + bad + after
    changes: dict[str, Any] = {field: value}
    if field.startswith("extra"):
        changes = {"extra": {value: "x"} if field == "extra-name" else {"CustomFriendlyName": value}}
    provider = TwilioProvider(settings_for("http://127.0.0.1:9", custom_code_enabled=True))
    outcome = provider.send(a_send(**changes))
    assert isinstance(outcome, Failure)
    assert outcome.effect is SendEffect.NOT_SENT
    assert "no connection" not in outcome.detail
    assert value not in outcome.detail


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"recipient": "2025550123"}, FailureKind.INVALID_RECIPIENT),
        ({"recipient": "+12025550123 "}, FailureKind.INVALID_RECIPIENT),
        ({"recipient": "+１２０２５５５０１２３"}, FailureKind.INVALID_RECIPIENT),  # noqa: RUF001  # full-width digits
        ({"channel": "sna"}, FailureKind.CHANNEL_UNREACHABLE),
        ({"code": "123456"}, FailureKind.MISCONFIGURED),
        ({"locale": "fr&Channel=call"}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"To": "+12025550199"}}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"CustomCode": "123456"}}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"custom_code": "123456"}}, FailureKind.CONTENT_REJECTED),
        ({"timeout_s": 0}, FailureKind.TIMEOUT),
    ],
)
def test_what_cannot_be_asked_of_twilio_is_not_asked(
    changes: dict[str, Any], kind: FailureKind, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    outcome = TwilioProvider(settings_for("http://127.0.0.1:9")).send(a_send(**changes))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (kind, SendEffect.NOT_SENT)


def test_a_custom_code_is_passed_on_where_the_service_takes_one(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    provider = TwilioProvider(settings_for(server.origin, custom_code_enabled=True))
    assert isinstance(provider.send(a_send(code="918273")), Accepted)
    provider.close()
    assert server.requests[-1].form["CustomCode"] == "918273"


@pytest.mark.parametrize(
    ("handle", "recipient", "code"),
    [
        ("../../../2010-04-01/Accounts", None, "123456"),
        (SID + "\n", None, "123456"),
        (SID.upper(), None, "123456"),
        ("VA" + "a" * 32, None, "123456"),
        (None, None, "123456"),
        (None, "2025550123", "123456"),
        (SID, None, "12 456"),
        (SID, None, "１２３４５６"),  # noqa: RUF001  # full-width digits
        (SID, None, "123"),
    ],
)
def test_a_check_that_makes_no_sense_is_denied_without_asking(
    handle: str | None, recipient: str | None, code: str
) -> None:
    answer = translate.check_parameters(CheckRequest(handle, recipient, code, 1.0), TwilioSettings())
    assert getattr(answer, "verdict", None) is CheckVerdict.DENIED


def test_a_check_goes_by_the_handle_where_there_is_one_and_else_by_the_number() -> None:
    by_handle = translate.check_parameters(CheckRequest(SID, PHONE, "123456", 1.0), TwilioSettings())
    by_number = translate.check_parameters(CheckRequest(None, PHONE, "123456", 1.0), TwilioSettings())
    assert by_handle == {"code": "123456", "verification_sid": SID}
    assert by_number == {"code": "123456", "to": PHONE}


@pytest.mark.parametrize("handle", ["../Accounts", SID + "/..", "VA" + "a" * 32, "", SID + "\n"])
def test_a_cancel_lets_only_a_verification_sid_into_the_path(handle: str, settings_for: MakeSettings) -> None:
    provider = TwilioProvider(settings_for("http://127.0.0.1:9"))
    assert not provider.cancel(handle, 1.0)
    assert provider._client is None  # pyright: ignore[reportPrivateUsage]  # nothing was even made ready


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"status": "approved", "valid": True}, CheckVerdict.APPROVED),
        ({"status": "approved"}, CheckVerdict.APPROVED),
        ({"status": "approved", "valid": None}, CheckVerdict.APPROVED),
        ({"status": "approved", "valid": False}, CheckVerdict.UNKNOWN),
        ({"status": "approved", "valid": "true"}, CheckVerdict.UNKNOWN),
        ({"status": "approved", "valid": 1}, CheckVerdict.UNKNOWN),
        ({"status": "approved", "sid": OTHER}, CheckVerdict.UNKNOWN),
        ({"status": "approved", "sid": None}, CheckVerdict.UNKNOWN),
        ({"status": "Approved", "valid": True}, CheckVerdict.UNKNOWN),
        ({"status": "approved\n", "valid": True}, CheckVerdict.UNKNOWN),
        ({"status": ["approved"]}, CheckVerdict.UNKNOWN),
        ({"status": True}, CheckVerdict.UNKNOWN),
        ({"status": None, "valid": True}, CheckVerdict.UNKNOWN),
        ({"valid": True}, CheckVerdict.UNKNOWN),
        ({"status": "pending", "valid": False}, CheckVerdict.WRONG),
        ({"status": "pending", "valid": True}, CheckVerdict.UNKNOWN),
        ({"status": "max_attempts_reached", "valid": False}, CheckVerdict.EXHAUSTED),
        ({"status": "expired"}, CheckVerdict.EXPIRED),
        ({"status": "canceled"}, CheckVerdict.GONE),
        ({"status": "deleted"}, CheckVerdict.GONE),
        ({"status": "failed"}, CheckVerdict.UNKNOWN),
        ({"status": "something new"}, CheckVerdict.UNKNOWN),
    ],
)
def test_only_the_literal_approved_of_the_verification_asked_for_approves(
    answer: dict[str, object], verdict: CheckVerdict
) -> None:
    asked = CheckRequest(SID, None, "123456", 1.0)
    assert translate.check_answer(SimpleNamespace(**({"sid": SID} | answer)), asked).verdict is verdict


@pytest.mark.parametrize(
    ("to", "verdict"),
    [(PHONE, CheckVerdict.APPROVED), ("+12025550199", CheckVerdict.UNKNOWN), (None, CheckVerdict.APPROVED)],
)
def test_a_check_by_number_adopts_the_sid_of_that_number_only(to: str | None, verdict: CheckVerdict) -> None:
    asked = CheckRequest(None, PHONE, "123456", 1.0)
    answer = translate.check_answer(SimpleNamespace(sid=SID, status="approved", valid=True, to=to), asked)
    assert (answer.verdict, answer.handle) == (verdict, SID if verdict is CheckVerdict.APPROVED else None)


@pytest.mark.parametrize(
    "answer", [{"sid": SID}, {"sid": SID, "status": "x"}, {"sid": "VE", "status": "pending"}, {"status": "pending"}, {}]
)
def test_a_create_that_is_not_answered_with_a_pending_verification_is_unknown(
    answer: dict[str, object], a_send: MakeSend
) -> None:
    outcome = translate.accepted(SimpleNamespace(**answer), a_send())
    assert isinstance(outcome, Failure)
    assert outcome.effect is SendEffect.UNKNOWN


def vendor_error(status: int, code: object) -> tuple[Exception, Attempt]:
    error = RuntimeError(f"Invalid parameter `To`: {PHONE}")
    error.__dict__["code"] = code
    attempt = Attempt.lasting(5)
    attempt.maybe_sent = True
    attempt.answered(status, "17")
    return error, attempt


@pytest.mark.parametrize("code", [60203, "60203"])
def test_a_limit_of_the_number_is_told_with_its_scope_and_wait_and_without_the_vendors_text(code: object) -> None:
    failure = translate.send_failure(*vendor_error(429, code))
    assert (failure.kind, failure.effect) == (FailureKind.RATE_LIMITED, SendEffect.NOT_SENT)
    assert (failure.scope, failure.provider_code) == (FailureScope.RECIPIENT, "60203")
    assert failure.retry_after == timedelta(seconds=17)
    assert PHONE[1:] not in repr(failure)


@pytest.mark.parametrize("code", [None, 404, "x", True, {"a": 1}, 10**20])
def test_a_code_that_is_none_leaves_the_status_to_decide(code: object) -> None:
    assert translate.check_failure(*vendor_error(404, code)).verdict is CheckVerdict.GONE
    assert translate.send_failure(*vendor_error(404, code)).kind is FailureKind.MISCONFIGURED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 200, 201, 302])
@pytest.mark.parametrize("code", [None, 60200, 20429, 60202])
def test_whatever_its_code_no_answer_outside_4xx_says_that_nothing_was_sent(status: int, code: int | None) -> None:
    assert translate.send_failure(*vendor_error(status, code)).effect is SendEffect.UNKNOWN
    assert translate.check_failure(*vendor_error(status, code)).verdict is CheckVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("maybe_sent", "seconds", "kind", "effect"),
    [
        (False, 5, FailureKind.TRANSIENT, SendEffect.NOT_SENT),
        (False, -1, FailureKind.TIMEOUT, SendEffect.NOT_SENT),
        (True, 5, FailureKind.INTERNAL, SendEffect.UNKNOWN),
        (True, -1, FailureKind.TIMEOUT, SendEffect.UNKNOWN),
    ],
)
def test_without_an_answer_what_counts_is_whether_a_byte_may_have_left(
    maybe_sent: bool, seconds: float, kind: FailureKind, effect: SendEffect
) -> None:
    attempt = Attempt.lasting(seconds)
    attempt.maybe_sent = maybe_sent
    failure = translate.send_failure(WireFailure(), attempt)
    assert (failure.kind, failure.effect) == (kind, effect)
    assert translate.check_failure(WireFailure(), attempt).verdict is CheckVerdict.UNKNOWN


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2026 07:28:00 GMT", "", "-1", "1.5", "٣", "9" * 400, "soon", "nan"])
def test_a_retry_after_that_is_no_number_of_seconds_is_ignored(text: str) -> None:
    attempt = Attempt.lasting(5)
    attempt.answered(429, text)
    assert attempt.retry_after is None
