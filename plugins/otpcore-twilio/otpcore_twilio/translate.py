"""Between the core's values and the SDK's: what a call is given, and what its answer means. Pure.

Rules of this file: no I/O and no SDK import; what comes from the SDK is read attribute by attribute as something
that may hold anything. Only the literal "approved" approves. Whether a message may be on its way is
read off the attempt and the HTTP status alone. No vendor text goes into a `detail`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from otpcore.errors import ConfigurationError
from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    ProviderCapabilities,
    SendEffect,
    SendRequest,
)
from otpcore_twilio.attempt import Attempt
from otpcore_twilio.error_table import row_for

__all__ = [
    "PARAMETERS",
    "VERIFICATION_SID",
    "accepted",
    "check_answer",
    "check_failure",
    "check_parameters",
    "create_parameters",
    "is_canceled",
    "send_failure",
]

VERIFICATION_SID = re.compile(r"VE[0-9a-f]{32}")
"""The SDK puts ids into paths as they are; only this shape gets there."""

RECIPIENT = re.compile(r"\+[1-9][0-9]{6,14}")
CODE = re.compile(r"[0-9]{4,10}")
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")

PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "Amount": "amount",
        "AppHash": "app_hash",
        "ChannelConfiguration": "channel_configuration",
        "CustomFriendlyName": "custom_friendly_name",
        "DeviceIp": "device_ip",
        "Payee": "payee",
        "RateLimits": "rate_limits",
        "RiskCheck": "risk_check",
        "SendDigits": "send_digits",
        "Tags": "tags",
        "TemplateCustomSubstitutions": "template_custom_substitutions",
        "TemplateSid": "template_sid",
        "Templates": "templates",
    }
)
"""What `extra` may hold: Twilio's documented name of the parameter, and the SDK's. JSON ones are given as text."""

_STATUSES: Mapping[str, CheckVerdict] = MappingProxyType(
    {
        "pending": CheckVerdict.WRONG,
        "max_attempts_reached": CheckVerdict.EXHAUSTED,
        "expired": CheckVerdict.EXPIRED,
        "canceled": CheckVerdict.GONE,
        "deleted": CheckVerdict.GONE,
    }
)


def create_parameters(request: SendRequest, capabilities: ProviderCapabilities) -> dict[str, str] | Failure:
    """The keyword arguments of `verifications.create`, or why the request cannot be made."""
    kind, problem = _send_problem(request, capabilities)
    if problem:
        return Failure(kind, SendEffect.NOT_SENT, problem)
    parameters = {"to": request.recipient, "channel": request.channel}
    parameters |= {PARAMETERS[name]: value for name, value in request.extra.items()}
    if request.locale is not None:
        parameters["locale"] = request.locale
    if request.code is not None:
        parameters["custom_code"] = request.code
    return parameters


def _send_problem(request: SendRequest, capabilities: ProviderCapabilities) -> tuple[FailureKind, str]:
    kind, problem = FailureKind.CONTENT_REJECTED, ""
    if not RECIPIENT.fullmatch(request.recipient):
        kind, problem = FailureKind.INVALID_RECIPIENT, "the recipient is not an E.164 number"
    elif request.channel not in capabilities.channels:
        kind, problem = FailureKind.CHANNEL_UNREACHABLE, "the channel is none of those that this provider declares"
    elif request.code is not None and CodeOwner.CORE not in capabilities.code_owners:
        kind, problem = FailureKind.MISCONFIGURED, "a code of the core needs custom_code_enabled (setting and service)"
    elif request.code is not None and not CODE.fullmatch(request.code):
        problem = "a custom code has 4 to 10 digits"
    elif request.locale is not None and not LOCALE.fullmatch(request.locale):
        problem = "the locale is not a language tag"
    elif unknown := sorted(set(request.extra) - set(PARAMETERS)):
        problem = f"{len(unknown)} of the extra parameters are none that this provider passes on"
    elif bad := [name for name, value in request.extra.items() if not _is_clean(value)]:
        problem = f"a control character in {bad[0]}"
    elif request.timeout_s <= 0:
        kind, problem = FailureKind.TIMEOUT, "no time was left for the request"
    return kind, problem


def _is_clean(text: str) -> bool:
    """No control character (CR, LF, NUL, …) and no half of a surrogate pair."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def accepted(verification: object) -> Accepted | Failure:
    """Read the answer to a create that came with a 2xx status."""
    sid = _sid(verification)
    if sid is None or getattr(verification, "status", None) != "pending":
        return Failure(
            FailureKind.INTERNAL,
            SendEffect.UNKNOWN,
            "Twilio's answer holds no pending verification",
            native=verification,
        )
    return Accepted(sid, verification)


def send_failure(error: Exception, attempt: Attempt) -> Failure:
    """What an exception of a create means."""
    if attempt.status is None:
        effect = SendEffect.UNKNOWN if attempt.maybe_sent else SendEffect.NOT_SENT
        kind, detail = _no_answer(error, attempt)
        return Failure(kind, effect, detail, native=error)
    code = _code(error, attempt.status)
    shown = None if code is None else str(code)
    if attempt.was_refused:
        row = row_for(attempt.status, code)
        return Failure(row.kind, row.effect, row.text, shown, row.scope, attempt.retry_after, error)
    return Failure(
        FailureKind.INTERNAL,
        SendEffect.UNKNOWN,
        f"Twilio gave no usable answer (HTTP {attempt.status})",
        shown,
        retry_after=attempt.retry_after,
        native=error,
    )


def check_parameters(request: CheckRequest) -> dict[str, str] | CheckAnswer:
    """The keyword arguments of `verification_checks.create`, or why the check cannot be made."""
    problem = ""
    if not CODE.fullmatch(request.code):
        problem = "a code has 4 to 10 digits"
    elif request.handle is not None and not VERIFICATION_SID.fullmatch(request.handle):
        problem = "the handle is not the SID of a verification"
    elif request.handle is None and not RECIPIENT.fullmatch(request.recipient or ""):
        problem = "neither a handle nor an E.164 recipient was given"
    elif request.extra:
        problem = "this provider passes no extra parameters to a check"
    elif request.timeout_s <= 0:
        problem = "no time was left for the request"
    if problem:
        return CheckAnswer(CheckVerdict.DENIED, detail=problem)
    if request.handle is not None:
        return {"code": request.code, "verification_sid": request.handle}
    return {"code": request.code, "to": request.recipient or ""}


def check_answer(check: object, request: CheckRequest) -> CheckAnswer:
    """Read the answer to a check that came with a 2xx status.

    An answer about another verification than the one asked for is no answer.
    """
    sid = _sid(check)
    status, valid = getattr(check, "status", None), getattr(check, "valid", None)
    asked = request.handle is None or sid == request.handle
    to = getattr(check, "to", None)
    asked = asked and (request.handle is not None or to is None or to == request.recipient)
    if not asked or not isinstance(status, str):
        verdict = CheckVerdict.UNKNOWN
    elif status == "approved":
        verdict = (
            CheckVerdict.APPROVED if sid is not None and (valid is True or valid is None) else CheckVerdict.UNKNOWN
        )
    else:
        verdict = CheckVerdict.UNKNOWN if valid is True else _STATUSES.get(status, CheckVerdict.UNKNOWN)
    detail = "" if verdict is not CheckVerdict.UNKNOWN else "Twilio's answer cannot be trusted"
    return CheckAnswer(verdict, sid if asked else None, detail, native=check)


def check_failure(error: Exception, attempt: Attempt) -> CheckAnswer:
    """What an exception of a check means; never an approval."""
    if attempt.status is None:
        return CheckAnswer(CheckVerdict.UNKNOWN, detail=_no_answer(error, attempt)[1], native=error)
    code = _code(error, attempt.status)
    shown = None if code is None else str(code)
    if attempt.was_refused:
        row = row_for(attempt.status, code)
        detail = row.text if row.verdict is not CheckVerdict.GONE else "Twilio no longer knows this verification"
        return CheckAnswer(row.verdict, None, detail, shown, attempt.retry_after, error)
    detail = f"Twilio gave no usable answer (HTTP {attempt.status})"
    return CheckAnswer(CheckVerdict.UNKNOWN, None, detail, shown, attempt.retry_after, error)


def is_canceled(verification: object) -> bool:
    """Whether the answer to an update says that the verification was ended."""
    return getattr(verification, "status", None) == "canceled"


def _no_answer(error: Exception, attempt: Attempt) -> tuple[FailureKind, str]:
    if isinstance(error, ConfigurationError):
        return FailureKind.MISCONFIGURED, str(error)
    if attempt.is_over:
        return FailureKind.TIMEOUT, "Twilio did not answer in time"
    if attempt.maybe_sent:
        return FailureKind.INTERNAL, "the connection to Twilio broke before the answer was complete"
    return FailureKind.TRANSIENT, "no connection to Twilio"


def _sid(resource: object) -> str | None:
    sid = getattr(resource, "sid", None)
    return sid if isinstance(sid, str) and VERIFICATION_SID.fullmatch(sid) else None


def _code(error: Exception, status: int) -> int | None:
    """Twilio's code; the SDK puts the HTTP status in its place where the body has none."""
    code = getattr(error, "code", None)
    if isinstance(code, str) and re.fullmatch(r"[0-9]{5,6}", code):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and code != status else None
