"""What a start or resend asks for, made canonical.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from otpcore.codes import Token
from otpcore.flows.setup import ProviderTerms
from otpcore.phone import PhoneNumber

__all__ = ["Wish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for, made canonical.

    Attributes:
        operation: "start" or "resend".
        number, purpose, channel, locale, extra, source, idempotency_key: of the call.
        token: of the session to renew; None for a new one, or one addressed by its recipient.
        by_recipient: the session is addressed by its recipient.
        terms: the provider that is to send.
    """

    operation: str
    number: PhoneNumber
    purpose: str
    channel: str
    locale: str | None
    extra: Mapping[str, str] = field(repr=False)
    source: str
    idempotency_key: str | None = field(repr=False)
    token: Token | None
    by_recipient: bool
    terms: ProviderTerms
