"""What the values of the recipient record are made of: their base, the words they use, and a short form.

Rules of this file: it knows no value of the record but what an ended session shrinks to; which word may follow which is
`otpcore.machine`. `otpcore.model` re-exports the words.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Self

import msgspec

from otpcore.contract import CodeOwner

__all__ = ["CheckState", "Ended", "Instant", "SendState", "SessionStatus", "Stored", "milliseconds"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


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

    def but(self, **changes: Any) -> Self:
        """The same value with some fields exchanged."""
        return msgspec.structs.replace(self, **changes)


def milliseconds(at: datetime) -> int:
    """An instant, counted from 1970 on."""
    return (at - EPOCH) // MILLISECOND


class Ended(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an ended session shrinks to where it is stored: a list without names, for it is kept a day and seldom read.

    Attributes:
        id, purpose, status, proof, owner: of the session.
        ended_ms: when it ended, see `milliseconds`.
        by: the id of the operation that ended it.
    """

    id: str
    purpose: str
    status: SessionStatus
    proof: str | None
    ended_ms: int
    by: str
    owner: CodeOwner = CodeOwner.CORE

    @property
    def at(self) -> datetime:
        """When it ended."""
        return EPOCH + self.ended_ms * MILLISECOND
