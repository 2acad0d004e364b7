"""What is told after a send: what became of a code, and what became of the message that carried it.

`otpcore.ports` re-exports all of them beside the protocols; plugin authors import from there.

Rules of this file: frozen values only, no behaviour beyond finding a header. What came from outside, and a number,
never show in a `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from otpcore.contract import Money

__all__ = ["DeliveryEvent", "DeliveryState", "InboundRequest", "Outcome", "Received"]


class Outcome(StrEnum):
    """What became of a code that the core made. Codes that ran out or were guessed at have none.

    CANCELED also where another provider's code took its place.
    """

    APPROVED = "approved"
    CANCELED = "canceled"


class DeliveryState(StrEnum):
    """How far a message has come, in one order for every vendor.

    DELIVERED and READ are a good end; UNDELIVERED, FAILED and EXPIRED are a bad one. The others say nothing of the
    end, UNKNOWN (whatever a vendor says that has no place here) least of all.
    """

    QUEUED = "queued"
    ACCEPTED = "accepted"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """An HTTP request as the application received it, for a provider to judge.

    Attributes:
        method: in capitals, such as "POST".
        url: as received: path and query. The public origin that a vendor signs is the operator's setting, and
            is never read from a header.
        headers: by name, in whatever case they came; `header` finds one.
        body: the bytes exactly as received.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The value of this header, its name compared without regard to case; None when it is absent or ambiguous."""
        wanted = name.lower()
        found = [value for each, value in self.headers.items() if each.lower() == wanted]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """What a vendor said of one message.

    Attributes:
        id: the vendor's own id of the event, or a digest of what makes it unique; 1 to 200 printable ASCII
            characters, no number and no code among them. Of one id, one event is taken: a vendor that tells again
            says the same id, and so does who replays it.
        handle: what the provider gave out in `Accepted.handle`; None where the vendor did not say.
        recipient: E.164; None where the vendor did not say, and then the event changes nothing.
        state: see `DeliveryState`.
        at: when it happened, aware, by the vendor's clock; None where the vendor did not say.
        provider_code: the vendor's own error code.
        cost: what the vendor takes for the message; None where it did not say.
    """

    id: str
    handle: str | None
    recipient: str | None = field(repr=False)
    state: DeliveryState
    at: datetime | None = None
    provider_code: str | None = None
    cost: Money | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A vendor's receipt was read; answer it with a 2xx, or with 503 and `Retry-After` while something is early.

    Attributes:
        applied: how many of its events changed what is known of a send.
        ignored: how many did not: known before, too late, not of a live session, or saying nothing of the end.
        replayed: how many were refused, because an event of the same id was taken before. The vendor repeats what it
            believes unheard, so a 2xx is the answer here too: it ends the repetition, and a stranger learns nothing.
        failed_over: how many of those applied were followed by a new code through another provider.
        early: how many came while a send to the recipient through this provider is not settled, and nothing else is
            known of their message. They may be of that one, whose handle is not known yet: nothing was done, and the
            whole receipt is to come again, a few seconds later.
    """

    applied: int
    ignored: int
    replayed: int = 0
    failed_over: int = 0
    early: int = 0
