"""A session's recipient where the operator lets it be kept: sealed when it is reserved, opened when it is needed again.

Rules of this file: see `otpcore.flows`. What is kept serves its own session, in its own record, and nothing else.
"""

from __future__ import annotations

import msgspec

from otpcore.codes import Entropy
from otpcore.flows.setup import Setup
from otpcore.flows.transact import places
from otpcore.flows.wish import Wish
from otpcore.messages import language_tag
from otpcore.model import Session
from otpcore.recipients import Recipient, canonical
from otpcore.seal import open_sealed, seal

__all__ = ["Kept", "kept_of", "sealed_for"]


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a session knows of the call that made its newest code.

    Attributes:
        address: of the recipient.
        channel: that was asked for.
        locale: a language tag; "" where none was told.
    """

    address: str
    channel: str
    locale: str

    def __repr__(self) -> str:
        return f"Kept(channel={self.channel!r}, locale={self.locale!r})"


_PACK = msgspec.json.Encoder().encode
_READ = msgspec.json.Decoder(Kept).decode


def sealed_for(setup: Setup, entropy: Entropy, wish: Wish, key: str, session: Session) -> str:
    """What the session keeps of this call."""
    kept = Kept(wish.recipient.address, wish.channel, language_tag(wish.locale) or "")
    return seal(setup.keyring.current, _bound(setup, key, session), entropy.seal, _PACK(kept).decode())


def kept_of(setup: Setup, key: str, session: Session) -> tuple[Recipient, Kept] | None:
    """The recipient of a live session, and what else it keeps; None where it keeps none that is the record's.

    Args:
        setup: of the engine.
        key: where the record is.
        session: as it stands in that record.
    """
    opened = open_sealed(setup.keyring, _bound(setup, key, session), session.sealed) if session.is_live else None
    if opened is None:
        return None
    kept = _READ(opened)
    recipient = canonical(kept.address)
    return (recipient, kept) if key in places(setup, recipient) else None


def _bound(setup: Setup, key: str, session: Session) -> tuple[str, ...]:
    return "recipient", setup.tenant_id, key, session.id
