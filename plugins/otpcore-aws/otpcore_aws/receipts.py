"""What End User Messaging tells of messages, as the core's delivery events.

Source: "Example AWS End User Messaging SMS event data" and "Event types" of the user guide, read in November 2026. The
id of a message is the handle; an event of a message is told once for each type.

Rules of this file: pure, and only for what `signature` has judged. What cannot be read is refused whole and never
echoed; what is about something else (voice, media, RCS) is no event of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NoReturn, cast

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, Money
from otpcore_aws.signature import Notification
from otpcore_aws.translate import MESSAGE_ID

__all__ = ["STATES", "events_of"]

STATES: Final[Mapping[str, DeliveryState]] = MappingProxyType(
    {
        "TEXT_BLOCKED": DeliveryState.UNDELIVERED,
        "TEXT_CARRIER_BLOCKED": DeliveryState.UNDELIVERED,
        "TEXT_CARRIER_UNREACHABLE": DeliveryState.UNDELIVERED,
        "TEXT_DELIVERED": DeliveryState.DELIVERED,
        "TEXT_INVALID": DeliveryState.UNDELIVERED,
        "TEXT_INVALID_MESSAGE": DeliveryState.FAILED,
        "TEXT_PENDING": DeliveryState.SENDING,
        "TEXT_PROTECT_BLOCKED": DeliveryState.FAILED,
        "TEXT_QUEUED": DeliveryState.QUEUED,
        "TEXT_SENT": DeliveryState.SENT,
        "TEXT_SPAM": DeliveryState.UNDELIVERED,
        "TEXT_SUCCESSFUL": DeliveryState.SENT,
        "TEXT_TTL_EXPIRED": DeliveryState.EXPIRED,
        "TEXT_UNKNOWN": DeliveryState.UNKNOWN,
        "TEXT_UNREACHABLE": DeliveryState.UNDELIVERED,
    }
)
"""By type of event. SUCCESSFUL is the carrier's word that it took the message; in some countries it is the last one."""

CURRENCY: Final = "USD"
DEAREST: Final = Decimal(1000)
"""US dollars; what says more is not believed."""

_NUMBER: Final = re.compile(r"\+?([1-9][0-9]{6,14})")
_STATUS: Final = re.compile(r"[A-Z_]{1,40}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_Event = Mapping[str, object]


def events_of(told: Notification) -> Sequence[DeliveryEvent]:
    """The delivery event of a notification; none where it is about something else.

    Raises:
        ReceiptRefused: it is not what End User Messaging sends.
    """
    if not told.text:
        return ()
    event = _event(told.text)
    kind, handle = event.get("eventType"), event.get("messageId")
    if not isinstance(kind, str):
        raise ReceiptRefused("the message is no event of End User Messaging")
    if kind not in STATES:
        return ()
    if not isinstance(handle, str) or not MESSAGE_ID.fullmatch(handle):
        raise ReceiptRefused("the event names no message")
    number = event.get("destinationPhoneNumber")
    found = _NUMBER.fullmatch(number) if isinstance(number, str) else None
    status = event.get("messageStatus")
    return (
        DeliveryEvent(
            f"{handle}.{kind}",
            handle,
            None if found is None else f"+{found[1]}",
            STATES[kind],
            _instant(event.get("eventTimestamp")),
            status if isinstance(status, str) and _STATUS.fullmatch(status) else None,
            _cost(event.get("totalMessagePrice"), event.get("totalCarrierFee")),
        ),
    )


def _event(text: str) -> _Event:
    try:
        found: object = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError, ArithmeticError):
        raise ReceiptRefused("the message is not JSON") from None
    if not isinstance(found, dict):
        raise ReceiptRefused("the message is no event of End User Messaging")
    return cast("_Event", found)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _instant(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _cost(price: object, fee: object) -> Money | None:
    """Price and the carrier's fee together; None where there is no price, or no likely one."""
    price, fee = _amount(price), _amount(fee)
    return None if price is None else Money(price + (fee or Decimal(0)), CURRENCY)


def _amount(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < DEAREST:
        return None
    return Decimal(value)
