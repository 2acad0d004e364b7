"""The values that hooks are given and answer with.

`otpcore.hookspecs` re-exports all of them beside the specifications; plugin authors import from there.

Rules of this file: frozen values only. None holds a code, a full number or an address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = ["Event", "Guard", "SendIntent", "Verdict"]


@dataclass(frozen=True, slots=True)
class SendIntent:
    """A send that is about to be reserved, as guards and routes see it.

    Attributes:
        tenant, purpose, channel: as given to the engine.
        recipient_key: the keyed pseudonym, not the number or address.
        region: ISO 3166-1 alpha-2 of the number ("CM"), "001" where it belongs to none; "" of an e-mail address.
        line_type: as `otpcore.phone.LineType`; "" of an e-mail address.
        source: pseudonym of the end user's address or device, where the application gave one.
    """

    tenant: str
    purpose: str
    channel: str
    recipient_key: str
    region: str
    line_type: str
    source: str | None


class Guard(StrEnum):
    """How strict a verdict is; later members win over earlier ones."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A guard's opinion.

    Attributes:
        guard: ALLOW, HOLD (not now) or DENY.
        reason: a sentence for an operator.
        until: for HOLD, when to come back: aware, and never left out. One that is past holds nothing.

    Raises:
        ValueError: a HOLD without an aware `until`.
    """

    guard: Guard
    reason: str = ""
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a HOLD that nobody could wait for."""
        if self.guard is Guard.HOLD and (self.until is None or self.until.tzinfo is None):
            raise ValueError("A verdict of HOLD needs an aware until: when to come back.")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, told after it was committed. Holds no code and no full number or address.

    Attributes:
        name: an operation and its result ("start.sent", "check.wrong") or the class of the error that it raised
            ("start.storeunavailable"), or a fact that it brought about: "send.accepted",
            "send.definitely_refused", "send.answer_lost", "send.attempted" (and then another provider was asked),
            "route.alert" (an operator has to do something), "delivery" (each event of a vendor's, in ten
            states), "send.delivered", "send.undelivered", "failover.none" (and why), "check.answered",
            "outcome.reported", "refund", "lock", "erase", "breaker.opened", "breaker.closed".
        at: when, aware UTC.
        tenant, purpose: as given to the engine; purpose is "" where the event has none.
        recipient_key: the keyed pseudonym.
        recipient_tail: "…" and the last two characters of the number or address, "" where it was not known.
        session: the session's nonce, "" where the event has none.
        detail: further facts, text to text.
    """

    name: str
    at: datetime
    tenant: str
    purpose: str
    recipient_key: str
    recipient_tail: str = ""
    session: str = ""
    detail: dict[str, str] = field(default_factory=dict)
