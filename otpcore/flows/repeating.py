"""Idempotency keys: a start or resend that is repeated sends nothing and answers as before.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from datetime import datetime

from otpcore.codes import PROOF, Token, digest_of, idempotency_digest, idempotent_secret, matches, proof_of
from otpcore.effects import ReadClock
from otpcore.flows.setup import Flow, Setup, next_of, view
from otpcore.flows.wish import Wish
from otpcore.ledger import catch_up
from otpcore.model import IdempotencyKey, RecipientRecord, SendState, Session, SessionStatus
from otpcore.policy import DAY
from otpcore.results import Ended, Refusal, Refused, SendResult, Sent

__all__ = ["remember", "repeated", "was_seen"]


def was_seen(setup: Setup, record: RecipientRecord, idempotency_key: str | None) -> Flow[bool]:
    """Whether the record knows this key: then nothing will be sent, and no guard has a say in it."""
    if idempotency_key is None or not record.keys:
        return False
    now: datetime = yield ReadClock()
    caught = catch_up(record, setup.profile, now=now, lease=setup.lease)
    return _seen(setup, caught.record, idempotency_key, caught.now) is not None


def _seen(setup: Setup, record: RecipientRecord, idempotency_key: str, now: datetime) -> IdempotencyKey | None:
    digests = {idempotency_digest(keys, idempotency_key) for keys in setup.keyring}
    return next((one for one in record.keys if one.digest in digests and one.at > now - DAY), None)


def repeated(setup: Setup, wish: Wish, key: str, record: RecipientRecord, now: datetime) -> SendResult | None:
    """The answer to a call whose key was seen in the last 24 hours; None for a new one."""
    if wish.idempotency_key is None:
        return None
    seen = _seen(setup, record, wish.idempotency_key, now)
    if seen is None and wish.unguarded:  # the key went while the guards were passed over for its sake
        return Refused(Refusal.TRANSIENT, next_of(setup, record, None, now=now), "Nothing was sent; try again.")
    if seen is None:
        return None
    if seen.body != _body(wish):
        detail = "This idempotency key was used for a call with other arguments."
        return Refused(Refusal.IDEMPOTENCY_MISMATCH, next_of(setup, record, None, now=now), detail)
    session = record.session(seen.session)
    following = next_of(setup, record, session, now=now)
    if session is None or not session.is_live:
        return Ended(session.status if session else SessionStatus.EXPIRED, following, seen.session)
    send = record.send(seen.send)
    token = wish.token or _token_again(setup, wish, key, session)
    return Sent(view(session, token), following, send.state if send else SendState.ACCEPTED, replayed=True)


def remember(
    setup: Setup, wish: Wish, record: RecipientRecord, session: Session, *, send: str, now: datetime
) -> RecipientRecord:
    """Keep the key of this call with the reservation that it made."""
    if wish.idempotency_key is None:
        return record
    digest = idempotency_digest(setup.keyring.current, wish.idempotency_key)
    new = IdempotencyKey(digest=digest, body=_body(wish), at=now, session=session.id, send=send)
    return record.but(keys=(*record.keys, new))


def _body(wish: Wish) -> str:
    extra = [part for name in sorted(wish.extra) for part in (name, wish.extra[name])]
    session = wish.token.session if wish.token is not None else ""
    asked = (wish.operation, wish.purpose, wish.asked, wish.locale or "", session, str(wish.by_recipient))
    return digest_of("request", *asked, *extra)


def _token_again(setup: Setup, wish: Wish, key: str, session: Session) -> Token | None:
    for keys in setup.keyring:
        if wish.idempotency_key is None or session.proof is None:
            return None
        secret = idempotent_secret(
            keys, tenant=setup.tenant_id, recipient=wish.recipient.identity, key=wish.idempotency_key
        )
        if matches(proof_of(secret), session.proof[:PROOF]):
            return Token(key, session.id, secret)
    return None
