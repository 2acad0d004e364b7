"""What is counted in one walk over the records of a store.

Rules of this file: it reads, and shows nothing of a record but that it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from otpcore.errors import StoreFormatError
from otpcore.model import RecipientRecord, SendState
from otpcore.policy import Profile, decide_check
from otpcore.ports import Scans

__all__ = ["Census", "census"]

PAGE: Final = 500
NOBODY_SETTLES: Final = timedelta(seconds=15)
"""The longest provider call, 10 s, and the margin for its commit: after that a reserved send is left over."""


@dataclass(slots=True)
class Census:
    """The counts.

    Attributes:
        records: of recipients.
        resend_records: of the legacy facade, which count steps and know no sends.
        damaged: records of recipients that cannot be read.
        live_sessions: of all recipients.
        stuck_sends: reserved by a process that died.
        unknown_sends: whose outcome nobody learned.
        locked: recipients whose failures refuse every check.
        strange_peppers: ids of peppers that live codes were made with and that are not configured.
    """

    records: int = 0
    resend_records: int = 0
    damaged: int = 0
    live_sessions: int = 0
    stuck_sends: int = 0
    unknown_sends: int = 0
    locked: int = 0
    strange_peppers: set[str] = field(default_factory=set[str])


def census(
    store: Scans, profile: Profile, kids: AbstractSet[str], *, now: datetime, progress: Callable[[str], None]
) -> Census:
    """Walk over all records.

    Args:
        store: where they are.
        profile: the policy in force.
        kids: ids of the configured peppers.
        now: the present.
        progress: is told how far it is.

    Raises:
        StoreError: the store does not answer.
    """
    found, after = Census(), ""
    while page := store.scan(after, PAGE):
        for key, each in page:
            found.resend_records += "/c/" in key
            if "/r/" not in key:
                continue
            try:
                record = RecipientRecord.decode(each.data)
            except StoreFormatError:
                found.damaged += 1
                continue
            live = [session for session in record.sessions if session.is_live and now < session.expires_at]
            found.records += 1
            found.live_sessions += len(live)
            found.stuck_sends += sum(
                send.state is SendState.RESERVED and send.at < now - NOBODY_SETTLES for send in record.sends
            )
            found.unknown_sends += sum(send.state is SendState.UNKNOWN for send in record.sends)
            found.locked += decide_check(record, profile, now=now) is not None
            found.strange_peppers |= {code.kid for session in live for code in session.codes} - kids
        after = page[-1][0]
        progress(f"{found.records + found.resend_records} records")
    return found
