"""Programmable Messaging: a message is sent, shown, and its outcome told.

Rule of this file: the parameters of a message, and what each of them must be; what happens then is in `texting`.
"""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.magic import FROM_NUMBERS, Operation
from otpcore_twilio.emulator.request import Answer
from otpcore_twilio.emulator.resources.verifications import with_magic
from otpcore_twilio.emulator.texting import LONGEST_TEXT, Draft, send

if TYPE_CHECKING:
    from otpcore_twilio.emulator import wire
    from otpcore_twilio.emulator.records import Text
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS"]

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_SENDER: Final = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|(?=.*[A-Za-z])[0-9A-Za-z &+_-]{1,11}", re.ASCII)
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}")
_PERIOD: Final = re.compile(r"0*[1-9][0-9]{0,4}", re.ASCII)
_LONGEST_S: Final = 36_000
_VERSION: Final = "2010-04-01"
_PATH: Final = f"/{_VERSION}/Accounts/{{account_sid}}/Messages"


def _own(call: Call) -> None:
    """The account in the path is the one that asks, or 20404."""
    if call.names["account_sid"] != call.account_sid:
        raise Refusal(20404, call.path)


def _sender(call: Call) -> tuple[str | None, str | None]:
    """Sender and service: one of them, or both."""
    sender, service = call.form.get("From") or None, call.form.get("MessagingServiceSid") or None
    if sender is None and service is None:
        raise Refusal(21603)
    if service is not None and not _SERVICE.fullmatch(service):
        raise Refusal(21705)
    if sender is not None:
        if not _SENDER.fullmatch(sender):
            raise Refusal(21212)
        if sender in FROM_NUMBERS:
            raise Refusal(FROM_NUMBERS[sender])
    return sender, service


def _boolean(call: Call, name: str) -> bool:
    value = call.form.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise Refusal(20001, name)
    return value == "true"


def _callback(value: str | None) -> str | None:
    if not value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        raise Refusal(21609) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "_" in parts.netloc:
        raise Refusal(21609)
    return value


def _draft(call: Call) -> Draft:
    form = call.form
    to, body = form.get("To", ""), form.get("Body", "")
    if not to:
        raise Refusal(21604)
    if not _NUMBER.fullmatch(to):
        raise Refusal(21211)
    sender, service = _sender(call)
    if not body:
        raise Refusal(21602)
    if len(body) > LONGEST_TEXT:
        raise Refusal(21617)
    if to == sender:
        raise Refusal(21266)
    period = form.get("ValidityPeriod", str(_LONGEST_S))
    if not _PERIOD.fullmatch(period) or int(period) > _LONGEST_S:
        raise Refusal(90007)
    if form.get("RiskCheck", "enable") not in {"enable", "disable"}:
        raise Refusal(20001, "RiskCheck")
    feedback = _boolean(call, "ProvideFeedback")
    callback = _callback(form.get("StatusCallback"))
    return Draft(to=to, sender=sender, service_sid=service, body=body, feedback=feedback, callback=callback)


def _body(text: Text, call: Call, *, status: str, error_code: int | None, segments: int) -> wire.Body:
    """In the order of the specification's examples."""
    at, uri = format_datetime(text.created_at.replace(microsecond=0)), f"{_uri(call, text)}.json"
    return {
        "account_sid": call.account_sid,
        "api_version": _VERSION,
        "body": text.body,
        "date_created": at,
        "date_sent": None if status in {"accepted", "queued"} else at,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": error_code,
        "error_message": None,
        "from": text.sender,
        "messaging_service_sid": text.service_sid,
        "num_media": "0",
        "num_segments": str(segments),
        "price": None,
        "price_unit": "USD",
        "sid": text.sid,
        "status": status,
        "subresource_uris": {"media": f"{_uri(call, text)}/Media.json"},
        "to": text.to,
        "uri": uri,
    }


def _uri(call: Call, text: Text) -> str:
    return f"/{_VERSION}/Accounts/{call.account_sid}/Messages/{text.sid}"


def create_message(call: Call) -> Answer:
    """POST /2010-04-01/Accounts/{AccountSid}/Messages.json."""
    _own(call)
    draft = _draft(call)

    def proceed() -> Answer:
        text = send(call.world, draft, now=call.now)
        chosen = text.service_sid is None
        status, segments = ("queued", text.segments) if chosen else ("accepted", 0)
        return Answer(201, _body(text, call, status=status, error_code=None, segments=segments))

    return with_magic(call, draft.to, Operation.MESSAGE, "sms", proceed)


def fetch_message(call: Call) -> Answer:
    """GET /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json."""
    _own(call)
    text = call.found(call.world.held.texts)
    body = _body(text, call, status=text.status, error_code=text.error_code, segments=text.segments)
    return Answer(200, body)


def create_feedback(call: Call) -> Answer:
    """POST /2010-04-01/Accounts/{AccountSid}/Messages/{MessageSid}/Feedback.json."""
    _own(call)
    text = call.found(call.world.held.texts)
    outcome = call.form.get("Outcome", "confirmed")
    if outcome not in {"confirmed", "unconfirmed"}:
        raise Refusal(20001, "Outcome")
    if not text.feedback:
        raise Refusal(20404, call.path)
    text.outcome = outcome
    at = format_datetime(call.now.replace(microsecond=0))
    body = {
        "account_sid": call.account_sid,
        "date_created": at,
        "date_updated": at,
        "message_sid": text.sid,
        "outcome": outcome,
        "uri": f"{_uri(call, text)}/Feedback.json",
    }
    return Answer(200, body)


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", f"{_PATH}.json", create_message),
    ("GET", f"{_PATH}/{{sid}}.json", fetch_message),
    ("POST", f"{_PATH}/{{sid}}/Feedback.json", create_feedback),
)
"""Method, path and handler of each operation."""
