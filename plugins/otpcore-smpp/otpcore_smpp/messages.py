"""From a request of the core to submit_sm, and from the answer to what the core makes of it.

Rules of this file: pure, given the instant; values are put into fields and never joined into text. Where a message
goes in several parts, only a refusal of the first is a definite no.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from otpcore.ports import Accepted, Failure, FailureKind, SendEffect, SendRequest
from otpcore_smpp.alphabet import encode, split
from otpcore_smpp.pdu import PduError, Submit
from otpcore_smpp.session import Lost, Response, Unwritten
from otpcore_smpp.settings import IdNotation, SmppSettings
from otpcore_smpp.statuses import OK, refusal

__all__ = ["SubmitResponse", "in_doubt", "normal_id", "parts_of", "told"]

NUMBER: Final = re.compile(r"\+([1-9][0-9]{6,14})")
LONGEST_VALIDITY: Final = timedelta(days=30)
MOST_PARTS: Final = 10
"""Parts of one message; a text about a code has one."""

HEADER_OF_PARTS: Final = 0x40
"""esm_class: the message begins with a user data header (SMPP 3.4 clause 5.2.12)."""

BASES: Final = {"hex": 16, "decimal": 10}


@dataclass(frozen=True, slots=True)
class SubmitResponse:
    """`Accepted.native` and `Failure.native`: what the SMSC answered to one submit_sm.

    Attributes:
        status: command_status.
        message_id: as the SMSC wrote it.
    """

    status: int
    message_id: str | None = None


def parts_of(request: SendRequest, settings: SmppSettings, now: datetime) -> Sequence[bytes] | Failure:
    """The bodies of the submit_sm that carry the message, in order; nearly always one.

    Args:
        request: as the core gave it.
        settings: who sends, and how.
        now: aware; what is left until the code ends is counted from it.
    """
    number = NUMBER.fullmatch(request.recipient)
    if number is None:
        return _no(FailureKind.INVALID_RECIPIENT, "The recipient is no number in E.164.")
    text = _text(request)
    if not text:
        return _no(FailureKind.INTERNAL, "There is no text to send: this provider delivers codes of the core.")
    if request.expires_at - now < timedelta(seconds=1):
        return _no(FailureKind.INTERNAL, "The code has ended already.")
    try:
        encoded = encode(text, ucs2=settings.alphabet == "ucs2")
        whole = Submit(
            source=settings.source_address(),
            destination=(settings.destination_ton, settings.destination_npi, number[1]),
            esm_class=0,
            validity_period=_validity(request.expires_at, settings, now),
            registered_delivery=int(settings.receipts),
            data_coding=encoded.data_coding,
            octets=encoded.octets,
        )
        if encoded.fits:
            return (whole.encode(),)
        if settings.long_messages == "payload":
            return (replace(whole, payload=True).encode(),)
        return _parts(whole, [*split(encoded)], request.send_id)
    except PduError:
        return _no(FailureKind.CONTENT_REJECTED, "The message is too long.")
    except ValueError:  # after PduError, which is one
        return _no(FailureKind.CONTENT_REJECTED, "The text holds what no short message can.")


def _parts(whole: Submit, octets: Sequence[bytes], send_id: str) -> Sequence[bytes]:
    """Numbered parts; a receipt is asked for of the last alone, for it is the message's."""
    if len(octets) > MOST_PARTS:
        raise PduError
    reference = sum(send_id.encode("utf-8", "replace")) % 256
    parts = [
        replace(
            whole,
            esm_class=HEADER_OF_PARTS,
            octets=bytes((5, 0, 3, reference, len(octets), number)) + part,
            registered_delivery=whole.registered_delivery if number == len(octets) else 0,
        )
        for number, part in enumerate(octets, 1)
    ]
    return [part.encode() for part in parts]


def _text(request: SendRequest) -> str:
    """The core's words; without them a plain sentence around the code, and without that nothing."""
    if request.message is not None:
        return request.message.text
    return f"{request.code} is your code." if request.code else ""


def _validity(expires_at: datetime, settings: SmppSettings, now: datetime) -> str:
    """validity_period (SMPP 3.4 clause 7.1.1), in whole seconds, rounded so that it ends no later than the code."""
    match settings.validity:
        case "none":
            return ""
        case "absolute":
            return f"{expires_at.astimezone(UTC):%y%m%d%H%M%S}000+"
        case "relative":
            left = min(expires_at - now, LONGEST_VALIDITY)
            minutes, seconds = divmod(left.seconds, 60)
            hours, minutes = divmod(minutes, 60)
            return f"0000{left.days:02d}{hours:02d}{minutes:02d}{seconds:02d}000R"


def told(outcome: Response | Unwritten | Lost, settings: SmppSettings, segments: int) -> Accepted | Failure:
    """What the core is told of a submit_sm.

    Args:
        outcome: of it.
        settings: notation of ids, and meanings of statuses.
        segments: which part of the message it was; for a whole one 1.
    """
    match outcome:
        case Response(status=status, nacked=True) if status == OK:
            return _no(FailureKind.INTERNAL, "The SMSC did not understand the message.")
        case Response(status=status, message_id=given) if status == OK:
            handle = None if given is None else normal_id(given, settings.response_ids)
            return Accepted(handle, native=SubmitResponse(status, given), segments=segments)
        case Response(status=status):
            return refusal(status, settings.statuses, SubmitResponse(status))
        case Unwritten(waited=True):
            return _no(FailureKind.RATE_LIMITED, "The SMSC was busy with other messages until the deadline.")
        case Unwritten():
            return _no(FailureKind.TRANSIENT, "The link to the SMSC was lost before the message was written.")
        case Lost(waited=True):
            return Failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN, "The SMSC did not answer in time.")
        case Lost():
            return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, "The link was lost before the SMSC answered.")


def in_doubt(failure: Failure) -> Failure:
    """The failure of a part when earlier parts were taken: what of it arrives nobody knows."""
    return replace(failure, effect=SendEffect.UNKNOWN)


def normal_id(given: str, notation: IdNotation) -> str:
    """A message id in the one form that a response and a receipt of one message share.

    An SMSC may write it as a hexadecimal number in the response and as a decimal one, padded, in the receipt: then ids
    are compared as numbers. What is no number in its notation stays a text.
    """
    if notation == "text" or not re.fullmatch(r"[0-9A-Fa-f]+", given):
        return given
    try:
        return str(int(given, BASES[notation]))
    except ValueError:
        return given


def _no(kind: FailureKind, detail: str) -> Failure:
    return Failure(kind, SendEffect.NOT_SENT, detail)
