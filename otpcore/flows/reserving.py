"""What a reservation holds: the session with its pending code, and what only this call knows of it.

Rules of this file: see `otpcore.flows`. It makes values of the record; nothing here decides whether there is a send.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from otpcore.codes import Entropy, Token, code_digest, code_mac, idempotent_secret, make_code, proof_of
from otpcore.contract import CodeOwner
from otpcore.flows.keeping import sealed_for
from otpcore.flows.setup import ProviderTerms, Setup
from otpcore.flows.wish import Wish
from otpcore.model import Code, Session
from otpcore.routing import Leg

__all__ = ["Reserved", "moved", "renewed", "token_and_code"]


class Reserved(msgspec.Struct, frozen=True):
    """The step is taken; this has to be sent now."""

    session: Session
    token: Token | None
    code: str | None

    def __repr__(self) -> str:
        return f"Reserved(session={self.session.id!r}, provider={self.session.provider!r})"


def renewed(
    setup: Setup, entropy: Entropy, wish: Wish, leg: Leg, key: str, session: Session | None, now: datetime
) -> Reserved:
    """The session with the new code pending: a new session, or a live one with one more generation."""
    terms = setup.providers[leg.provider]
    expires_at = _ends_at(setup, terms, now)
    token, made = token_and_code(setup, entropy, wish, key, terms.owner)
    opens = session is None
    if session is None:
        session = Session(
            id=entropy.nonce,
            purpose=wish.purpose,
            proof=proof_of(token.secret) if token is not None else None,
            owner=terms.owner,
            provider=terms.name,
            region=wish.recipient.region,
            expires_at=expires_at,
        )
    session = _at(session, leg)
    if setup.keep_number and (wish.kept if opens else session.sealed) and terms.owner is CodeOwner.CORE:
        session = session.but(sealed=sealed_for(setup, entropy, wish, key, session))
    if made is None:
        return Reserved(session, token, None)
    return Reserved(_coded(setup, entropy, key, session, token, made, expires_at), token, made)


def moved(
    setup: Setup,
    entropy: Entropy,
    wish: Wish,
    leg: Leg,
    key: str,
    session: Session,
    at: datetime,
    token: Token | None,
) -> Reserved:
    """The session on another provider, or on another channel.

    A code of the core is the same one where it was made already; who has the code changes only where this send is the
    session's first, so that no other code is lost.

    Args:
        setup: of the engine.
        entropy: of the operation.
        wish: what was asked for.
        leg: the way to take.
        key: where the record is.
        session: as it stands in the record.
        at: when the send was reserved, from which its code lives.
        token: of the session; None where it is addressed by its recipient.
    """
    terms = setup.providers[leg.provider]
    there = _at(session, leg)
    _, made = token_and_code(setup, entropy, wish, key, terms.owner)
    expires_at = _ends_at(setup, terms, at)
    if terms.owner is not session.owner:
        there = there.but(owner=terms.owner, codes=(), handle=None, expires_at=expires_at)
        there = there if made is None else _coded(setup, entropy, key, there, token, made, expires_at)
    elif terms.owner is CodeOwner.PROVIDER and there.handle is None:
        there = there.but(expires_at=expires_at)
    return Reserved(there, token, made)


def _at(session: Session, leg: Leg) -> Session:
    """The session on its next way; the handle of one provider is never another's."""
    handle = session.handle if session.provider == leg.provider else None
    return session.but(provider=leg.provider, channel=leg.channel, handle=handle)


def _ends_at(setup: Setup, terms: ProviderTerms, at: datetime) -> datetime:
    return at + (terms.lifetime or setup.profile.code_lifetime)


def _coded(
    setup: Setup, entropy: Entropy, key: str, session: Session, token: Token | None, made: str, expires_at: datetime
) -> Session:
    """The session with one more generation of a code of the core, pending."""
    # one session, one pepper: a check compares all its generations by one MAC
    keys = setup.keyring.by_kid(session.codes[-1].kid) if session.codes else setup.keyring.current
    generation = 1 + session.codes[-1].generation if session.codes else 1  # oldest first
    mac = code_mac(
        keys,
        tenant=setup.tenant_id,
        purpose=session.purpose,
        key=key,
        session=session.id,
        secret=token.secret if token is not None and not session.sealed else "",
        code=made,
    )
    new = Code(
        generation=generation,
        send=entropy.operation,
        digest=code_digest(mac, generation),
        kid=keys.kid,
        expires_at=expires_at,
    )
    # a code on its way matches until another is accepted; where none was, the last that may have arrived stays
    held = tuple(code for code in session.codes if code.live) or session.codes[-1:]
    return session.but(codes=(*held, new), expires_at=max(expires_at, session.expires_at))


def token_and_code(
    setup: Setup, entropy: Entropy, wish: Wish, key: str, owner: CodeOwner
) -> tuple[Token | None, str | None]:
    """What this call hands out: no token for a session addressed by its recipient, no code of the provider's."""
    code = make_code(entropy.code, setup.profile.code_digits) if owner is CodeOwner.CORE else None
    if wish.by_recipient or wish.token is not None:
        return wish.token, code
    secret = entropy.secret
    if wish.idempotency_key is not None:
        keys = setup.keyring.current
        secret = idempotent_secret(
            keys, tenant=setup.tenant_id, recipient=wish.recipient.identity, key=wish.idempotency_key
        )
    return Token(key, entropy.nonce, secret), code
