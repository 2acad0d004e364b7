"""The table against the SDK's own models: every error and every reason has a meaning, or is left out on purpose."""

from __future__ import annotations

from typing import Any

import botocore.exceptions  # type: ignore[import-untyped]  # carries no types
import botocore.session  # type: ignore[import-untyped]  # carries no types
import pytest
from botocore.stub import Stubber  # type: ignore[import-untyped]  # carries no types

from otpcore.ports import Failure, FailureKind, FailureScope, SendEffect
from otpcore_aws import AwsProvider, SnsProvider
from otpcore_aws.error_table import ERRORS, REASONS, UNMAPPED
from otpcore_aws.translate import UNCONFIGURED
from tests.aws_vendor import CODE, PHONE, a_send, sns_settings, text_settings

MODELS: Any = botocore.session.Session()
STUBBER: Any = Stubber
OPERATIONS = [("pinpoint-sms-voice-v2", "SendTextMessage"), ("sns", "Publish")]


def errors_of(service: str, operation: str) -> dict[str, list[str]]:
    """The codes of an operation's errors, and the reasons of each."""
    shapes = MODELS.get_service_model(service).operation_model(operation).error_shapes
    return {
        shape.error_code: list(shape.members["Reason"].enum) if "Reason" in shape.members else [] for shape in shapes
    }


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_every_error_of_the_model_has_a_meaning(service: str, operation: str) -> None:
    found = errors_of(service, operation)
    assert len(found) >= 7
    assert set(found) - set(ERRORS) == set()


def test_every_reason_of_the_model_is_mapped_or_left_out_on_purpose_and_none_is_both() -> None:
    found = {(code, reason) for code, reasons in errors_of(*OPERATIONS[0]).items() for reason in reasons}
    left_out = {(code, reason) for code, reasons in UNMAPPED.items() for reason in reasons}
    assert len(found) > 100
    assert found - set(REASONS) - left_out == set()
    assert (set(REASONS) | left_out) - found == set(), "the table knows what the model does not"
    assert set(REASONS) & left_out == set()


def test_a_reason_that_a_later_model_adds_is_noticed() -> None:
    """The control of the one above."""
    found = {("ConflictException", "SOMETHING_NEW")}
    left_out = {(code, reason) for code, reasons in UNMAPPED.items() for reason in reasons}
    assert found - set(REASONS) - left_out == found


def test_the_exceptions_of_the_sdk_that_are_known_by_name_exist() -> None:
    assert {name for name in UNCONFIGURED if not hasattr(botocore.exceptions, name)} == set()


EXPECTED = {
    ("ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"): FailureKind.OPTED_OUT,
    ("ConflictException", "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"): FailureKind.DESTINATION_BLOCKED,
    ("ConflictException", "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE"): FailureKind.FRAUD_SUSPECTED,
    ("ConflictException", "RESOURCE_NOT_EMPTY"): FailureKind.MISCONFIGURED,
    ("ValidationException", "DESTINATION_COUNTRY_BLOCKED"): FailureKind.DESTINATION_BLOCKED,
    ("ValidationException", "PRICE_OVER_THRESHOLD"): FailureKind.DESTINATION_BLOCKED,
    ("ValidationException", "SENDER_ID_REQUIRES_REGISTRATION"): FailureKind.DESTINATION_BLOCKED,
    ("ValidationException", "OTHER"): FailureKind.CONTENT_REJECTED,
    ("ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"): FailureKind.QUOTA_EXHAUSTED,
    ("ServiceQuotaExceededException", "TAGS_PER_RESOURCE"): FailureKind.QUOTA_EXHAUSTED,
    ("AccessDeniedException", "ACCOUNT_DISABLED"): FailureKind.MISCONFIGURED,
    ("ThrottlingException", ""): FailureKind.RATE_LIMITED,
    ("ResourceNotFoundException", ""): FailureKind.MISCONFIGURED,
    ("UnrecognizedClientException", ""): FailureKind.MISCONFIGURED,
    ("InvalidSignatureException", ""): FailureKind.MISCONFIGURED,
    ("ExpiredTokenException", ""): FailureKind.MISCONFIGURED,
    ("SomethingNewException", ""): FailureKind.CONTENT_REJECTED,
}


def failure(provider: Any, method: str, code: str, status: int = 400, **fields: Any) -> Failure:
    """What a provider makes of an error that the SDK raises; the parameters are held against the model."""
    with STUBBER(provider.native_client) as stub:
        text = f"{PHONE} {CODE}"
        stub.add_client_error(method, code, text, status, modeled_fields={k: v for k, v in fields.items() if v})
        outcome = provider.send(a_send())
        stub.assert_no_pending_responses()
    assert isinstance(outcome, Failure)
    shown = f"{outcome.detail}{outcome.provider_code}{outcome!r}"
    assert PHONE.lstrip("+") not in shown
    assert CODE not in shown
    return outcome


@pytest.mark.parametrize(("code", "reason"), [*EXPECTED])
def test_an_error_means_what_the_page_says(code: str, reason: str) -> None:
    outcome = failure(AwsProvider(text_settings()), "send_text_message", code, Reason=reason)
    assert (outcome.kind, outcome.effect) == (EXPECTED[code, reason], SendEffect.NOT_SENT)
    assert outcome.scope is (FailureScope.RECIPIENT if reason == "PRICE_OVER_THRESHOLD" else FailureScope.ACCOUNT)
    assert outcome.provider_code == (f"{code}.{reason}" if reason else code)


def test_every_mapped_reason_reaches_its_row() -> None:
    provider = AwsProvider(text_settings())
    for (code, reason), row in REASONS.items():
        outcome = failure(provider, "send_text_message", code, Reason=reason)
        assert (outcome.kind, outcome.detail) == (row.kind, row.text)


@pytest.mark.parametrize("reason", ["INVALID_PARAMETER", "FIELD_VALIDATION_FAILED", "CANNOT_PARSE"])
def test_a_field_that_does_not_fit_is_the_number_or_the_rest(reason: str) -> None:
    provider = AwsProvider(text_settings())
    for field, kind in (
        ("DestinationPhoneNumber", FailureKind.INVALID_RECIPIENT),
        ("MessageBody", FailureKind.CONTENT_REJECTED),
    ):
        fields = [{"Name": field, "Message": PHONE}]
        outcome = failure(provider, "send_text_message", "ValidationException", Reason=reason, Fields=fields)
        assert (outcome.kind, outcome.effect) == (kind, SendEffect.NOT_SENT)


@pytest.mark.parametrize("status", [400, 500, 503])
@pytest.mark.parametrize("code", ["InternalServerException", "ServiceUnavailable", "ThrottlingException"])
def test_a_failure_inside_aws_may_have_sent(code: str, status: int) -> None:
    outcome = failure(AwsProvider(text_settings()), "send_text_message", code, status)
    throttled = code == "ThrottlingException" and status == 400
    assert outcome.effect is (SendEffect.NOT_SENT if throttled else SendEffect.UNKNOWN)
    assert outcome.kind is (FailureKind.RATE_LIMITED if throttled else FailureKind.INTERNAL)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("InvalidParameter", "Invalid parameter: PhoneNumber Reason: x", FailureKind.INVALID_RECIPIENT),
        ("InvalidParameter", "Phone number does not meet the E164 format", FailureKind.INVALID_RECIPIENT),
        ("InvalidParameter", "Invalid parameter: PhoneNumber Reason: it is opted out", FailureKind.OPTED_OUT),
        ("InvalidParameter", "Invalid parameter: Message too long", FailureKind.CONTENT_REJECTED),
        ("OptedOut", "", FailureKind.OPTED_OUT),
        ("AuthorizationError", "", FailureKind.MISCONFIGURED),
        ("SignatureDoesNotMatch", "", FailureKind.MISCONFIGURED),
        ("Throttled", "", FailureKind.RATE_LIMITED),
        ("InternalError", "", FailureKind.INTERNAL),
    ],
)
def test_an_error_of_sns_means_what_the_page_says(code: str, text: str, kind: FailureKind) -> None:
    provider = SnsProvider(sns_settings())
    with STUBBER(provider.native_client) as stub:
        stub.add_client_error("publish", code, text, 400)
        outcome = provider.send(a_send())
    assert isinstance(outcome, Failure)
    unknown = kind is FailureKind.INTERNAL
    assert (outcome.kind, outcome.effect) == (kind, SendEffect.UNKNOWN if unknown else SendEffect.NOT_SENT)
