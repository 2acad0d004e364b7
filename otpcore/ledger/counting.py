"""How a resend record of the legacy facade changes: it counts sends on the recipient's ladder, and nothing else.

Rules of this file: see `otpcore.ledger`. A wait runs up to and including its last instant, as it did for its callers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from otpcore.model import Ladder, RecipientRecord, Send
from otpcore.policy import Profile, climb

__all__ = ["count_send", "waits_until"]

KEPT: Final = 64
"""Sends that a resend record remembers by their ids: as many as may be counting at once."""


def waits_until(record: RecipientRecord, *, now: datetime) -> datetime | None:
    """When the wait that runs is over; None: the next send is free."""
    next_at = record.ladder.next_at
    return next_at if next_at is not None and now <= next_at else None


def count_send(record: RecipientRecord, profile: Profile, *, now: datetime, send: str) -> RecipientRecord:
    """One more send. It never shortens a wait that runs, and no new cycle starts while the last wait of one does.

    Args:
        record: as it stands.
        profile: the policy in force.
        now: on the record's clock.
        send: id of the send; once it is counted, it is not counted again.
    """
    if record.send(send) is not None:
        return record
    ladder, running = record.ladder, waits_until(record, now=now)
    if running is not None and ladder.count >= len(profile.ladder):
        ladder = ladder.but(count=len(profile.ladder) - 1)
    climbed: Ladder = climb(ladder, profile, now=now)
    if running is not None and climbed.next_at is not None and climbed.next_at < running:
        climbed = climbed.but(next_at=running)
    return record.but(ladder=climbed, sends=(*record.sends[1 - KEPT :], Send(id=send, at=now)))
