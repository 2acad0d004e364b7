"""Between the core's values and the `Messages` resource: what a call is given, and what its answer means. Pure.

Rules of this file: as for `otpcore_twilio.translate`. The core's words go out as they are; what Twilio would not take
is refused before the wire, and never cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from otpcore.ports import Accepted, Failure, FailureKind, Money, Outcome, SendEffect, SendRequest
from otpcore_twilio.messaging.errors import MESSAGE_ERRORS, row_for
from otpcore_twilio.messaging.settings import TwilioMessagingSettings
from otpcore_twilio.parameters import OF_SENDS, Parameter, problem_of

__all__ = [
    "LONGEST_TEXT",
    "LONGEST_VALIDITY_S",
    "MESSAGE_SID",
    "OF_MESSAGES",
    "OUTCOMES",
    "accepted",
    "create_parameters",
    "has_outcome",
]

MESSAGE_SID: Final = re.compile(r"(SM|MM)[0-9a-f]{32}")
"""The SDK puts ids into paths as they are; only this shape gets there."""

LONGEST_TEXT: Final = 1600
"""Characters of a message (the "Messages resource" and error 21617, November 2026)."""

LONGEST_VALIDITY_S: Final = 36_000
"""Seconds; the shortest is 1 (error 90007 of the dictionary, November 2026)."""

OF_MESSAGES: Final[Mapping[str, Parameter]] = MappingProxyType({"RiskCheck": OF_SENDS["RiskCheck"]})
"""Twilio's own parameters that a call may bring, by their documented names."""

OUTCOMES: Final[Mapping[Outcome, str]] = MappingProxyType(
    {Outcome.APPROVED: "confirmed", Outcome.CANCELED: "unconfirmed"}
)
"""What the feedback on a message says (the "Feedback subresource", November 2026)."""

_UNDER_WAY: Final = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "delivered", "read"})
_NEVER_LEFT: Final = frozenset({"failed", "canceled"})
_RECIPIENT: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,2}")
_PRICE: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")


def create_parameters(
    request: SendRequest, settings: TwilioMessagingSettings, now: datetime
) -> dict[str, Any] | Failure:
    """The keyword arguments of `messages.create`, or why the request cannot be made.

    Args:
        request: of the core.
        settings: sender, callback, feedback.
        now: aware; Twilio drops the message when its code has ended.
    """
    text = request.message.text if request.message is not None else f"{request.code} is your code."
    kind, problem = _problem(request, text)
    if problem:
        return Failure(kind, SendEffect.NOT_SENT, problem)
    left_s = int((request.expires_at - now).total_seconds())
    parameters: dict[str, Any] = {
        "to": request.recipient,
        "body": text,
        "validity_period": max(1, min(left_s, LONGEST_VALIDITY_S)),
    }
    given = {
        "messaging_service_sid": settings.messaging_service_sid,
        "from_": settings.sender,
        "status_callback": settings.status_callback,
        "provide_feedback": settings.provide_feedback,
        "risk_check": request.extra.get("RiskCheck", settings.risk_check),
    }
    return parameters | {name: value for name, value in given.items() if value}


def _problem(request: SendRequest, text: str) -> tuple[FailureKind, str]:
    kind, problem = FailureKind.CONTENT_REJECTED, ""
    if not _RECIPIENT.fullmatch(request.recipient):
        kind, problem = FailureKind.INVALID_RECIPIENT, "the recipient is not an E.164 number"
    elif request.channel != "sms":
        kind, problem = FailureKind.CHANNEL_UNREACHABLE, "the channel is none of those that this provider declares"
    elif request.code is None:
        kind, problem = FailureKind.MISCONFIGURED, "Programmable Messaging makes no codes; the core has to"
    elif not text.strip() or len(text) > LONGEST_TEXT:
        problem = f"a message has 1 to {LONGEST_TEXT} characters"
    elif not _is_text(text):
        problem = "the message holds what is no text"
    elif wrong := problem_of(request.extra, OF_MESSAGES):
        problem = wrong
    elif request.timeout_s <= 0:
        kind, problem = FailureKind.TIMEOUT, "no time was left for the request"
    return kind, problem


def _is_text(text: str) -> bool:
    """No NUL, and no half of a surrogate pair, which has no bytes."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def accepted(message: object) -> Accepted | Failure:
    """Read the answer to a create that came with a 2xx status.

    A message that Twilio took and failed at once is a failure. That it never left is certain only where the table says
    so of its code.
    """
    sid, status = getattr(message, "sid", None), getattr(message, "status", None)
    usable = isinstance(sid, str) and MESSAGE_SID.fullmatch(sid) is not None and isinstance(status, str)
    if usable and status in _UNDER_WAY:
        return Accepted(sid, message, _cost(message), _segments(message))
    if usable and status in _NEVER_LEFT | {"undelivered"}:
        code = _code(message)
        row = row_for(HTTPStatus.CREATED, code)
        certain = status in _NEVER_LEFT and code in MESSAGE_ERRORS
        effect = row.effect if certain else SendEffect.UNKNOWN
        return Failure(row.kind, effect, row.text, None if code is None else str(code), row.scope, native=message)
    detail = "Twilio's answer holds no message that is under way"
    return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, detail, native=message)


def has_outcome(feedback: object, handle: str, outcome: str) -> bool:
    """Whether the answer to a feedback says that this message has this outcome."""
    told = getattr(feedback, "message_sid", None), getattr(feedback, "outcome", None)
    return told == (handle, outcome)


def _segments(message: object) -> int | None:
    """As Twilio counts them; 0 where a Messaging Service has not chosen the sender yet, which says nothing."""
    count = getattr(message, "num_segments", None)
    return int(count) if isinstance(count, str) and _COUNT.fullmatch(count) else None


def _cost(message: object) -> Money | None:
    """What Twilio takes; it tells a price as what is taken from the account, so below zero, and seldom at once."""
    price, unit = getattr(message, "price", None), getattr(message, "price_unit", None)
    if not isinstance(price, str) or not _PRICE.fullmatch(price):
        return None
    if not isinstance(unit, str) or not _CURRENCY.fullmatch(unit):
        return None
    return Money(abs(Decimal(price)), unit.upper())


def _code(message: object) -> int | None:
    code = getattr(message, "error_code", None)
    return code if isinstance(code, int) and not isinstance(code, bool) and code > 0 else None
