"""Between the core's values and the SDK's: what a call is given, and what its answer means. Pure.

Rules of this file: no I/O and no SDK import; what comes from the SDK is read attribute by attribute as something that
may hold anything. Only the literal "completed", of the verification that was asked about, approves. Whether a message
may be on its way is read off the attempt and the HTTP status alone. No vendor text goes into a `detail`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    FailureScope,
    SendEffect,
    SendRequest,
)
from otpcore_vonage.attempt import Attempt
from otpcore_vonage.error_table import SENDS, check_row, send_row
from otpcore_vonage.settings import VonageSettings, secret_of

__all__ = [
    "CONFLICT",
    "EXTRA",
    "LOCALES",
    "NOT_FOUND",
    "NO_CONTENT",
    "REQUEST_ID",
    "accepted",
    "adopted",
    "check_answer",
    "check_failure",
    "check_problem",
    "held_elsewhere",
    "locale_of",
    "new_request",
    "owner_of",
    "send_failure",
]

NO_CONTENT: Final = 204
NOT_FOUND: Final = 404
CONFLICT: Final = 409

REQUEST_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""The SDK puts ids into paths as they are; only this shape gets there."""

RECIPIENT: Final = re.compile(r"\+[1-9][0-9]{6,14}")
EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
CODE: Final = re.compile(r"[0-9]{4,10}")

EXTRA: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "brand": re.compile(r"[^\\/{}:$\x00-\x1f]{1,16}"),
        "client_ref": re.compile(r"[ -~]{1,16}"),
        "app_hash": re.compile(r"[A-Za-z0-9+/]{11}"),
        "entity_id": re.compile(r"[0-9]{1,20}"),
        "content_id": re.compile(r"[0-9]{1,20}"),
    }
)
"""What a send may carry in `extra`, by Vonage's names (the API reference of Verify v2, 1.0.1)."""

LOCALES: Final = (
    "en-us",
    "en-gb",
    "es-es",
    "es-mx",
    "es-us",
    "it-it",
    "fr-fr",
    "de-de",
    "ru-ru",
    "hi-in",
    "pt-br",
    "pt-pt",
    "id-id",
)
"""Those of the SDK's own list, in its order; of two of one language the first is the usual one."""

VOICES: Final[Mapping[str, str]] = MappingProxyType({"call": "voice"})
"""Vonage's word for a channel of the core's; the others are the same."""

_BY_NUMBER: Final = frozenset({"sms", "call", "whatsapp"})


def owner_of(request: SendRequest) -> CodeOwner:
    """Whose the code of a send is."""
    return CodeOwner.PROVIDER if request.code is None else CodeOwner.CORE


def locale_of(asked: str | None, settings: VonageSettings) -> str | None:
    """Vonage's locale for a language tag: the same, or the first of its language; None: Vonage's own choice."""
    for text in (asked or "", settings.locale):
        tag = text.strip().lower().replace("_", "-")
        if tag in LOCALES:
            return tag
        language = tag.partition("-")[0]
        if near := [each for each in LOCALES if language and each.startswith(f"{language}-")]:
            return near[0]
    return None


def new_request(request: SendRequest, settings: VonageSettings) -> dict[str, Any] | Failure:
    """The fields of a new request, in Vonage's names with the steps as plain mappings; or why there can be none."""
    kind, problem = _send_problem(request, settings)
    if problem:
        return Failure(kind, SendEffect.NOT_SENT, problem)
    extra = request.extra
    given: dict[str, Any] = {
        "brand": extra.get("brand", settings.brand),
        "workflow": [_step(step, request, settings) for step in settings.workflow(request.channel)],
        "channel_timeout": settings.channel_timeout_s,
        "locale": locale_of(request.locale, settings),
        "client_ref": extra.get("client_ref") or _reference(request, settings),
        "code_length": settings.code_length if request.code is None else None,
        "code": request.code,
    }
    return {name: value for name, value in given.items() if value is not None}


def _reference(request: SendRequest, settings: VonageSettings) -> str | None:
    """The number's digits, where callbacks are read: they name a verification and no number, and repeat this."""
    return request.recipient[1:] if secret_of(settings.signature_secret) and request.channel in _BY_NUMBER else None


def _step(channel: str, request: SendRequest, settings: VonageSettings) -> dict[str, str]:
    to = request.recipient if channel == "email" else request.recipient.removeprefix("+")
    step = {"channel": VOICES.get(channel, channel), "to": to}
    if channel == "sms":
        step |= {
            "from_": settings.sms_from,
            "app_hash": request.extra.get("app_hash", ""),
            "entity_id": request.extra.get("entity_id", settings.entity_id),
            "content_id": request.extra.get("content_id", settings.content_id),
        }
    elif channel in {"whatsapp", "email"}:
        step["from_"] = settings.whatsapp_from if channel == "whatsapp" else settings.email_from
    return {name: value for name, value in step.items() if value}


def _send_problem(request: SendRequest, settings: VonageSettings) -> tuple[FailureKind, str]:
    kind, problem = FailureKind.CONTENT_REJECTED, ""
    if not settings.workflow(request.channel):
        kind, problem = FailureKind.CHANNEL_UNREACHABLE, "the channel is none of those that this provider declares"
    elif not (EMAIL if request.channel == "email" else RECIPIENT).fullmatch(request.recipient):
        wanted = "an e-mail address" if request.channel == "email" else "an E.164 number"
        kind, problem = FailureKind.INVALID_RECIPIENT, f"the recipient is not {wanted}"
    elif request.code is not None and not settings.custom_code_enabled:
        kind, problem = FailureKind.MISCONFIGURED, "a code of the core needs custom_code_enabled (setting and account)"
    elif request.code is not None and not CODE.fullmatch(request.code):
        problem = "a custom code has 4 to 10 digits"
    elif unknown := request.extra.keys() - EXTRA.keys():
        problem = f"{len(unknown)} of the parameters in extra are none that this provider passes on"
    elif wrong := [name for name, value in request.extra.items() if not EXTRA[name].fullmatch(value)]:
        problem = f"{wrong[0]} in extra is not what Vonage takes"
    elif request.timeout_s <= 0:
        kind, problem = FailureKind.TIMEOUT, "no time was left for the request"
    return kind, problem


def accepted(response: object) -> Accepted | Failure:
    """Read the answer to a new request that came with a 2xx status."""
    request_id = _request_id(getattr(response, "request_id", None))
    if request_id is None:
        detail = "Vonage's answer names no verification"
        return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, detail, native=response)
    return Accepted(request_id, response)


def adopted(attempt: Attempt) -> str | None:
    """The live verification that stands in the way of a new one: the 409 names it."""
    return _request_id((attempt.document or {}).get("request_id"))


def held_elsewhere(error: Exception, attempt: Attempt, *, owner: CodeOwner) -> Failure:
    """A new request met a live verification that is not, or must not be, the one of this send. Nothing was sent."""
    if owner is CodeOwner.CORE:
        detail = "another verification of the number was live, so this code did not go out; the next send can"
        return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT, detail, "409", FailureScope.RECIPIENT, native=error)
    row = SENDS[409]
    return Failure(row.kind, SendEffect.NOT_SENT, row.text, "409", row.scope, attempt.retry_after, error)


def send_failure(error: Exception, attempt: Attempt) -> Failure:
    """What an exception of a new request, or of a step to the next channel, means."""
    if attempt.status is None:
        return _unanswered(error, attempt)
    shown = str(attempt.status)
    if attempt.was_refused:
        row = send_row(attempt.status, attempt.problem)
        kind, text = row.kind, row.text
        if kind is FailureKind.INVALID_RECIPIENT and not _is_about_the_number(attempt):
            kind, text = FailureKind.CONTENT_REJECTED, "Vonage does not accept a parameter other than the number"
        return Failure(kind, SendEffect.NOT_SENT, text, shown, row.scope, attempt.retry_after, error)
    detail = f"Vonage gave no usable answer (HTTP {attempt.status})"
    return Failure(
        FailureKind.INTERNAL, SendEffect.UNKNOWN, detail, shown, retry_after=attempt.retry_after, native=error
    )


def _is_about_the_number(attempt: Attempt) -> bool:
    """A 422 lists what it does not accept; where it lists nothing, only the number was not judged here before."""
    listed = (attempt.document or {}).get("invalid_parameters")
    each = cast("list[object]", listed) if isinstance(listed, list) else []
    named = [cast("Mapping[str, object]", one).get("name") for one in each if isinstance(one, dict)]
    found = [name for name in named if isinstance(name, str)]
    return not found or any(re.search(r"(^|[^a-z])to$|workflow", name) for name in found)


def check_problem(request: CheckRequest) -> CheckAnswer | None:
    """Why a check cannot be made; None where it can."""
    problem = ""
    if request.handle is None or not REQUEST_ID.fullmatch(request.handle):
        problem = "a check needs the id that Vonage gave to the verification"
    elif not CODE.fullmatch(request.code):
        problem = "a code has 4 to 10 digits"
    elif request.extra:
        problem = "a check passes no parameters on"
    elif request.timeout_s <= 0:
        problem = "no time was left for the request"
    return CheckAnswer(CheckVerdict.DENIED, detail=problem) if problem else None


def check_answer(response: object, request: CheckRequest, attempt: Attempt) -> CheckAnswer:
    """Read the answer to a check that came with a 2xx status."""
    # what came over the wire, not what the SDK's model made of it
    document = attempt.document or {}
    request_id = _request_id(document.get("request_id"))
    asked = request_id is not None and request.handle is not None and request_id.lower() == request.handle.lower()
    if asked and document.get("status") == "completed":
        return CheckAnswer(CheckVerdict.APPROVED, request.handle, native=response)
    return CheckAnswer(CheckVerdict.UNKNOWN, detail="Vonage's answer cannot be trusted", native=response)


def check_failure(error: Exception, attempt: Attempt) -> CheckAnswer:
    """What an exception of a check means; never an approval."""
    if attempt.status is None:
        return CheckAnswer(CheckVerdict.UNKNOWN, detail=_unanswered(error, attempt).detail, native=error)
    shown = str(attempt.status)
    verdict, detail = CheckVerdict.UNKNOWN, f"Vonage gave no usable answer (HTTP {attempt.status})"
    if attempt.was_refused:
        verdict, detail = check_row(attempt.status)
    if verdict is CheckVerdict.WRONG and attempt.document is None:
        verdict, detail = CheckVerdict.UNKNOWN, "a refusal that is not in Vonage's form"  # a proxy's, perhaps
    return CheckAnswer(verdict, None, detail, shown, attempt.retry_after, error)


def _unanswered(error: Exception, attempt: Attempt) -> Failure:
    if not attempt.maybe_sent and type(error).__name__ == "ValidationError":  # pydantic's, of the SDK's own model
        detail = "the SDK does not take one of the parameters"
        return Failure(FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT, detail, native=error)
    return attempt.unanswered("Vonage", error)


def _request_id(found: object) -> str | None:
    return found if isinstance(found, str) and REQUEST_ID.fullmatch(found) else None
