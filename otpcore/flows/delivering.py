"""Reserve the step, hand the code to a provider, to another where that did not send, and write down what was said.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from otpcore.codes import Entropy
from otpcore.contract import Accepted, CodeOwner, Failure, SendEffect, SendRequest
from otpcore.effects import SendCode, Tell
from otpcore.errors import StoreError
from otpcore.events import Event
from otpcore.flows.finding import find_session, live_handle, tell
from otpcore.flows.moving import attempt_of, first_leg, go_on, priced
from otpcore.flows.repeating import remember, repeated
from otpcore.flows.reporting import left_behind, report
from otpcore.flows.reserving import Reserved, renewed, token_and_code
from otpcore.flows.setup import Flow, Setup, ends_at, event, gate, next_of, view
from otpcore.flows.transact import Snapshot, transact
from otpcore.flows.wish import Wish
from otpcore.flows.wording import worded
from otpcore.ledger import Carrier, asked_at, checks_left, left_open, lifted, reserve, settle_send, stopped
from otpcore.machine import SendEvent
from otpcore.messages import language_tag
from otpcore.model import Attempt, RecipientRecord, SendState, Session, SessionStatus, Stop
from otpcore.policy import Locked, NotYet, decide_send
from otpcore.receipts import Outcome
from otpcore.results import Ended, NextActions, NotFound, Refusal, Refused, SendResult, Sent, Wait, WaitReason
from otpcore.routing import Leg, consequence_of, stopped_until
from otpcore.stored import instant

__all__ = ["carry", "deliver"]


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
    return (yield from carry(setup, entropy, wish, outcome, (), seen))


def carry(
    setup: Setup, entropy: Entropy, wish: Wish, reserved: Reserved, tried: tuple[Attempt, ...], seen: Snapshot
) -> Flow[SendResult]:
    """Hand what is reserved to its provider, to others where that does not accept, and settle.

    Args:
        setup: of the engine.
        entropy: of the operation that reserved it.
        wish: what was asked for.
        reserved: as it stands in the record.
        tried: what other providers answered before it, oldest first.
        seen: the record.
    """
    outcome, address = reserved, wish.recipient.address
    lost: Failure | None = None
    while True:
        terms = setup.providers[outcome.session.provider]
        answer: Accepted | Failure = yield SendCode(
            terms.name,
            SendRequest(
                send_id=f"{entropy.operation}-{len(tried)}" if tried else entropy.operation,
                recipient=address,
                channel=outcome.session.channel,
                purpose=wish.purpose,
                code=outcome.code,
                handle=live_handle(setup, terms, seen, outcome.session),
                expires_at=outcome.session.expires_at,
                timeout_s=setup.timeout_s,
                locale=language_tag(wish.locale),
                extra=terms.own(wish.extra),
                source=wish.source,
                region=wish.recipient.region,
                message=worded(setup, wish, outcome, now=seen.now),
            ),
        )
        if isinstance(answer, Failure) and answer.effect is SendEffect.UNKNOWN:
            lost = answer
        following, seen = yield from go_on(setup, entropy, wish, outcome, tried, answer, seen)
        if following is None:
            return (yield from _settle(setup, entropy, wish, outcome, tried, answer, lost, seen))
        yield _told_of(setup, wish, outcome.session, answer, seen)
        outcome, tried = following


def _told_of(setup: Setup, wish: Wish, session: Session, answer: Accepted | Failure, seen: Snapshot) -> Tell:
    """That a provider was asked, and another one is about to be."""

    def facts() -> tuple[Event, ...]:
        at = seen.now or session.expires_at
        return _attempted(setup, "send.attempted", wish, session, answer, at=at, key=seen.key)

    return Tell(facts)


def _attempted(
    setup: Setup, name: str, wish: Wish, session: Session, answer: Accepted | Failure, *, at: datetime, key: str
) -> tuple[Event, ...]:
    """One provider's answer, and whether an operator has to do something about it."""
    about = {"provider": session.provider, "channel": session.channel}
    if isinstance(answer, Accepted):
        costs = {"cost": priced(answer.cost), "segments": "" if answer.segments is None else str(answer.segments)}
        about |= {each: said for each, said in costs.items() if said}
    else:
        about |= {"kind": answer.kind.value, "effect": answer.effect.value, "provider_code": answer.provider_code or ""}
    address = wish.recipient.address
    told = event(setup, name, at=at, key=key, address=address, session=session, **about)
    if isinstance(answer, Accepted) or not consequence_of(answer).alert:
        return (told,)
    return told, event(setup, "route.alert", at=at, key=key, address=address, session=session, **about)


def _reserve(
    setup: Setup, entropy: Entropy, wish: Wish, key: str, record: RecipientRecord, now: datetime
) -> tuple[RecipientRecord, Reserved | SendResult]:
    """Decide on the send, and take its step."""
    operation, profile = entropy.operation, setup.profile
    mine = record.send(operation)
    if mine is not None and (held := record.session(mine.session)) is not None:
        # an earlier commit was applied after all
        ended = _over(setup, record, held, now)
        return record, ended or Reserved(asked_at(held, mine), *token_and_code(setup, entropy, wish, key, held.owner))
    if (before := repeated(setup, wish, key, record, now)) is not None:
        return record, before
    session = find_session(record, wish.token, wish.purpose) if wish.token or wish.by_recipient else None
    opens = session is None or (wish.operation == "start" and not session.is_live)
    if opens and wish.operation == "resend":
        return record, NotFound()
    if opens:
        session = None
    if session is not None and (ended := _over(setup, record, session, now)) is not None:
        return record, ended
    leg = first_leg(setup, wish, record, session, now)
    if leg is None:
        detail = f"No provider of the session serves channel {wish.channel[:20]!r} here."
        return record, Refused(Refusal.CHANNEL_UNSUPPORTED, next_of(setup, record, session, now=now), detail)
    terms = setup.providers[leg.provider] if isinstance(leg, Leg) else None
    live = [one for one in record.sessions if one.is_live] if opens else []
    messages = terms.messages if terms is not None else 1
    verdict = decide_send(record, profile, now=now, source=wish.source, messages=messages)
    if isinstance(verdict, Locked):
        following = next_of(setup, record, session, now=now)
        return record, Refused(Refusal.LOCKED, following, "Too many failed checks of this recipient.")
    if isinstance(leg, Stop):
        return record, _stands_against(leg, next_of(setup, record, session, now=now))
    waits = [] if verdict is None else [verdict]
    closed = leg if isinstance(leg, NotYet) else gate(setup, record, terms, wish.purpose, now=now) if terms else None
    if closed is not None:
        waits.append(closed)
    if len(live) >= profile.live_sessions:
        waits.append(NotYet(min(ends_at(setup, one, now) for one in live), WaitReason.SESSIONS))
    if waits or isinstance(leg, NotYet):
        last = max(waits, key=lambda wait: wait.until)
        following = replace(next_of(setup, record, session, now=now), resend_at=last.until)
        return record, Wait(last.until, last.reason, following, (last.until - now).total_seconds())
    reserved = renewed(setup, entropy, wish, leg, key, session, now)
    record = reserve(record, profile, reserved.session, now=now, send=operation, source=wish.source, extra=messages - 1)
    record = remember(setup, wish, record, reserved.session, send=operation, now=now)
    return record, reserved


def _stands_against(stop: Stop, following: NextActions) -> Refused:
    """The provider that has stopped the sends is not among the ways of this one."""
    until = instant(stop.until_ms)
    at = following.resend_at and max(until, following.resend_at)
    detail = (
        f"Provider {stop.provider!r} has stopped sends to this recipient; until {until:%H:%M} UTC nobody else is asked."
    )
    return Refused(Refusal(stop.kind), replace(following, resend_at=at), detail)


def _over(setup: Setup, record: RecipientRecord, session: Session, now: datetime) -> Ended | None:
    status = session.status
    if session.is_live and now >= session.expires_at:
        status = SessionStatus.EXPIRED
    elif session.is_live and not checks_left(record, session, setup.profile):
        status = SessionStatus.MAX_ATTEMPTS_REACHED
    if status is SessionStatus.PENDING:
        return None
    return Ended(status, next_of(setup, record, session, now=now), session.id)


def _settle(
    setup: Setup,
    entropy: Entropy,
    wish: Wish,
    reserved: Reserved,
    tried: tuple[Attempt, ...],
    answer: Accepted | Failure,
    lost: Failure | None,
    seen: Snapshot,
) -> Flow[SendResult]:
    """Write the last provider's answer down, and say what became of the send.

    `lost` is the answer, of it or of one before, after which a message may be on its way: then no refusal is definite.
    """
    terms = setup.providers[reserved.session.provider]
    happened, handle = SendEvent.ANSWER_LOST, None
    if isinstance(answer, Accepted):
        happened, handle = SendEvent.ACCEPTED, answer.handle
    elif lost is None:
        happened = SendEvent.DEFINITELY_REFUSED
    name, nonce = terms.name, reserved.session.id
    opened = handle if reserved.session.owner is CodeOwner.PROVIDER else None
    began = seen.now
    left: Carrier | None = None

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, bool]:
        nonlocal left
        send = record.send(entropy.operation)
        settled, life = record, terms.lifetime
        if send is not None:
            settled = settle_send(
                record,
                setup.profile,
                send,
                happened,
                now=now,
                handle=handle,
                lifetime=life,
                provider=name,
                attempts=_answers(reserved.session, tried, answer, now),
            )
        if setup.reports and happened is SendEvent.ACCEPTED and (send is None or settled is not record):
            left = left_behind(reserved.session, Carrier(name, handle or ""), record, settled)
        if opened and _is_over(settled, nonce) and (settled is not record or not settled.handle(name, opened)):
            at = send.at if send is not None else now
            settled = left_open(settled, provider=name, handle=opened, purpose=wish.purpose, at=at, lifetime=life)
        settled = _judged(settled, name, answer, since=send.at if send is not None else began, now=now)
        now_is = settled.send(entropy.operation)
        return settled, now_is is not None and now_is.refunded

    refunded, written = False, True
    try:
        refunded, seen = yield from transact(setup, decide, entropy, known=seen)
    except StoreError:
        written, left = False, None  # the reservation stands and its lease settles it; what was sent was sent
    now = seen.now if seen.now is not None else reserved.session.expires_at
    session = seen.record.session(nonce) or reserved.session.but(status=SessionStatus.CANCELED)  # or forgotten
    counts = lost if lost is not None and isinstance(answer, Failure) else answer
    result = _result(setup, reserved, counts, seen.record, session, now=now, written=written, source=wish.source)
    key, address = seen.key, wish.recipient.address

    def facts() -> tuple[Event, ...]:
        sent = _attempted(setup, f"send.{happened.name.lower()}", wish, reserved.session, answer, at=now, key=key)
        if not refunded:
            return sent
        return *sent, event(setup, "refund", at=now, key=key, address=address, session=session, send=entropy.operation)

    told = tell(setup, wish.operation, result, key=key, address=address, session=session, facts=facts, now=now)
    result = yield from told
    yield from report(setup, session, left, Outcome.CANCELED, key=key, now=now)
    return result


def _answers(
    session: Session, tried: tuple[Attempt, ...], answer: Accepted | Failure, now: datetime
) -> tuple[Attempt, ...]:
    """What the providers answered; nothing where that is one plain yes, which session and send tell by themselves."""
    last = attempt_of(session, answer, now)
    return (*tried, last) if tried or last.kind or last.cost else ()


def _judged(
    record: RecipientRecord, provider: str, answer: Accepted | Failure, *, since: datetime | None, now: datetime
) -> RecipientRecord:
    """What the provider's answer says of the recipient: its stop, or the end of one."""
    if isinstance(answer, Accepted):
        return record if record.stop is None or since is None else lifted(record, provider=provider, since=since)
    until = stopped_until(answer, now)
    if until is None or until <= now:
        return record
    return stopped(record, provider=provider, kind=answer.kind.value, now=now, until=until, since=since or now)


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
