"""What the values of the recipient record are made of: their base, the words they use, and a short form.

Rules of this file: it knows no value of the record but what an ended session shrinks to; which word may follow which is
`otpcore.machine`. `otpcore.model` re-exports the words.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import msgspec

__all__ = ["CheckState", "Ended", "Instant", "Past", "SendState", "SessionStatus", "Stored", "instant", "milliseconds"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
"""From 1970 to the end of the year 9999, the last that an instant can have."""


class SessionStatus(StrEnum):
    """Where a session stands, in Twilio Verify's words."""

    PENDING = "pending"
    APPROVED = "approved"
    CANCELED = "canceled"
    MAX_ATTEMPTS_REACHED = "max_attempts_reached"
    EXPIRED = "expired"
    FAILED = "failed"


class SendState(StrEnum):
    """What is known of one send."""

    RESERVED = "reserved"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class CheckState(StrEnum):
    """What is known of one try at a code. A try that was approved or never made leaves no mark."""

    CLAIMED = "claimed"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A frozen value that is part of the stored record."""

    if TYPE_CHECKING:

        def but(self, **changes: Any) -> Self:
            """The same value with some fields exchanged."""
            ...
    else:
        but = msgspec.Struct.__replace__  # as it is: a function around it takes twice its time


def milliseconds(at: datetime) -> int:
    """An instant, counted from 1970 on."""
    return (at - EPOCH) // MILLISECOND


def instant(milliseconds: int) -> datetime:
    """The instant that was counted."""
    return EPOCH + milliseconds * MILLISECOND


class Ended(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an ended session shrinks to where it is stored: a list without names, for it is kept a day and seldom read.

    Attributes:
        id, purpose, status, proof, provider, region: of the session.
        ended_ms: when it ended, see `milliseconds`.
        by: the id of the operation that ended it.
    """

    id: str
    purpose: str
    status: SessionStatus
    proof: str | None
    ended_ms: Milliseconds
    by: str
    provider: str = ""
    region: str = ""


class Past(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a send shrinks to where it is stored, once its session has ended.

    Attributes:
        at_ms: when it was reserved, see `milliseconds`.
        provider, region: of the send.
    """

    at_ms: Milliseconds
    provider: str = ""
    region: str = ""
