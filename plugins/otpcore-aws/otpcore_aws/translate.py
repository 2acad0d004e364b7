"""AWS's answers and the SDK's exceptions as the contract's values.

Rules of this file: pure; AWS's own text is read by a rule where there is nothing else, and never shown: it holds the
number. botocore's exceptions are known by their names and fields, so that it need not be imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from otpcore.ports import Accepted, Failure, FailureKind, FailureScope, Outcome, SendEffect
from otpcore.providers.transport import Attempt
from otpcore_aws.error_table import BY_STATUS, ERRORS, OTHERWISE, REASONS, Row

__all__ = ["MESSAGE_ID", "UNCONFIGURED", "accepted", "feedback_of", "is_taken", "send_failure"]

MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9_:/-]{1,64}")
"""As `PutMessageFeedback` takes it (service model of 2022-03-31)."""

_SHOWN: Final = re.compile(r"[A-Za-z0-9_.]{1,80}")

_RECIPIENT: Final = Row(FailureKind.INVALID_RECIPIENT, "AWS says that this is no number")
_OPTED_OUT: Final = Row(FailureKind.OPTED_OUT, "the person has opted out of this account's messages")

_TOLD: Final = (
    (re.compile(r"opted? ?out", re.IGNORECASE), _OPTED_OUT),
    (re.compile(r"PhoneNumber|phone number", re.IGNORECASE), _RECIPIENT),
)
"""SNS has one code for whatever is wrong with a parameter, and says which one in its text."""

UNCONFIGURED: Final = frozenset(
    """
    ConfigNotFound ConfigParseError CredentialRetrievalError InvalidConfigError InvalidRegionError
    MetadataRetrievalError NoAuthTokenError NoCredentialsError NoRegionError PartialCredentialsError ProfileNotFound
    RefreshWithMFAUnsupportedError SSOError SSOTokenLoadError TokenRetrievalError UnauthorizedSSOTokenError
    UnknownCredentialError
    """.split()  # noqa: SIM905  # names in a block read better than in quotes
)
"""botocore's exceptions that say that who we are is not known."""

_SENDS: Final = frozenset({"SendTextMessage", "Publish"})

_FEEDBACK: Final[Mapping[Outcome, str]] = {Outcome.APPROVED: "RECEIVED", Outcome.CANCELED: "FAILED"}


def accepted(answer: object, attempt: Attempt) -> Accepted | Failure:
    """Read a 2xx; one that names no message is no answer."""
    handle = _text(answer, "MessageId")
    if not MESSAGE_ID.fullmatch(handle):
        detail = "AWS's answer names no message"
        return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, detail, retry_after=attempt.retry_after, native=answer)
    return Accepted(handle, native=answer)


def send_failure(error: Exception, attempt: Attempt) -> Failure:
    """What an exception of a send means; an answer can be the token service's, before anything went to send."""
    response: object = getattr(error, "response", None)
    status = _status(response) or attempt.status
    if status is None:
        return _unanswered(error, attempt)
    code, reason = _text(_part(response, "Error"), "Code"), _text(response, "Reason")
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    row = _row(status, code, reason, response)
    known = refused and row.kind is not FailureKind.INTERNAL
    shown = ".".join(part for part in (code, reason) if part)
    return Failure(
        row.kind if known else FailureKind.INTERNAL,
        SendEffect.NOT_SENT if known or _is_before_the_send(error, attempt) else SendEffect.UNKNOWN,
        row.text if known else f"AWS gave no usable answer (HTTP {status})",
        shown if _SHOWN.fullmatch(shown) else str(status),
        row.scope if known else FailureScope.ACCOUNT,
        retry_after=attempt.retry_after,
        native=error,
    )


def _is_before_the_send(error: Exception, attempt: Attempt) -> bool:
    """Whether it is the answer to a call that looked for credentials.

    The attempt alone does not say so: what a stand-in for the transport has sent is not noted on it.
    """
    return not attempt.maybe_sent and getattr(error, "operation_name", "") not in _SENDS


def feedback_of(outcome: Outcome) -> str:
    """What became of a code, in AWS's word."""
    return _FEEDBACK[outcome]


def is_taken(answer: object, handle: str, feedback: str) -> bool:
    """Whether an answer says that this was noted of this message."""
    return _text(answer, "MessageId") == handle and _text(answer, "MessageFeedbackStatus") == feedback


def _row(status: int, code: str, reason: str, response: object) -> Row:
    if (row := REASONS.get((code, reason)) or ERRORS.get(code)) is None:
        return BY_STATUS.get(status, OTHERWISE)
    if row is OTHERWISE and _names_recipient(response):
        return _RECIPIENT
    if code in {"InvalidParameter", "ParameterValueInvalid"}:
        told = _text(_part(response, "Error"), "Message")
        return next((meaning for rule, meaning in _TOLD if rule.search(told)), row)
    return row


def _names_recipient(response: object) -> bool:
    """Whether the field that does not fit is the number."""
    fields: object = _part(response, "Fields")
    listed = cast("list[object]", fields) if isinstance(fields, list) else []
    return any(_text(field, "Name").endswith("estinationPhoneNumber") for field in listed)


def _unanswered(error: Exception, attempt: Attempt) -> Failure:
    kind, detail = None, ""
    if {each.__name__ for each in type(error).__mro__} & UNCONFIGURED:
        kind, detail = FailureKind.MISCONFIGURED, "there are no usable credentials for AWS"
    elif type(error).__name__ == "ParamValidationError":
        kind, detail = FailureKind.CONTENT_REJECTED, "the SDK does not take one of the parameters"
    if kind is None or attempt.maybe_sent:
        return attempt.unanswered("AWS", error)
    return Failure(kind, SendEffect.NOT_SENT, detail, native=error)


def _status(response: object) -> int | None:
    found: object = _part(_part(response, "ResponseMetadata"), "HTTPStatusCode")
    return found if isinstance(found, int) else None


def _part(value: object, name: str) -> Any:
    return cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else None


def _text(value: object, name: str) -> str:
    found = _part(value, name)
    return found if isinstance(found, str) else ""
