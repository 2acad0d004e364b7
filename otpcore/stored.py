"""What the values of the recipient record are made of: base, words, short forms, and the version of the layout.

Rules of this file: it knows no value of the record but what is stored as a list; which word may follow which is
`otpcore.machine`. `otpcore.model` re-exports the words.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, cast

import msgspec

from otpcore.errors import StoreFormatError

__all__ = [
    "EPOCH",
    "SCHEMA",
    "UNWRITTEN",
    "Attempt",
    "CheckState",
    "Ended",
    "Instant",
    "Past",
    "SendState",
    "SessionStatus",
    "Stop",
    "Stored",
    "instant",
    "milliseconds",
    "past_of",
    "refuse_newer",
]

SCHEMA: Final = 3
"""Version of the record's layout; a record of a newer one is refused, never rewritten.

2: `past` and `ended`, which a reader of 1 does not know: it would take what is in them for never sent.
3: `extra` of a send, which a reader of 2 would drop: it would count a message that a provider added as none. And
`stop`, without which it would fail open: the next send could go around a suspicion of fraud.
"""

UNWRITTEN: Final = 0
"""Of a record that no store holds; `otpcore.ledger.tidy` gives a record its schema."""

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
        provider, region, extra: of the send.
    """

    at_ms: Milliseconds
    provider: str = ""
    region: str = ""
    extra: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Alone(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `Past` without what nearly none has: a list cannot leave out what equals its default."""

    at_ms: int
    provider: str
    region: str


def past_of(at: datetime, provider: str, region: str, extra: int) -> Past:
    """What is written for a send; it reads as a `Past`."""
    if extra:
        return Past(milliseconds(at), provider, region, extra)
    return cast("Past", _Alone(milliseconds(at), provider, region))


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one provider answered to a send: a list without names.

    Attributes:
        provider, channel: who was asked, and on which channel.
        at_ms: when the answer was there, see `milliseconds`.
        kind: of the failure, see `otpcore.contract.FailureKind`; "" when it accepted. Where it did, and the message was
            said not to have arrived: how, see `otpcore.receipts.DeliveryState`.
        unknown: a message may be on its way although it did not accept.
        cost: as the vendor said, such as "0.0075 EUR"; "" where it did not.
        handle: of a message whose session has gone on to another provider, for what is still told of it, and to whom.
    """

    provider: str
    channel: str
    at_ms: Milliseconds
    kind: str = ""
    unknown: bool = False
    cost: str = ""
    handle: str = ""


class Stop(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a provider said of the recipient, after which nobody else is asked: a list without names.

    Attributes:
        provider: who said it, and may be asked again.
        kind: of the failure, see `otpcore.contract.FailureKind`.
        at_ms, until_ms: when it was heard, and from when on it says nothing any more, see `milliseconds`.
    """

    provider: str
    kind: str
    at_ms: Milliseconds
    until_ms: Milliseconds


class _SchemaOnly(msgspec.Struct):
    v: int


def refuse_newer(data: bytes) -> None:
    """Say so of a record whose layout this release does not know.

    Raises:
        StoreFormatError: it is one.
    """
    with suppress(msgspec.MsgspecError):
        found = msgspec.json.decode(data, type=_SchemaOnly).v
        if found > SCHEMA:
            raise StoreFormatError(
                f"A stored record has schema {found}; this release reads up to {SCHEMA}. Upgrade otpcore."
            )
