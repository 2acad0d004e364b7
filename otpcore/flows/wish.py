"""What a start or resend asks for, made canonical.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from otpcore.codes import Token
from otpcore.recipients import Recipient
from otpcore.routing import MOST_LEGS, Leg

__all__ = ["Wish"]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, made canonical.

    Attributes:
        operation: "start", "resend" or "failover".
        recipient, purpose, channel, locale, extra, source, idempotency_key: of the call.
        token: of the session to renew; None for a new one, or one addressed by its recipient.
        by_recipient: the session is addressed by its recipient.
        asked: the channel as it was asked for; "" where it was not.
        legs: the ways to send it, in the order in which they are tried; at least one while its session lives.
        max_legs, failover_on_unknown: see `otpcore.routing.Rule`.
        kept: a session that it opens keeps its recipient sealed.
        unguarded: the guards were passed over, because the call repeats an idempotency key.
    """

    operation: str
    recipient: Recipient
    purpose: str
    channel: str
    locale: str | None
    extra: Mapping[str, str]
    source: str
    idempotency_key: str | None
    token: Token | None
    by_recipient: bool
    asked: str
    legs: tuple[Leg, ...]
    max_legs: int = MOST_LEGS
    failover_on_unknown: bool = False
    kept: bool = False
    unguarded: bool = False

    def __repr__(self) -> str:
        return f"Wish(operation={self.operation!r}, purpose={self.purpose!r}, channel={self.channel!r})"
