"""How a send changes the record: the step is taken before, the answer is written after.

Rules of this file: see `otpcore.ledger`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from otpcore.contract import CodeOwner
from otpcore.ledger.clock import REFUND_WINDOW
from otpcore.ledger.sessions import end, handle_kept, placed, replaced, with_handle, with_session
from otpcore.machine import SEND_TRANSITIONS, SendEvent, SessionEvent, step
from otpcore.model import Attempt, Code, Handle, Ladder, RecipientRecord, Send, SendState, Session
from otpcore.policy import Profile, climb
from otpcore.stored import milliseconds

__all__ = ["adopt", "asked_at", "follow", "hand_over", "left_open", "receive", "reserve", "settle_send"]


def reserve(
    record: RecipientRecord,
    profile: Profile,
    session: Session,
    *,
    now: datetime,
    send: str,
    source: str,
    extra: int = 0,
) -> RecipientRecord:
    """A send takes its step of the ladder and its place under the daily cap; `session` is new or renewed.

    `extra`: messages beside the one asked for that the provider may send by itself; they take places of their own.
    """
    ladder = climb(record.ladder, profile, now=now)
    epoch = ladder.epoch if profile.ladder else NO_STEP
    kept, asked = _kept(record, session)
    mark = Send(
        id=send,
        at=now,
        state=SendState.RESERVED,
        session=session.id,
        epoch=epoch,
        source=source,
        provider=asked,
        extra=extra,
    )
    sends = (*_told_apart(record, session), mark)
    return record.but(ladder=ladder, sends=sends, sessions=placed(record.sessions, kept))


def _told_apart(record: RecipientRecord, session: Session) -> tuple[Send, ...]:
    """The sends; those before have who was asked for them where the session is about to go another way."""
    before = record.session(session.id)
    if before is None or (before.provider, before.channel) == (session.provider, session.channel):
        return record.sends
    return tuple(
        [
            one.but(attempts=(_asked(before, one),))
            if one.session == session.id and one.state is not SendState.RESERVED and not one.attempts
            else one
            for one in record.sends
        ]
    )


def _asked(session: Session, send: Send) -> Attempt:
    """What session and send say together of an only attempt."""
    return Attempt(session.provider, session.channel, milliseconds(send.at), unknown=send.state is SendState.UNKNOWN)


def _kept(record: RecipientRecord, session: Session) -> tuple[Session, str]:
    """The session as it is written while another provider is asked to send its code: it names who has a message of it.

    What is told of that message, and of the code, goes by this provider's handle, until another has accepted. Gives
    also who is asked, "" where it is the session's provider.
    """
    before = record.session(session.id)
    if before is None or not before.handle or {before.owner, session.owner} != {CodeOwner.CORE}:
        return session, ""
    if before.provider == session.provider:
        return session, ""
    return session.but(provider=before.provider, handle=before.handle), session.provider


def asked_at(session: Session, send: Send) -> Session:
    """The session of a reserved send, at the provider that is asked."""
    return session.but(provider=send.provider, handle=None) if send.provider else session


def hand_over(
    record: RecipientRecord, send: Send, session: Session, *, attempts: tuple[Attempt, ...], extra: int
) -> RecipientRecord:
    """A reserved send goes on to another provider: same step, same place, same generation of the code.

    Args:
        record: as it stands; `send` is one of its sends.
        send: the send as it stands in the record.
        session: the send's, as it is on the other provider.
        attempts: what was answered so far, oldest first.
        extra: as for `reserve`; what may be out after answers that were lost is among them, message for message.
    """
    kept, asked = _kept(record, session)
    there = send.but(attempts=attempts, extra=extra, provider=asked)
    return with_session(record.but(sends=replaced(_told_apart(record, session), there)), kept)


def follow(
    record: RecipientRecord,
    failed: Send,
    session: Session,
    *,
    now: datetime,
    send: str,
    attempts: tuple[Attempt, ...],
    extra: int,
) -> RecipientRecord:
    """A send that did not arrive is followed by one through another provider: a place under the daily cap, no step.

    Args:
        record: as it stands; `failed` is one of its sends.
        failed: the send as it stands in the record, settled.
        session: renewed, on the other provider.
        now: on the record's clock.
        send: id of the one that follows.
        attempts: who was asked for `failed`, the last one with the handle of its message.
        extra: as for `reserve`.
    """
    mark = Send(
        id=send,
        at=now,
        state=SendState.RESERVED,
        session=session.id,
        epoch=NO_STEP,
        source=failed.source,
        extra=extra,
        attempts=tuple([replace(one, handle="") for one in attempts]),  # that message is not this one's
    )
    sends = replaced(record.sends, failed.but(attempts=attempts))
    return with_session(record.but(sends=(*sends, mark)), session)


def settle_send(
    record: RecipientRecord,
    profile: Profile,
    send: Send,
    event: SendEvent,
    *,
    now: datetime,
    handle: str | None = None,
    lifetime: timedelta | None = None,
    provider: str = "",
    attempts: tuple[Attempt, ...] = (),
) -> RecipientRecord:
    """Write down what became of a send.

    Args:
        record: as it stands; `send` is one of its sends.
        profile: the policy in force.
        send: the send as it stands in the record.
        event: ACCEPTED, DEFINITELY_REFUSED or ANSWER_LOST.
        now: on the record's clock.
        handle: the provider's id of the verification, with ACCEPTED.
        lifetime: of a provider-owned code, counted from the handle's first send; None for a code of the
            core, or where each send has a lifetime of its own.
        provider: who answered; a message of a code of the core is known there. "": the session's.
        attempts: what the providers answered, oldest first; kept while the session lives.
    """
    state = step(SEND_TRANSITIONS, send.state, event)
    if state is send.state:
        return record
    session = record.session(send.session)
    refunded = event is SendEvent.DEFINITELY_REFUSED and _is_refundable(record, profile, send)
    settled = send.but(
        state=state,
        refunded=refunded,
        attempts=attempts if session is not None and session.is_live else (),
        provider="" if send.session else send.provider,
    )
    record = record.but(sends=replaced(record.sends, settled))
    if refunded and send.epoch != NO_STEP:
        record = record.but(ladder=_stepped_down(record, send))
    if session is None or not session.is_live:
        return record
    if event is SendEvent.ACCEPTED:
        if provider and provider != session.provider and session.owner is CodeOwner.CORE:
            session = session.but(provider=provider)
        return _accepted(record, profile, session, settled, handle=handle, lifetime=lifetime, now=now)
    own = [one.id for one in record.sends if one.session == session.id]
    if event is SendEvent.ANSWER_LOST and send.provider and own[-1] == send.id:  # the newest message may be there
        return with_session(handle_kept(record, session), asked_at(session, send))
    if event is SendEvent.DEFINITELY_REFUSED:
        codes = tuple(code for code in session.codes if code.send != send.id)
        session = session.but(codes=codes, expires_at=_end_of(codes) if codes else session.expires_at)
        record = with_session(record, session)
        record = record.but(keys=tuple(key for key in record.keys if key.send != send.id))
        if not any(one.session == session.id and one.state is not SendState.REFUSED for one in record.sends):
            record = end(record, session, SessionEvent.NOTHING_SENT, by=send.id, now=now)
    return record


NO_STEP: Final = -1
"""The epoch of a send that took no step: its policy has no waits."""

TOLD_KEPT: Final = 16
"""Events that one send remembers; a vendor tells each end of it once or twice."""


def receive(record: RecipientRecord, send: Send, event: SendEvent, told: str) -> RecipientRecord:
    """Write down what a receipt says of a send, DELIVERED or UNDELIVERED, and that this event was taken.

    Nothing but the send's state changes. `told` is the event's digest; which are kept does not depend on their order.
    """
    kept = tuple(sorted({*send.told, told})[:TOLD_KEPT])
    heard = send.but(state=step(SEND_TRANSITIONS, send.state, event), told=kept)
    return record if heard == send else record.but(sends=replaced(record.sends, heard))


def _is_refundable(record: RecipientRecord, profile: Profile, send: Send) -> bool:
    recent = sum(one.refunded and one.at > send.at - REFUND_WINDOW for one in record.sends)
    return (
        send.state is SendState.RESERVED
        and (send.epoch == NO_STEP or (send.epoch == record.ladder.epoch and record.ladder.count > 0))
        and recent < profile.refunds_per_hour
    )


def _stepped_down(record: RecipientRecord, send: Send) -> Ladder:
    newer = any(one.at > send.at and not one.refunded and one.id != send.id for one in record.sends)
    ladder = record.ladder
    return ladder.but(count=ladder.count - 1, next_at=ladder.next_at if newer else send.at)


def _accepted(
    record: RecipientRecord,
    profile: Profile,
    session: Session,
    send: Send,
    *,
    handle: str | None,
    lifetime: timedelta | None,
    now: datetime,
) -> RecipientRecord:
    if session.owner is CodeOwner.CORE:
        carriers = [code.send for code in session.codes]  # oldest first
        if send.id not in carriers:
            return record
        mine, *newer = session.codes[carriers.index(send.id) :]
        if [code for code in newer if code.live]:
            return record  # a newer code is live already; this one came too late
        codes = (mine.but(live=True), *newer)
        return with_session(record, session.but(codes=codes, handle=handle, expires_at=_end_of(codes)))
    return adopt(record, profile, session, handle=handle or "", send=send, lifetime=lifetime, now=now)


def adopt(
    record: RecipientRecord,
    profile: Profile,
    session: Session,
    *,
    handle: str,
    send: Send | None,
    lifetime: timedelta | None,
    now: datetime,
) -> RecipientRecord:
    """The verification that the provider speaks of is the session's, whether or not it was known.

    Unless it serves another purpose, or should be over: then one code would open two doors, and the session ends.

    Args:
        record: as it stands.
        profile: the policy in force.
        session: live, and its code is the provider's.
        handle: the provider's id.
        send: the send that was just accepted; None when a check found the verification.
        lifetime: as for `settle_send`.
        now: on the record's clock.
    """
    known = record.handle(session.provider, handle)
    mine = [one for one in record.sends if one.session == session.id]
    if known is None:
        # an earlier send of this session whose answer was lost may have opened the verification
        lost = [one.at for one in mine if one.state is SendState.UNKNOWN or send is None]
        may_be = [send.at, *(lost if session.handle is None else [])] if send else lost
        known = Handle(
            provider=session.provider,
            id=handle,
            purpose=session.purpose,
            first_at=min(may_be),
            last_at=max(may_be) if len(may_be) > 1 else None,
            sends=0 if send else len(mine),
        )
        record, known = _joined(record, known, lifetime)
    if session.handle is None:
        spent = sum(check.session == session.id for check in record.checks)
        known = known.but(checks=known.checks + spent)
    known = known.but(sends=known.sends + (send is not None), ended=False)
    start = send.at if send else known.first_at
    expires_at = known.first_at + lifetime if lifetime is not None else start + profile.code_lifetime
    record = with_handle(with_session(record, session.but(handle=handle, expires_at=expires_at)), known)
    if known.purpose != session.purpose or expires_at <= now:
        # the provider went on with a verification that is another purpose's, or that should be over
        record = end(record, session, SessionEvent.PROVIDER_LOST_IT, by=send.id if send else "", now=now)
    return record


def left_open(
    record: RecipientRecord, *, provider: str, handle: str, purpose: str, at: datetime, lifetime: timedelta | None
) -> RecipientRecord:
    """The provider accepted a send whose session is over: its verification lives there, and stays known.

    Args:
        record: as it stands.
        provider: name of the provider instance, which owns the code.
        handle: the provider's id.
        purpose: of the session.
        at: of the send.
        lifetime: as for `settle_send`.
    """
    known = record.handle(provider, handle)
    if known is not None and handle:
        return with_handle(record, known.but(sends=known.sends + 1))
    opened = Handle(provider=provider, id=handle, purpose=purpose, first_at=at)
    return with_handle(*_joined(record, opened, lifetime))


def _joined(record: RecipientRecord, opened: Handle, lifetime: timedelta | None) -> tuple[RecipientRecord, Handle]:
    """A verification that was left behind under no id is the one that the provider now names."""
    left = record.handle(opened.provider, "")
    if left is None or not opened.id or lifetime is None or opened.first_at >= left.opened_by + lifetime:
        return record, opened
    joined = opened.but(
        first_at=min(opened.first_at, left.first_at),
        last_at=max(opened.opened_by, left.opened_by),
        sends=opened.sends + left.sends,
        checks=opened.checks + left.checks,
    )
    return record.but(handles=tuple(one for one in record.handles if one != left)), joined


def _end_of(codes: tuple[Code, ...]) -> datetime:
    """A session ends with its newest code."""
    return max([code.expires_at for code in codes])
