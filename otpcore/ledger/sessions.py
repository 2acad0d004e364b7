"""How a session ends, and what may be asked of one.

Rules of this file: see `otpcore.ledger`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from otpcore.contract import CodeOwner
from otpcore.machine import SESSION_TRANSITIONS, SessionEvent, step
from otpcore.model import (
    Attempt,
    Check,
    CheckState,
    Handle,
    Ladder,
    RecipientRecord,
    Send,
    SendState,
    Session,
    SessionStatus,
)
from otpcore.policy import NotYet, Profile, decide_send
from otpcore.results import NextActions
from otpcore.stored import milliseconds

__all__ = [
    "Carrier",
    "approve",
    "carrier",
    "checks_left",
    "claims_open",
    "end",
    "forget",
    "handle_ended",
    "handle_kept",
    "next_actions",
    "placed",
    "replaced",
    "siblings",
    "unlock",
    "with_handle",
    "with_session",
]

Mark = TypeVar("Mark", Send, Check, Session)

UNSETTLED: Final = (SendState.RESERVED, SendState.UNKNOWN)
"""Sends of which nobody knows yet whether there is a message."""


def checks_left(record: RecipientRecord, session: Session, profile: Profile) -> int:
    """Tries left on a session; of sessions that share a verification at a provider, on that."""
    if not session.is_live:
        return 0
    used = len([check for check in record.checks if check.session == session.id])
    if session.owner is CodeOwner.PROVIDER:
        handle = record.handle(session.provider, session.handle)
        used = max(used, handle.checks if handle else 0)
    return max(0, profile.checks_per_session - used)


def claims_open(record: RecipientRecord, session: Session) -> bool:
    """Whether a try at this session, or at its verification, is on its way to the provider."""
    claims = [check.session for check in record.checks if check.state is CheckState.CLAIMED]
    return bool(claims) and (session.id in claims or any(one.id in claims for one in siblings(record, session)))


def approve(record: RecipientRecord, session: Session, *, by: str, now: datetime) -> RecipientRecord:
    """The code was right: consecutive failures and the ladder are cleared, the daily cap is not."""
    family = siblings(record, session)
    checks = tuple([check for check in record.checks if check.id != by])
    ladder = Ladder(epoch=record.ladder.epoch + 1)
    record = record.but(checks=checks, consecutive=0, ladder=ladder)
    record = end(record, session, SessionEvent.RIGHT_CODE, by=by, now=now)
    for sibling in family:
        record = end(record, sibling, SessionEvent.SIBLING_APPROVED, by=by, now=now)
    return handle_ended(record, session)


def end(record: RecipientRecord, session: Session, event: SessionEvent, *, by: str, now: datetime) -> RecipientRecord:
    """The session leaves `pending` and shrinks to what its holder may still ask for."""
    status = step(SESSION_TRANSITIONS, session.status, event)
    if status is session.status:
        return record
    if status is not SessionStatus.APPROVED:
        record = _left_behind(record, session)
    shrunk = Session(
        id=session.id,
        purpose=session.purpose,
        status=status,
        proof=session.proof,
        provider=session.provider,
        region=session.region,
        expires_at=now,
        ended_at=now,
        ended_by=by,
    )
    settled_sends = [
        _outlives(send, session)
        if send.session == session.id
        and send.state not in UNSETTLED
        and not send.refunded  # its operation is about to look for it
        else send.but(attempts=())
        if send.attempts and send.session == session.id
        else send
        for send in record.sends
    ]
    settled_checks = [
        check.but(id="", session="") if check.session == session.id and check.state is CheckState.WRONG else check
        for check in record.checks
    ]
    return record.but(
        sends=tuple(settled_sends), checks=tuple(settled_checks), sessions=replaced(record.sessions, shrunk)
    )


def _outlives(send: Send, session: Session) -> Send:
    """What stays of a settled send: only a source's share is still counted by steps."""
    epoch = send.epoch if send.source else 0
    about = {"provider": session.provider, "region": session.region, "epoch": epoch}
    return send.but(id="", session="", attempts=(), **about)


def _left_behind(record: RecipientRecord, session: Session) -> RecipientRecord:
    """A send that nobody knows of may have opened a verification: it outlives its session, under no id.

    Else the next send of another purpose would be joined to it at the provider, and one code would open both.
    """
    open_sends = [send.at for send in record.sends if send.session == session.id and send.state in UNSETTLED]
    known = record.handle(session.provider, session.handle)
    if session.owner is CodeOwner.CORE or not open_sends or (known is not None and not _may_be_over(record, known)):
        return record
    left = Handle(
        provider=session.provider,
        id="",
        purpose=session.purpose,
        first_at=min(open_sends),
        last_at=max(open_sends) if len(open_sends) > 1 else None,
        sends=len(open_sends),
        checks=sum(check.session == session.id for check in record.checks) if known is None else 0,
    )
    return with_handle(record, left)


def _may_be_over(record: RecipientRecord, handle: Handle) -> bool:
    """Whether a try of which nobody knows may have used the verification's code: the send after it opens another."""
    return any(check.at >= handle.first_at and check.state is not CheckState.WRONG for check in record.checks)


def siblings(record: RecipientRecord, session: Session) -> tuple[Session, ...]:
    """The other live sessions on the same verification at the same provider."""
    if session.owner is CodeOwner.CORE or session.handle is None:
        return ()
    mine = (session.provider, session.handle)
    return tuple(
        one for one in record.sessions if one.is_live and one.id != session.id and (one.provider, one.handle) == mine
    )


def handle_ended(record: RecipientRecord, session: Session) -> RecipientRecord:
    """The provider has ended the verification of this session; its counts stay until its window is over."""
    if not record.handles:
        return record
    mine = (session.provider, session.handle)
    handles = tuple(one.but(ended=True) if (one.provider, one.id) == mine else one for one in record.handles)
    return record.but(handles=handles)


class Carrier(NamedTuple):
    """A provider's name, and its own id of the message or verification that carries a code of the core."""

    provider: str
    handle: str


def carrier(record: RecipientRecord, session: Session) -> Carrier | None:
    """Who carries the code of the core that a live session's person has, as far as that is known."""
    if session.owner is not CodeOwner.CORE:
        return None
    if session.handle:
        return Carrier(session.provider, session.handle)
    matching = {code.send for code in session.codes}
    left = [one for send in record.sends if send.id in matching for one in send.attempts if one.handle]
    return Carrier(left[-1].provider, left[-1].handle) if left else None


def handle_kept(record: RecipientRecord, session: Session) -> RecipientRecord:
    """The session is about to name another provider: its handle stays at the send whose message has it."""
    carried = {code.send for code in session.codes if code.live}
    sends = tuple([_with_handle_of(session, send) if send.id in carried else send for send in record.sends])
    return record.but(sends=sends)


def _with_handle_of(session: Session, send: Send) -> Send:
    *before, last = send.attempts or (Attempt(session.provider, session.channel, milliseconds(send.at)),)
    return send.but(attempts=(*before, replace(last, handle=session.handle or "")))


def forget(record: RecipientRecord) -> RecipientRecord:
    """Erase sessions, codes and idempotency keys; keep what limits count, without ids.

    Verifications stay until their windows are over: the provider goes on with one that could not be ended.
    """
    for session in record.sessions:
        if session.is_live:
            record = _left_behind(record, session)
    return RecipientRecord(
        handles=record.handles,
        mark_at=record.mark_at,
        ladder=record.ladder,
        sends=tuple(send.but(id="", session="", attempts=()) for send in record.sends),
        checks=tuple(check.but(id="", session="", state=CheckState.WRONG) for check in record.checks),
        consecutive=record.consecutive,
        stop=record.stop,
        forward=record.forward,
    )


def unlock(record: RecipientRecord) -> RecipientRecord:
    """Clear the failure counts; a live session keeps the tries that it has used."""
    live = {session.id for session in record.sessions if session.is_live}
    checks = tuple(check.but(forgiven=True) for check in record.checks if check.session in live)
    return record.but(checks=checks, consecutive=0)


def next_actions(
    record: RecipientRecord,
    session: Session | None,
    profile: Profile,
    *,
    now: datetime,
    not_before: datetime | None = None,
    source: str = "",
    messages: int = 1,
) -> NextActions:
    """What can be done from here.

    Args:
        record: as it stands.
        session: the one that is spoken of, if any.
        profile: the policy in force.
        now: on the record's clock.
        not_before: a further bound on the next send: the provider's own window.
        source: pseudonym of who asks, "" when not told.
        messages: that the next send may bring, as for `decide_send`.
    """
    verdict = decide_send(record, profile, now=now, source=source, messages=messages)
    resend_at: datetime | None = now
    locked_until: datetime | None = None
    if isinstance(verdict, NotYet):
        resend_at = verdict.until
    elif verdict is not None:
        resend_at = locked_until = verdict.until
    if resend_at is not None and not_before is not None and not_before > resend_at:
        resend_at = not_before
    live = session is not None and session.is_live
    return NextActions(
        resend_at=resend_at,
        checks_left=None if session is None else checks_left(record, session, profile) if live else 0,
        expires_at=session.expires_at if session is not None and live else None,
        locked_until=locked_until,
    )


def with_session(record: RecipientRecord, session: Session) -> RecipientRecord:
    """The record with this session in the place of the one of the same id, or added."""
    return record.but(sessions=placed(record.sessions, session))


def placed(sessions: tuple[Session, ...], new: Session) -> tuple[Session, ...]:
    """The sessions with `new` in the place of the one of the same id, or added."""
    for place, one in enumerate(sessions):
        if one.id == new.id:
            return (*sessions[:place], new, *sessions[place + 1 :])
    return (*sessions, new)


def with_handle(record: RecipientRecord, handle: Handle) -> RecipientRecord:
    """The record with this verification as its newest, in the place of the one of the same id."""
    same = (handle.provider, handle.id)
    return record.but(handles=(*(one for one in record.handles if (one.provider, one.id) != same), handle))


def replaced(marks: Iterable[Mark], new: Mark) -> tuple[Mark, ...]:
    """The marks with the one of the same id exchanged for `new`."""
    return tuple([new if mark.id == new.id else mark for mark in marks])
