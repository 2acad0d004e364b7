"""What a verification looks like to legacy code where no SDK gives an object of its own.

Rules of this file: the fields are those of Twilio's `VerificationInstance` and `VerificationCheckInstance`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from otpcore.results import Approved, Sent, Wrong

__all__ = ["CHANNEL", "SMSObject", "sms_of"]

CHANNEL: Final = "sms"
"""What the old class sent by."""


@dataclass(frozen=True, slots=True)
class SMSObject:
    """A verification, or a check of one.

    Attributes:
        sid: names it.
        to: the number, E.164.
        status: "pending" or "approved".
        channel: how the code went.
        valid: whether it was approved.
        send_code_attempts: the send that this object tells of, if it does.
        service_sid, account_sid, amount, payee, lookup, sna, sna_attempts_error_codes, url: empty; a vendor's own.
        date_created, date_updated: when it was made, aware.
    """

    sid: str
    to: str = field(repr=False)
    status: str
    channel: str = CHANNEL
    valid: bool = False
    send_code_attempts: tuple[dict[str, Any], ...] = ()
    service_sid: str | None = None
    account_sid: str | None = None
    amount: str | None = None
    payee: str | None = None
    lookup: dict[str, Any] | None = None
    sna: dict[str, Any] | None = None
    sna_attempts_error_codes: tuple[dict[str, Any], ...] = ()
    url: str | None = None
    date_created: datetime = field(default_factory=lambda: datetime.now(UTC))
    date_updated: datetime = field(default_factory=lambda: datetime.now(UTC))


def sms_of(result: Sent | Approved | Wrong, number: str) -> Any:
    """The SDK's own object where it says what a caller looks at, else one that has its fields."""
    status = "approved" if isinstance(result, Approved) else "pending"
    if getattr(result.native, "status", None) == status:
        return result.native
    if isinstance(result, Wrong):
        return SMSObject("", number, status, CHANNEL)
    view = result.session
    if isinstance(result, Approved):
        return SMSObject(view.id, number, status, CHANNEL, valid=True)
    now = datetime.now(UTC)
    attempts = ({"time": now.isoformat(), "channel": CHANNEL, "attempt_sid": None},)
    return SMSObject(view.id, number, status, CHANNEL, send_code_attempts=attempts)
