"""Reserve the step, hand the code to the provider, write down what it said.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from otpcore.codes import Entropy, Token, code_digest, code_mac, idempotent_secret, make_code, proof_of
from otpcore.contract import Accepted, CodeOwner, Failure, SendEffect, SendRequest
from otpcore.effects import SendCode
from otpcore.errors import StoreError
from otpcore.events import Event
from otpcore.flows.finding import find_session, tell
from otpcore.flows.repeating import remember, repeated
from otpcore.flows.setup import Flow, ProviderTerms, Setup, ends_at, event, gate, next_of, view, window
from otpcore.flows.transact import Snapshot, transact
from otpcore.flows.wish import Wish
from otpcore.flows.wording import worded
from otpcore.ledger import checks_left, left_open, reserve, settle_send
from otpcore.machine import SendEvent
from otpcore.messages import language_tag
from otpcore.model import Code, RecipientRecord, SendState, Session, SessionStatus
from otpcore.policy import Locked, NotYet, decide_send
from otpcore.results import Ended, NotFound, Refusal, Refused, SendResult, Sent, Wait, WaitReason

__all__ = ["deliver"]

GONE_OUT: Final = frozenset({SendState.ACCEPTED, SendState.DELIVERED, SendState.UNDELIVERED, SendState.UNKNOWN})
"""Sends of which a message may exist."""


class Reserved(msgspec.Struct, frozen=True):
    """The step is taken; this has to be sent now."""

    session: Session
    token: Token | None
    code: str | None


def deliver(setup: Setup, entropy: Entropy, wish: Wish, known: Snapshot) -> Flow[SendResult]:
    """Take the step, send, settle; see `Engine.start`."""

    def decide(record: RecipientRecord, now: datetime, key: str) -> tuple[RecipientRecord, Reserved | SendResult]:
        return _reserve(setup, entropy, wish, key, record, now)

    outcome, seen = yield from transact(setup, decide, entropy, known=known)
    address = wish.recipient.address
    if not isinstance(outcome, Reserved):
        return (
            yield from tell(
                setup, wish.operation, outcome, key=seen.key, address=address, purpose=wish.purpose, now=seen.now
            )
        )
    terms = setup.providers.get(outcome.session.provider, wish.terms)
    answer: Accepted | Failure = yield SendCode(
        terms.name,
        SendRequest(
            send_id=entropy.operation,
            recipient=address,
            channel=wish.channel,
            purpose=wish.purpose,
            code=outcome.code,
            handle=_live_handle(setup, terms, seen, outcome.session),
            expires_at=outcome.session.expires_at,
            timeout_s=setup.timeout_s,
            locale=language_tag(wish.locale),
            extra=wish.extra,
            source=wish.source,
            message=worded(setup, wish, outcome.code, now=seen.now, ends=outcome.session.expires_at),
        ),
    )
    return (yield from _settle(setup, entropy, wish, outcome, answer, seen))


def _reserve(
    setup: Setup, entropy: Entropy, wish: Wish, key: str, record: RecipientRecord, now: datetime
) -> tuple[RecipientRecord, Reserved | SendResult]:
    """Decide on the send, and take its step."""
    operation, profile = entropy.operation, setup.profile
    mine = record.send(operation)
    if mine is not None and (held := record.session(mine.session)) is not None:
        # an earlier commit was applied after all
        ended = _over(setup, record, held, now)
        return record, ended or Reserved(held, *_token_and_code(setup, entropy, wish, key, held.owner))
    if (before := repeated(setup, wish, key, record, now)) is not None:
        return record, before
    session = find_session(record, wish.token, wish.purpose) if wish.token or wish.by_recipient else None
    opens = session is None or (wish.operation == "start" and not session.is_live)
    if opens and wish.operation == "resend":
        return record, NotFound()
    if opens:
        session = None
    if session is not None and (stands := _stands_against(setup, wish, record, session, now)) is not None:
        return record, stands
    terms = wish.terms if session is None else setup.providers[session.provider]
    live = [one for one in record.sessions if one.is_live] if opens else []
    verdict = decide_send(record, profile, now=now, source=wish.source)
    if isinstance(verdict, Locked):
        following = next_of(setup, record, session, now=now)
        return record, Refused(Refusal.LOCKED, following, "Too many failed checks of this recipient.")
    waits = [] if verdict is None else [verdict]
    if (closed := gate(setup, record, terms, wish.purpose, now=now)) is not None:
        waits.append(closed)
    if len(live) >= profile.live_sessions:
        waits.append(NotYet(min(ends_at(setup, one, now) for one in live), WaitReason.SESSIONS))
    if waits:
        last = max(waits, key=lambda wait: wait.until)
        following = replace(next_of(setup, record, session, now=now), resend_at=last.until)
        return record, Wait(last.until, last.reason, following, (last.until - now).total_seconds())
    reserved = _renewed(setup, entropy, wish, terms, key, session, now)
    record = reserve(record, profile, reserved.session, now=now, send=operation, source=wish.source)
    record = remember(setup, wish, record, reserved.session, send=operation, now=now)
    return record, reserved


def _over(setup: Setup, record: RecipientRecord, session: Session, now: datetime) -> Ended | None:
    status = session.status
    if session.is_live and now >= session.expires_at:
        status = SessionStatus.EXPIRED
    elif session.is_live and not checks_left(record, session, setup.profile):
        status = SessionStatus.MAX_ATTEMPTS_REACHED
    if status is SessionStatus.PENDING:
        return None
    return Ended(status, next_of(setup, record, session, now=now), session.id)


def _stands_against(
    setup: Setup, wish: Wish, record: RecipientRecord, session: Session, now: datetime
) -> Ended | Refused | None:
    """Why a session cannot be sent a further code, whatever the policy says."""
    if (ended := _over(setup, record, session, now)) is not None:
        return ended
    terms = setup.providers.get(session.provider)
    if terms is not None and terms.owner is session.owner and wish.channel in terms.capabilities.channels:
        return None
    detail = f"The session's provider does not serve channel {wish.channel[:20]!r} here."
    return Refused(Refusal.CHANNEL_UNSUPPORTED, next_of(setup, record, session, now=now), detail)


def _renewed(
    setup: Setup,
    entropy: Entropy,
    wish: Wish,
    terms: ProviderTerms,
    key: str,
    session: Session | None,
    now: datetime,
) -> Reserved:
    """The session with the new code pending: a new session, or a live one with one more generation."""
    expires_at = now + (terms.lifetime or setup.profile.code_lifetime)
    token, made = _token_and_code(setup, entropy, wish, key, terms.owner)
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
    if made is None:
        return Reserved(session.but(channel=wish.channel), token, None)
    # one session, one pepper: a check compares all its generations by one MAC
    keys = setup.keyring.by_kid(session.codes[-1].kid) if session.codes else setup.keyring.current
    generation = 1 + session.codes[-1].generation if session.codes else 1  # oldest first
    mac = code_mac(
        keys,
        tenant=setup.tenant_id,
        purpose=session.purpose,
        key=key,
        session=session.id,
        secret=token.secret if token is not None else "",
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
    session = session.but(channel=wish.channel, codes=(*held, new), expires_at=max(expires_at, session.expires_at))
    return Reserved(session, token, made)


def _token_and_code(
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


def _live_handle(setup: Setup, terms: ProviderTerms, seen: Snapshot, session: Session) -> str | None:
    """The provider's live verification of this recipient and purpose, whichever session opened it.

    For a code of the core it is that of the newest message, whatever its purpose: it stands in the way of this one.
    """
    if session.owner is CodeOwner.CORE:
        if len(seen.record.sends) == 1:  # this one
            return None
        left = {one.id: one.handle for one in seen.record.sessions if one.is_live and one.provider == terms.name}
        sent = [left.get(one.session) for one in seen.record.sends if one.state in GONE_OUT]
        return next((handle for handle in reversed(sent) if handle), None)
    if session.handle or seen.now is None:
        return session.handle or None
    since = seen.now - window(setup, terms)
    live = [
        one.id
        for one in seen.record.handles
        if one.provider == terms.name and one.purpose == session.purpose and one.opened_by > since and not one.ended
    ]
    return live[-1] or None if live else None


def _settle(
    setup: Setup, entropy: Entropy, wish: Wish, reserved: Reserved, answer: Accepted | Failure, seen: Snapshot
) -> Flow[SendResult]:
    """Write the provider's answer down, and say what became of the send."""
    terms = setup.providers.get(reserved.session.provider, wish.terms)
    happened, handle = SendEvent.ANSWER_LOST, None
    if isinstance(answer, Accepted):
        happened, handle = SendEvent.ACCEPTED, answer.handle
    elif answer.effect is SendEffect.NOT_SENT:
        happened = SendEvent.DEFINITELY_REFUSED
    name, nonce = terms.name, reserved.session.id
    opened = handle if reserved.session.owner is CodeOwner.PROVIDER else None

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, bool]:
        send = record.send(entropy.operation)
        settled, life = record, terms.lifetime
        if send is not None:
            settled = settle_send(record, setup.profile, send, happened, now=now, handle=handle, lifetime=life)
        if opened and _is_over(settled, nonce) and (settled is not record or not settled.handle(name, opened)):
            at = send.at if send is not None else now
            settled = left_open(settled, provider=name, handle=opened, purpose=wish.purpose, at=at, lifetime=life)
        now_is = settled.send(entropy.operation)
        return settled, now_is is not None and now_is.refunded

    refunded, written = False, True
    try:
        refunded, seen = yield from transact(setup, decide, entropy, known=seen)
    except StoreError:
        written = False  # the reservation stands and its lease settles it; what was sent was sent
    now = seen.now if seen.now is not None else reserved.session.expires_at
    session = seen.record.session(nonce) or reserved.session.but(status=SessionStatus.CANCELED)  # or forgotten
    result = _result(setup, reserved, answer, seen.record, session, now=now, written=written, source=wish.source)
    key, address = seen.key, wish.recipient.address

    def facts() -> tuple[Event, ...]:
        about = {"provider": terms.name, "channel": wish.channel}
        if isinstance(answer, Failure):
            about |= {"kind": answer.kind.value, "provider_code": answer.provider_code or ""}
        name = f"send.{happened.name.lower()}"
        sent = event(setup, name, at=now, key=key, address=address, session=session, **about)
        if not refunded:
            return (sent,)
        return sent, event(setup, "refund", at=now, key=key, address=address, session=session, send=entropy.operation)

    told = tell(setup, wish.operation, result, key=key, address=address, session=session, facts=facts, now=now)
    return (yield from told)


def _is_over(record: RecipientRecord, nonce: str) -> bool:
    session = record.session(nonce)
    return session is None or not session.is_live


def _result(
    setup: Setup,
    reserved: Reserved,
    answer: Accepted | Failure,
    record: RecipientRecord,
    session: Session,
    *,
    now: datetime,
    written: bool,
    source: str,
) -> SendResult:
    following = next_of(setup, record, session, now=now, source=source)
    if isinstance(answer, Failure) and answer.effect is SendEffect.NOT_SENT:
        if answer.retry_after is not None:
            at = now + answer.retry_after
            following = replace(following, resend_at=max(at, following.resend_at or at))
        return Refused(Refusal(answer.kind.value), following, answer.detail, answer)
    if not session.is_live:
        return Ended(session.status, following, session.id)
    state = SendState.ACCEPTED if isinstance(answer, Accepted) else SendState.UNKNOWN
    shown = view(session, reserved.token)
    return Sent(shown, following, state if written else SendState.RESERVED, native=answer.native)
