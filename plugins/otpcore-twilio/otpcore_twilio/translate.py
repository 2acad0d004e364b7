"""Between the core's values and the SDK's: what a call is given, and what its answer means. Pure.

Rules of this file: no I/O and no SDK import; what comes from the SDK is read attribute by attribute as something
that may hold anything. Only the literal "approved" approves. Whether a message may be on its way is
read off the attempt and the HTTP status alone. No vendor text goes into a `detail`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    SendEffect,
    SendRequest,
)
from otpcore.providers.transport import Attempt
from otpcore_twilio.error_table import ERRORS, Row, row_for
from otpcore_twilio.parameters import EMAIL, LOCALE, OF_CHECKS, OF_SENDS, is_clean, problem_of
from otpcore_twilio.settings import TwilioSettings

__all__ = [
    "VERIFICATION_SID",
    "accepted",
    "check_answer",
    "check_failure",
    "check_parameters",
    "converted",
    "create_parameters",
    "has_status",
    "older_verification",
    "send_failure",
]

VERIFICATION_SID = re.compile(r"VE[0-9a-f]{32}")
"""The SDK puts ids into paths as they are; only this shape gets there."""

RECIPIENT = re.compile(r"\+[1-9][0-9]{6,14}")
CODE = re.compile(r"[0-9]{4,10}")
PAYMENT = frozenset({"Amount", "Payee"})
SILENT_PENDING = 60519
_SPOKEN = frozenset({"sms", "call", "whatsapp"})
"""The channels whose messages have a language of their own choosing [specification, `Locale`]."""

_SILENT = frozenset({"sna", "auto"})
"""The channels that may be a silent network authentication, which has no code."""

_TEMPLATED = frozenset({"sms", "call"})
"""The channels that have templates [specification, `TemplateSid`]."""

_STATUSES: Mapping[str, CheckVerdict] = MappingProxyType(
    {
        "pending": CheckVerdict.WRONG,
        "max_attempts_reached": CheckVerdict.EXHAUSTED,
        "expired": CheckVerdict.EXPIRED,
        "canceled": CheckVerdict.GONE,
        "deleted": CheckVerdict.GONE,
    }
)


def create_parameters(request: SendRequest, settings: TwilioSettings) -> dict[str, str] | Failure:
    """The keyword arguments of `verifications.create`, or why the request cannot be made."""
    kind, problem = _send_problem(request, settings)
    if problem:
        return Failure(kind, SendEffect.NOT_SENT, problem)
    extra = {**_defaults(request, settings), **request.extra}
    if limits := _rate_limits(request, settings):
        extra["RateLimits"] = limits
    parameters = {"to": request.recipient, "channel": request.channel}
    parameters |= {OF_SENDS[name].argument: value for name, value in extra.items()}
    locale = request.locale or (settings.locale if request.channel in _SPOKEN else "")
    if locale:
        parameters["locale"] = locale
    if request.code is not None:
        parameters["custom_code"] = request.code
    return parameters


def _defaults(request: SendRequest, settings: TwilioSettings) -> dict[str, str]:
    """What the settings say about a message where the call does not."""
    given = {"CustomFriendlyName": settings.friendly_name if request.channel != "sna" else ""}
    if request.channel in _TEMPLATED and "Templates" not in request.extra:
        given["TemplateSid"] = settings.template_sid
    if request.channel == "sms":
        given["RiskCheck"] = settings.risk_check or ""
    if request.channel in _SILENT:
        given["EnableSnaClientToken"] = "true"  # or whoever knows the session could ask for the outcome
    return {name: value for name, value in given.items() if value}


def _rate_limits(request: SendRequest, settings: TwilioSettings) -> str:
    """The keys of the programmable rate limits: the source's pseudonym, and what the call gives wins."""
    if not settings.rate_limits or not request.source:
        return ""
    by_source = dict.fromkeys(settings.rate_limits, request.source)
    return json.dumps(by_source | json.loads(request.extra.get("RateLimits", "{}")))


def _send_problem(request: SendRequest, settings: TwilioSettings) -> tuple[FailureKind, str]:
    kind, problem = FailureKind.CONTENT_REJECTED, ""
    if not (EMAIL if request.channel == "email" else RECIPIENT).fullmatch(request.recipient):
        wanted = "an e-mail address" if request.channel == "email" else "an E.164 number"
        kind, problem = FailureKind.INVALID_RECIPIENT, f"the recipient is not {wanted}"
    elif request.channel not in settings.channels:
        kind, problem = FailureKind.CHANNEL_UNREACHABLE, "the channel is none of those that this provider declares"
    elif request.code is not None and not settings.custom_code_enabled:
        kind, problem = FailureKind.MISCONFIGURED, "a code of the core needs custom_code_enabled (setting and service)"
    elif request.code is not None and not CODE.fullmatch(request.code):
        problem = "a custom code has 4 to 10 digits"
    elif request.code is not None and request.channel in _SILENT:
        problem = "a silent network authentication carries no code"
    elif request.locale is not None and not LOCALE.fullmatch(request.locale):
        problem = "the locale is not a language tag"
    elif settings.rate_limits and not is_clean(request.source or ""):
        problem = "a control character in the source"
    elif wrong := problem_of(request.extra, OF_SENDS):
        problem = wrong
    elif wrong := _payment_problem(request.extra, settings):
        kind, problem = FailureKind.CONTENT_REJECTED if settings.psd2_enabled else FailureKind.MISCONFIGURED, wrong
    elif settings.psd2_enabled and request.code is not None:
        problem = "a payment is bound to codes of Twilio's own, not of the core's"
    elif settings.psd2_enabled and request.channel in {"call", *_SILENT}:
        problem = "a payment is confirmed neither by call nor silently"
    elif request.timeout_s <= 0:
        kind, problem = FailureKind.TIMEOUT, "no time was left for the request"
    return kind, problem


def _payment_problem(extra: Mapping[str, str], settings: TwilioSettings) -> str:
    """A payment confirms both, with the same values at the start and at the check; nothing else confirms either."""
    given = PAYMENT.intersection(extra)
    if settings.psd2_enabled:
        return "" if given == PAYMENT else "a payment needs Amount and Payee, at the start and at the check"
    return "Amount and Payee need psd2_enabled (setting and service)" if given else ""


def accepted(verification: object, request: SendRequest) -> Accepted | Failure:
    """Read the answer to a create that came with a 2xx status."""
    sid = _sid(verification)
    if not _is_bound(verification, request.extra):
        detail = "Twilio did not bind the code to the payment: PSD2 is not switched on in the service"
        return Failure(FailureKind.MISCONFIGURED, SendEffect.UNKNOWN, detail, native=verification)
    if sid is None or getattr(verification, "status", None) != "pending":
        return Failure(
            FailureKind.INTERNAL,
            SendEffect.UNKNOWN,
            "Twilio's answer holds no pending verification",
            native=verification,
        )
    if older_verification(verification, request):
        detail = "Twilio sent an earlier code of this number once more, and not this one; the next send can be this one"
        return Failure(FailureKind.TRANSIENT, SendEffect.UNKNOWN, detail, native=verification)
    return Accepted(sid, verification)


def older_verification(verification: object, request: SendRequest) -> str | None:
    """The SID of an answer, where it is that of a verification which had sent before.

    Twilio sends the code of a live verification once more, and ignores another one that comes with the request.
    """
    sends = getattr(verification, "send_code_attempts", None)
    again = isinstance(sends, list) and len(cast("list[object]", sends)) > 1
    return _sid(verification) if again and request.code is not None else None


def send_failure(error: Exception, attempt: Attempt, look_up: Callable[[int, int | None], Row] = row_for) -> Failure:
    """What an exception of a create means; `look_up` finds the row of a refusal by HTTP status and code."""
    if attempt.status is None:
        return attempt.unanswered("Twilio", error)
    code = _code(error, attempt.status)
    shown = None if code is None else str(code)
    if attempt.was_refused:
        row = look_up(attempt.status, code)
        return Failure(row.kind, row.effect, row.text, shown, row.scope, attempt.retry_after, error)
    return Failure(
        FailureKind.INTERNAL,
        SendEffect.UNKNOWN,
        f"Twilio gave no usable answer (HTTP {attempt.status})",
        shown,
        retry_after=attempt.retry_after,
        native=error,
    )


def check_parameters(request: CheckRequest, settings: TwilioSettings) -> dict[str, str] | CheckAnswer:
    """The keyword arguments of `verification_checks.create`, or why the check cannot be made."""
    problem = ""
    silent = request.extra.get("SnaClientToken")
    if not CODE.fullmatch(request.code):
        problem = "a code has 4 to 10 digits"
    elif request.handle is not None and not VERIFICATION_SID.fullmatch(request.handle):
        problem = "the handle is not the SID of a verification"
    elif request.handle is None and not RECIPIENT.fullmatch(request.recipient or ""):
        problem = "neither a handle nor an E.164 recipient was given"
    elif wrong := problem_of(request.extra, OF_CHECKS) or _payment_problem(request.extra, settings):
        problem = wrong
    elif request.timeout_s <= 0:
        problem = "no time was left for the request"
    if problem:
        return CheckAnswer(CheckVerdict.DENIED, detail=problem)
    parameters = {OF_CHECKS[name].argument: value for name, value in request.extra.items()}
    if silent is None:
        parameters["code"] = request.code
    if request.handle is not None:
        return parameters | {"verification_sid": request.handle}
    return parameters | {"to": request.recipient or ""}


def check_answer(check: object, request: CheckRequest) -> CheckAnswer:
    """Read the answer to a check that came with a 2xx status.

    An answer about another verification than the one asked for is no answer, nor is one about another payment.
    """
    sid = _sid(check)
    status, valid = getattr(check, "status", None), getattr(check, "valid", None)
    asked = request.handle is None or sid == request.handle
    to = getattr(check, "to", None)
    asked = asked and (request.handle is not None or to is None or to == request.recipient)
    if not asked or not isinstance(status, str):
        verdict = CheckVerdict.UNKNOWN
    elif status == "approved":
        literal = sid is not None and (valid is True or valid is None) and _is_bound(check, request.extra)
        verdict = CheckVerdict.APPROVED if literal else CheckVerdict.UNKNOWN
    elif status == "pending" and "SnaClientToken" in request.extra and _is_under_way(check):
        verdict = CheckVerdict.THROTTLED
    else:
        verdict = CheckVerdict.UNKNOWN if valid is True else _STATUSES.get(status, CheckVerdict.UNKNOWN)
    detail = "Twilio's answer cannot be trusted" if verdict is CheckVerdict.UNKNOWN else ""
    detail = ERRORS[SILENT_PENDING].text if verdict is CheckVerdict.THROTTLED else detail
    return CheckAnswer(verdict, sid if asked else None, detail, native=check)


def check_failure(error: Exception, attempt: Attempt) -> CheckAnswer:
    """What an exception of a check means; never an approval."""
    if attempt.status is None:
        return CheckAnswer(CheckVerdict.UNKNOWN, detail=attempt.unanswered("Twilio", error).detail, native=error)
    code = _code(error, attempt.status)
    shown = None if code is None else str(code)
    if attempt.was_refused:
        row = row_for(attempt.status, code)
        detail = row.text if row.verdict is not CheckVerdict.GONE else "Twilio no longer knows this verification"
        return CheckAnswer(row.verdict, None, detail, shown, attempt.retry_after, error)
    detail = f"Twilio gave no usable answer (HTTP {attempt.status})"
    return CheckAnswer(CheckVerdict.UNKNOWN, None, detail, shown, attempt.retry_after, error)


def has_status(verification: object, handle: str, status: str) -> bool:
    """Whether the answer to an update says that this verification has this status."""
    return _sid(verification) == handle and getattr(verification, "status", None) == status


def converted(attempts: object, handle: str, service_sid: str) -> CheckAnswer | None:
    """Read the log of a verification's sends: APPROVED where one of them was converted, else None.

    That none is converted says nothing: Twilio's log follows what it tells of after a while.
    """
    for one in cast("list[object]", attempts) if isinstance(attempts, list) else []:
        whose = getattr(one, "verification_sid", None), getattr(one, "service_sid", None)
        if whose == (handle, service_sid) and getattr(one, "conversion_status", None) == "converted":
            return CheckAnswer(CheckVerdict.APPROVED, handle, native=one)
    return None


def _is_under_way(check: object) -> bool:
    """Whether nobody knows yet what comes of the newest silent authentication."""
    tries = getattr(check, "sna_attempts_error_codes", None)
    newest = cast("list[object]", tries)[-1] if isinstance(tries, list) and tries else None
    return isinstance(newest, dict) and cast("dict[str, object]", newest).get("code") == SILENT_PENDING


def _is_bound(resource: object, extra: Mapping[str, str]) -> bool:
    """Whether an answer names the payment that was asked for."""
    bound = {"Amount": getattr(resource, "amount", None), "Payee": getattr(resource, "payee", None)}
    return all(bound[name] == extra[name] for name in PAYMENT & extra.keys())


def _sid(resource: object) -> str | None:
    sid = getattr(resource, "sid", None)
    return sid if isinstance(sid, str) and VERIFICATION_SID.fullmatch(sid) else None


def _code(error: Exception, status: int) -> int | None:
    """Twilio's code; the SDK puts the HTTP status in its place where the body has none."""
    code = getattr(error, "code", None)
    if isinstance(code, str) and re.fullmatch(r"[0-9]{5,6}", code):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and code != status else None
