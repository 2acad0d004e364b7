"""A provider has stopped the sends to a recipient: until when nobody else is asked, and what lifts that.

Rules of this file: see `otpcore.ledger`. Which failure stops, and for how long, is `otpcore.routing.STOPS`.
"""

from __future__ import annotations

from datetime import datetime

from otpcore.model import RecipientRecord, Stop
from otpcore.stored import milliseconds

__all__ = ["lifted", "stop_of", "stopped"]


def stop_of(record: RecipientRecord, *, now: datetime) -> Stop | None:
    """The stop that is in force; None: there is none."""
    stop = record.stop
    return stop if stop is not None and milliseconds(now) < stop.until_ms else None


def stopped(
    record: RecipientRecord, *, provider: str, kind: str, now: datetime, until: datetime, since: datetime
) -> RecipientRecord:
    """A provider stops the sends. Of two stops the one that lasts longer is kept.

    Args:
        record: as it stands.
        provider: who says it.
        kind: of the failure.
        now: on the record's clock.
        until: when it is over.
        since: when the send that met it was reserved; what was written down after that, and lasts as long, is this very
            answer.
    """
    said, before = Stop(provider, kind, milliseconds(now), milliseconds(until)), stop_of(record, now=now)
    if before is not None:
        same = (before.provider, before.kind, _lasts(before)) == (provider, kind, _lasts(said))
        if before.until_ms > said.until_ms or (same and before.at_ms >= milliseconds(since)):
            return record
    return record.but(stop=said)


def lifted(record: RecipientRecord, *, provider: str, since: datetime) -> RecipientRecord:
    """The provider has accepted a send that was reserved at `since`: what it said before holds no more."""
    stop = record.stop
    if stop is None or stop.provider != provider or milliseconds(since) < stop.at_ms:
        return record
    return record.but(stop=None)


def _lasts(stop: Stop) -> int:
    return stop.until_ms - stop.at_ms
