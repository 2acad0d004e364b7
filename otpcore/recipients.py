"""Who receives codes: a phone number or a mailbox, in one shape that the flows go by.

    text ── has an @ ──► MailAddress   kind "email"   on the channel "email"
      └──── has none ──► PhoneNumber   kind "phone"   on every other channel

Both have `address`, what a provider is given; `identity`, what the record is kept under, together with the `kind`; and
`region` and `line_type`, "" for a mailbox.

Rules of this file: which kind a text is of, and which channel reaches it; how it is read is in `phone` and `mail`.
Pure, as they are.
"""

from __future__ import annotations

from typing import TypeAlias

from otpcore.mail import EMAIL, MailAddress, canonicalise_address
from otpcore.phone import PhoneNumber, RegionPolicy, canonicalise, decide_destination

__all__ = ["Recipient", "canonical", "decide_recipient", "wrong_kind"]

Recipient: TypeAlias = PhoneNumber | MailAddress


def canonical(given: str | Recipient, region: str | None = None) -> Recipient:
    """The recipient that was given, canonicalised once.

    Args:
        given: text, or what was canonicalised before.
        region: ISO 3166-1 alpha-2, for a number that is written nationally; it says nothing of a mailbox.

    Raises:
        InvalidRecipient: it is not plainly a recipient: `InvalidAddress` where it has an @, else `InvalidNumber`.
    """
    if isinstance(given, PhoneNumber | MailAddress):
        return given
    if _has_at(given):
        return canonicalise_address(given)
    return canonicalise(given, region=region)


def _has_at(given: object) -> bool:
    return isinstance(given, str) and "@" in given  # callers without a type checker give anything


def wrong_kind(recipient: Recipient, channel: str) -> str | None:
    """Why a channel cannot reach a recipient of this kind: a sentence for an operator; None where it can."""
    if (recipient.kind == EMAIL) is (channel == EMAIL):
        return None
    if channel == EMAIL:
        return 'Channel "email" needs an e-mail address; a phone number was given.'
    return f'Channel {channel[:20]!r} needs a phone number; an e-mail address was given, which takes channel "email".'


def decide_recipient(recipient: Recipient, *, policy: RegionPolicy) -> str | None:
    """`decide_destination` for a number; a mailbox has neither region nor line type to be judged by."""
    return decide_destination(recipient, policy=policy) if isinstance(recipient, PhoneNumber) else None
