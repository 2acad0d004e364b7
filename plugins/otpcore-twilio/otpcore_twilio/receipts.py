"""What Twilio tells of messages that were sent, as the core's delivery events: for Verify, and for Messaging.

Two kinds of requests come: arrays of CloudEvents (Event Streams: Verify's own events, and the Message Status stream)
and forms (the status callback of Programmable Messaging). Verify's events name the verification, which is the handle
of a session; the others name the message alone. Sources: Twilio's event types of Verify and Messaging and "Track
outbound message status", read in November 2026.

Rules of this file: pure, and only for what `signature` has judged. What cannot be read is refused whole and never
echoed; what is about something else (another service, another kind of event) is no event of ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, cast

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState
from otpcore_twilio.signature import Signed

__all__ = ["events_of"]

STATES: Final[Mapping[str, DeliveryState]] = MappingProxyType(
    {
        "accepted": DeliveryState.ACCEPTED,
        "scheduled": DeliveryState.ACCEPTED,
        "queued": DeliveryState.QUEUED,
        "sending": DeliveryState.SENDING,
        "sent": DeliveryState.SENT,
        "delivered": DeliveryState.DELIVERED,
        "read": DeliveryState.READ,
        "undelivered": DeliveryState.UNDELIVERED,
        "failed": DeliveryState.FAILED,
        "canceled": DeliveryState.FAILED,
        "expired": DeliveryState.EXPIRED,
    }
)
"""By Twilio's word, in lower case; any other word is UNKNOWN. A cancelled message never left."""

_VERIFICATION: Final = "com.twilio.accountsecurity.verify.verification."
_DLR: Final = "com.twilio.accountsecurity.verify.attempt-dlr."
_MESSAGE: Final = "com.twilio.messaging.message."

_HANDLE: Final = re.compile(r"VE[0-9a-f]{32}")
_MESSAGE_SID: Final = re.compile(r"(SM|MM)[0-9a-f]{32}")
_EVENT_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,100}")
_NUMBER: Final = re.compile(r"(whatsapp:)?(\+[1-9][0-9]{6,14})")
_ERROR: Final = re.compile(r"[0-9]{1,6}")

_Body = Mapping[str, object]


def events_of(signed: Signed, service_sid: str) -> Sequence[DeliveryEvent]:
    """The delivery events of one signed request, in its order; perhaps none.

    Args:
        signed: from `Signatures.judge`.
        service_sid: Verify's events of other services are left out; "": all of Verify's are.

    Raises:
        ReceiptRefused: it is not what Twilio sends.
    """
    if signed.fields is not None:
        return (_callback(signed.fields),)
    try:
        found: object = json.loads(signed.text or "")
    except (ValueError, RecursionError):
        raise ReceiptRefused("the body is not JSON") from None
    return tuple(event for one in _maps(found) for event in _cloud_event(one, service_sid))


def _callback(fields: Mapping[str, str]) -> DeliveryEvent:
    """A status callback. Its identity is message and status: each is told once, and may be told again."""
    sid, status = fields.get("MessageSid", ""), fields.get("MessageStatus", "")
    if not _MESSAGE_SID.fullmatch(sid) or not re.fullmatch(r"[a-z_]{1,30}", status):
        raise ReceiptRefused("the form is no status callback: MessageSid or MessageStatus is missing or misshapen")
    to, code = _recipient(fields.get("To")), _code(fields.get("ErrorCode"))
    return DeliveryEvent(f"{sid}.{status}", sid, to, _state(status), None, code)


def _cloud_event(event: _Body, service_sid: str) -> Sequence[DeliveryEvent]:
    name, data = event.get("type"), event.get("data")
    identity = event.get("id")
    if event.get("specversion") != "1.0" or not isinstance(name, str) or not isinstance(data, dict):
        raise ReceiptRefused("an element is no CloudEvent of version 1.0")
    if not isinstance(identity, str) or not _EVENT_ID.fullmatch(identity):
        raise ReceiptRefused("a CloudEvent has no usable id")
    body = cast("_Body", data)
    if name.startswith(_MESSAGE):
        return _of_message(identity, name.removeprefix(_MESSAGE), body)
    of_verify = service_sid and name.startswith((_VERIFICATION, _DLR))
    if not of_verify or body.get("service_sid") != service_sid:
        return ()
    handle, to = body.get("verification_sid"), _recipient(body.get("to"))
    if not isinstance(handle, str) or not _HANDLE.fullmatch(handle):
        raise ReceiptRefused("an event of Verify names no verification")
    if name.startswith(_DLR):
        state, code = _state(body.get("dlr_status")), _code(body.get("error_code"))
        return (DeliveryEvent(identity, handle, to, state, _instant(body.get("created_at")), code),)
    sends = body.get("send_code_attempts")
    attempts = _maps(cast("_Body", sends).get("attempts", [])) if isinstance(sends, dict) else []
    return [
        DeliveryEvent(
            f"{identity}.{_digest(str(one.get('attempt_sid')))}",
            handle,
            to,
            _state(one.get("delivery_status")),
            _instant(one.get("time")),
            _code(one.get("error_code")),
        )
        for one in attempts
    ]


def _of_message(identity: str, status: str, body: _Body) -> Sequence[DeliveryEvent]:
    sid = body.get("messageSid")
    if not isinstance(sid, str) or not _MESSAGE_SID.fullmatch(sid):
        raise ReceiptRefused("an event of a message names no message")
    at, code = _instant(body.get("timestamp")), _code(body.get("errorCode"))
    return (DeliveryEvent(identity, sid, _recipient(body.get("to")), _state(status), at, code),)


def _maps(found: object) -> list[_Body]:
    """An array of objects."""
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in cast("list[object]", found)):
        raise ReceiptRefused("the body is not an array of CloudEvents")
    return cast("list[_Body]", found)


def _state(word: object) -> DeliveryState:
    return STATES.get(word.lower(), DeliveryState.UNKNOWN) if isinstance(word, str) else DeliveryState.UNKNOWN


def _recipient(text: object) -> str | None:
    found = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else found[2]


def _code(given: object) -> str | None:
    text = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    return text if _ERROR.fullmatch(text) and int(text) else None


def _instant(text: object) -> datetime | None:
    """ISO 8601; aware, or nothing."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):  # the latter at the ends of the calendar
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:32]
