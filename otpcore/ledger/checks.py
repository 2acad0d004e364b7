"""How a try changes the record: it is spent before, and settled after.

Rules of this file: see `otpcore.ledger`.
"""

from __future__ import annotations

from datetime import datetime

from otpcore.contract import CodeOwner
from otpcore.ledger.sessions import checks_left, claims_open, end, replaced
from otpcore.machine import CHECK_TRANSITIONS, CheckEvent, SessionEvent, step
from otpcore.model import Check, CheckState, RecipientRecord, Session
from otpcore.policy import Profile

__all__ = ["claim", "settle_check"]


def claim(
    record: RecipientRecord,
    session: Session,
    *,
    now: datetime,
    check: str,
    source: str,
    state: CheckState = CheckState.CLAIMED,
) -> RecipientRecord:
    """Spend a try: it counts as a failure until it turns out right or was never made."""
    mark = Check(id=check, at=now, state=state, session=session.id, source=source)
    return _counted_on_handle(record, session, 1).but(checks=(*record.checks, mark), consecutive=record.consecutive + 1)


def settle_check(
    record: RecipientRecord, profile: Profile, check: Check, event: CheckEvent | None, *, now: datetime
) -> RecipientRecord:
    """Write down what became of a claimed try; None: the provider did not compare, the try is given back."""
    session = record.session(check.session)
    if event is None:
        left = tuple(one for one in record.checks if one.id != check.id)
        record = record.but(checks=left, consecutive=max(0, record.consecutive - 1))
        return record if session is None else _counted_on_handle(record, session, -1)
    settled = check.but(state=step(CHECK_TRANSITIONS, check.state, event))
    record = record.but(checks=replaced(record.checks, settled))
    for one in record.sessions:
        if one.is_live and checks_left(record, one, profile) == 0 and not claims_open(record, one):
            record = end(record, one, SessionEvent.LAST_TRY_SPENT, by=check.id, now=now)
    return record


def _counted_on_handle(record: RecipientRecord, session: Session, more: int) -> RecipientRecord:
    if session.owner is CodeOwner.CORE or session.handle is None:
        return record
    handles = tuple(
        one.but(checks=max(0, one.checks + more))
        if (one.provider, one.id) == (session.provider, session.handle)
        else one
        for one in record.handles
    )
    return record.but(handles=handles)
