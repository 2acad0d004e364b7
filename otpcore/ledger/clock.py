"""What time alone does to a record, and when a record may go.

Rules of this file: see `otpcore.ledger`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from otpcore.ledger.sessions import checks_left, claims_open, end
from otpcore.ledger.stops import stop_of
from otpcore.machine import CHECK_TRANSITIONS, SEND_TRANSITIONS, CheckEvent, SendEvent, SessionEvent, step
from otpcore.model import SCHEMA, CheckState, RecipientRecord, SendState
from otpcore.policy import DAY, Profile
from otpcore.stored import EPOCH, Stop, instant, milliseconds

__all__ = ["REFUND_WINDOW", "CaughtUp", "catch_up", "gc_at", "tidy"]

CLOCK_TOLERANCE: Final = timedelta(seconds=5)
"""Clocks of several machines differ by this much without anybody having set one."""

REFUND_WINDOW: Final = timedelta(hours=1)
ENDED_KEPT: Final = 3
LONG_MEMORY: Final = timedelta(days=400)
"""An unfinished ladder and consecutive failures count until a success; a number changes hands sooner."""


# --- time ------------------------------------------------------------------------------------


class CaughtUp(msgspec.Struct, frozen=True):
    """A record brought to the present.

    Attributes:
        record: as time has left it.
        now: the present on the record's clock: never before its mark.
        must_write: commit before answering: an expiry that would be told, or a clock that was set back.
    """

    record: RecipientRecord
    now: datetime
    must_write: bool


def catch_up(record: RecipientRecord, profile: Profile, *, now: datetime, lease: timedelta) -> CaughtUp:
    """What time alone has done to a record.

    A clock that is up to 5 s behind the record's mark is taken as the mark. One that is further behind was
    set back: every instant is shifted by as much, so that no wait is longer than its step, and what was live
    ends, so that no code lives again.
    """
    if record.mark_at is None:
        return CaughtUp(record, now, must_write=False)
    set_back = now < record.mark_at - CLOCK_TOLERANCE
    if set_back:
        record = _shifted(record, record.mark_at - now)
    before = record.mark_at or now
    now = max(now, before)
    record = _lease_over(record, now - lease)
    must_write = set_back
    tried = bool(record.checks or record.handles)
    for session in record.sessions:
        if not session.is_live:
            continue
        if now >= session.expires_at or set_back:
            if set_back or not claims_open(record, session):
                record = end(record, session, SessionEvent.LIFETIME_OVER, by="", now=now)
                must_write = True
            else:
                must_write = must_write or before < session.expires_at
        elif tried and checks_left(record, session, profile) == 0 and not claims_open(record, session):
            record = end(record, session, SessionEvent.LAST_TRY_SPENT, by="", now=now)
    return CaughtUp(record, now, must_write)


def _shifted(record: RecipientRecord, back: timedelta) -> RecipientRecord:
    next_at, stop = record.ladder.next_at, record.stop
    if stop is not None:
        at, until = (milliseconds(max(instant(each) - back, EPOCH)) for each in (stop.at_ms, stop.until_ms))
        stop = Stop(stop.provider, stop.kind, at, until)
    return record.but(
        stop=stop,
        mark_at=(record.mark_at - back) if record.mark_at else None,
        ladder=record.ladder.but(next_at=next_at and next_at - back),
        sends=tuple(send.but(at=send.at - back) for send in record.sends),
        checks=tuple(check.but(at=check.at - back) for check in record.checks),
        keys=tuple(key.but(at=key.at - back) for key in record.keys),
        handles=tuple(
            one.but(first_at=one.first_at - back, last_at=one.last_at and one.last_at - back) for one in record.handles
        ),
        sessions=tuple(
            one.but(expires_at=one.expires_at - back, ended_at=one.ended_at and one.ended_at - back)
            for one in record.sessions
        ),
    )


def _lease_over(record: RecipientRecord, limit: datetime) -> RecipientRecord:
    """Sends and claims that nobody will settle any more become unknown."""
    if [send for send in record.sends if send.at <= limit and send.state is SendState.RESERVED]:
        sends = tuple(
            send.but(state=step(SEND_TRANSITIONS, send.state, SendEvent.LEASE_OVER)) if send.at <= limit else send
            for send in record.sends
        )
        record = record.but(sends=sends)
    if [check for check in record.checks if check.at <= limit and check.state is CheckState.CLAIMED]:
        checks = tuple(
            check.but(state=step(CHECK_TRANSITIONS, check.state, CheckEvent.LEASE_OVER)) if check.at <= limit else check
            for check in record.checks
        )
        record = record.but(checks=checks)
    return record


def tidy(record: RecipientRecord, *, now: datetime) -> RecipientRecord:
    """The record as it is written: marked with `now`, without what no longer counts."""
    day_ago, hour_ago = now - DAY, now - REFUND_WINDOW
    sends, checks, keys = record.sends, record.checks, record.keys
    if sends and (sends[0].at <= day_ago or [send for send in sends if send.refunded]):
        sends = tuple(send for send in sends if send.at > (hour_ago if send.refunded else day_ago))
    if checks and checks[0].at <= day_ago:
        checks = tuple(check for check in checks if check.at > day_ago)
    if keys and keys[0].at <= day_ago:
        keys = tuple(key for key in keys if key.at > day_ago)
    sessions, handles = record.sessions, record.handles
    if len(sessions) > ENDED_KEPT or [one for one in sessions if one.ended_at is not None and one.ended_at <= day_ago]:
        ended = [one.id for one in sessions if one.ended_at is not None and one.ended_at > day_ago][-ENDED_KEPT:]
        sessions = tuple(one for one in sessions if one.is_live or one.id in ended)
    if handles:
        in_use = {(one.provider, one.handle) for one in sessions if one.is_live}
        handles = tuple(one for one in handles if one.opened_by > day_ago or (one.provider, one.id) in in_use)
    return RecipientRecord(
        v=SCHEMA,
        mark_at=now,
        ladder=record.ladder,
        sends=sends,
        checks=checks,
        consecutive=record.consecutive,
        stop=stop_of(record, now=now),
        sessions=sessions,
        handles=handles,
        keys=keys,
        forward=record.forward,
        counter=record.counter,
    )


def gc_at(record: RecipientRecord, profile: Profile, *, now: datetime) -> datetime:
    """The instant from which nothing in the record counts."""
    # of a ladder that this profile does not climb, nobody here knows the end
    unfinished = 0 < record.ladder.count < len(profile.ladder) or (record.ladder.count and not profile.ladder)
    if unfinished or record.consecutive or record.forward is not None or record.counter is not None:
        return now + LONG_MEMORY
    over = max([now, *[session.expires_at for session in record.sessions]]) + DAY
    next_at = record.ladder.next_at
    return over if next_at is None else max(over, next_at)
