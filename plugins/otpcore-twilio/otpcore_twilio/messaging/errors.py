"""What Twilio's error codes mean to the core where a message of its own is sent, as data.

Sources: Twilio's error dictionary (twilio.com/docs/api/errors, one page for each code, November 2026), its changelog of
10 July 2024 ("number validation errors"), and "Test credentials" for what the test numbers answer. Codes from 30001 to
30999 come mostly with a status, seldom with a refusal.

Rules of this file: as for `otpcore_twilio.error_table`; data, and the look-up. A code decides, never a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from otpcore.ports import FailureKind, FailureScope, SendEffect
from otpcore_twilio.error_table import BY_STATUS, ERRORS, UNKNOWN, Row

__all__ = ["MESSAGE_ERRORS", "row_for"]


def _misconfigured(text: str) -> Row:
    return Row(FailureKind.MISCONFIGURED, text)


def _unreachable(text: str) -> Row:
    return Row(FailureKind.CHANNEL_UNREACHABLE, text)


def _rejected(text: str) -> Row:
    return Row(FailureKind.CONTENT_REJECTED, text)


def _full(text: str) -> Row:
    return Row(FailureKind.RATE_LIMITED, text)


def _one_number(kind: FailureKind, text: str) -> Row:
    return Row(kind, text, scope=FailureScope.RECIPIENT)


def _perhaps(kind: FailureKind, text: str) -> Row:
    return Row(kind, text, effect=SendEffect.UNKNOWN)


_BAD_NUMBER = ERRORS[21211]
_NO_ACCOUNT = _misconfigured("misconfigured: the account or the message does not exist for these credentials")
_NO_SERVICE = _misconfigured("the Messaging Service does not exist in this account")
_NO_SENDER = _misconfigured("the sender is no number, short code or id that this account may send from")
# of one country or carrier: as a fault of the account, one number there would switch the channel off everywhere
_UNREGISTERED = _one_number(FailureKind.MISCONFIGURED, "the sender is not registered or verified for this destination")

MESSAGE_ERRORS: Final[Mapping[int, Row]] = MappingProxyType(
    {
        20001: Row(FailureKind.INTERNAL, "Twilio does not know a parameter, or misses one"),
        20003: ERRORS[20003],
        20005: _misconfigured("misconfigured: the account is not active"),
        20008: _misconfigured("misconfigured: test credentials cannot do this"),
        20404: _NO_ACCOUNT,
        20429: ERRORS[20429],
        21211: _BAD_NUMBER,
        21212: _NO_SENDER,
        21214: _unreachable("the number cannot be reached"),
        21217: _BAD_NUMBER,
        21265: Row(FailureKind.INVALID_RECIPIENT, "the number is a short code"),
        21266: Row(FailureKind.INVALID_RECIPIENT, "the number is the sender's own"),
        21267: _misconfigured("a trial account cannot send from an alphanumeric sender id"),
        21408: ERRORS[21408],
        21601: _NO_SENDER,
        21602: _rejected("the message has no text"),
        21603: _misconfigured("neither a sender nor a Messaging Service is set"),
        21604: Row(FailureKind.INTERNAL, "no recipient was given"),
        21606: _NO_SENDER,
        21608: ERRORS[21608],
        21609: _misconfigured("Twilio does not accept the URL of status callbacks"),
        21610: ERRORS[21610],
        21611: _full("the queue of the sender is full"),
        21612: ERRORS[21612],
        21614: ERRORS[21614],
        21617: _rejected("the text is longer than Twilio takes"),
        21635: _unreachable("a landline cannot receive an SMS; offer a call"),
        21659: _NO_SENDER,
        21660: _NO_SENDER,
        21661: _NO_SENDER,
        21701: _NO_SERVICE,
        21703: _one_number(FailureKind.MISCONFIGURED, "the Messaging Service has no sender for this destination"),
        21705: _NO_SERVICE,
        21730: Row(FailureKind.TRANSIENT, "Twilio is under maintenance"),
        30001: Row(FailureKind.TRANSIENT, "the queue of the message overflowed"),
        30002: _misconfigured("the account was suspended while the message waited"),
        30003: _unreachable("the phone cannot be reached: switched off, without coverage or without service"),
        30004: _one_number(FailureKind.DESTINATION_BLOCKED, "the phone or its carrier blocks such messages"),
        30005: Row(FailureKind.INVALID_RECIPIENT, "the number is unknown or out of service"),
        30006: _unreachable("a landline, or a carrier that cannot be reached; offer a call"),
        30007: _one_number(FailureKind.CONTENT_REJECTED, "Twilio or the carrier filtered the text"),
        30008: _perhaps(FailureKind.INTERNAL, "the carrier did not deliver and did not say why"),
        30022: _full("the sender is over the carrier's rate"),
        30023: _full("the sender is over the carrier's limit of the day"),
        30024: _UNREGISTERED,
        30032: _UNREGISTERED,
        30034: _UNREGISTERED,
        30036: Row(FailureKind.TRANSIENT, "the message waited longer than its code lives, and was not sent"),
        30410: _perhaps(FailureKind.TIMEOUT, "the carrier did not answer in time, and may have taken the message"),
        30450: ERRORS[30450],
        63038: Row(FailureKind.QUOTA_EXHAUSTED, "the account is over its limit of messages in a day"),
        90007: Row(FailureKind.INTERNAL, "Twilio does not accept the validity period"),
    }
)
"""By Twilio's error code."""

_BY_STATUS: Final[Mapping[int, Row]] = MappingProxyType({**BY_STATUS, 404: _NO_ACCOUNT})


def row_for(status: int, code: int | None) -> Row:
    """The row of a refusal; for a code that the table does not know, that of its HTTP status.

    Args:
        status: 400 to 499; of a message that was taken and then failed, its 201.
        code: Twilio's own, where it gave one.
    """
    return (MESSAGE_ERRORS.get(code) if code is not None else None) or _BY_STATUS.get(status, UNKNOWN)
