"""What a start or resend asks for, made canonical.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from otpcore.codes import Token
from otpcore.flows.setup import ProviderTerms
from otpcore.recipients import Recipient

__all__ = ["Wish"]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, made canonical.

    Attributes:
        operation: "start" or "resend".
        recipient, purpose, channel, locale, extra, source, idempotency_key: of the call.
        token: of the session to renew; None for a new one, or one addressed by its recipient.
        by_recipient: the session is addressed by its recipient.
        terms: the provider that is to send.
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
    terms: ProviderTerms
    unguarded: bool = False

    def __repr__(self) -> str:
        return f"Wish(operation={self.operation!r}, purpose={self.purpose!r}, channel={self.channel!r})"
