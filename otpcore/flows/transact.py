"""One decision on one record, made atomic by compare-and-swap.

Rules of this file: see `otpcore.flows`. It knows stores and time, and nothing of sends or checks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec

from otpcore.codes import Entropy, record_key
from otpcore.contract import Conflict, Version, Versioned
from otpcore.effects import Commit, Load, Pause, ReadClock
from otpcore.errors import Busy, CommitUnknown, StoreUnavailable
from otpcore.flows.setup import Flow, Setup
from otpcore.ledger import catch_up, gc_at, tidy
from otpcore.model import SCHEMA, RecipientRecord
from otpcore.recipients import Recipient

__all__ = ["ATTEMPTS", "EMPTY", "PAUSE_S", "Snapshot", "load", "locate", "make_way", "places", "transact"]

T = TypeVar("T")

ATTEMPTS: Final = 64
"""A commit loses only against one that spent budget; a record's budget for a day is smaller than this."""

DOUBTS: Final = 3
"""Commits without an answer that one operation looks after; each may have cost it a store's whole deadline."""

PAUSE_S: Final = 0.002
LONGEST_PAUSE_S: Final = 0.05

FORWARDING: Final = timedelta(days=400)

EMPTY: Final = RecipientRecord()


class Snapshot(msgspec.Struct, frozen=True):
    """A record as it was last seen.

    Attributes:
        key: where it is.
        record: decoded; `EMPTY` when absent.
        version: None when absent.
        now: the present on the record's clock when it was last decided on.
    """

    key: str
    record: RecipientRecord
    version: Version | None
    now: datetime | None = None


def load(key: str) -> Flow[Snapshot]:
    """Read the record, following a marker that a pepper rotation left."""
    found: Versioned | None = yield Load(key)
    return (yield from _follow(key, found))


def _follow(key: str, found: Versioned | None) -> Flow[Snapshot]:
    passed: dict[str, Version] = {}
    while found is not None:
        record = RecipientRecord.decode(found.data)
        if record.forward is None:
            return Snapshot(key, record, found.version)
        passed[key] = found.version
        if record.forward in passed:
            return _cut(passed, record.forward)
        key = record.forward
        found = yield Load(key)
    return Snapshot(key, EMPTY, None)


def _cut(passed: dict[str, Version], first: str) -> Snapshot:
    """Markers in a ring, which a rotation there and back leaves: one of them, the same for all, becomes the record."""
    walked = list(passed)
    key = min(walked[walked.index(first) :])
    return Snapshot(key, EMPTY, passed[key])


def transact(
    setup: Setup,
    decide: Callable[[RecipientRecord, datetime, str], tuple[RecipientRecord, T]],
    entropy: Entropy,
    *,
    known: Snapshot,
) -> Flow[tuple[T, Snapshot]]:
    """Decide on the record until the decision is what the store holds.

    Args:
        setup: of the engine.
        decide: a pure function of the record, caught up with time, of the present on its clock, and of the key
            where it is (which a marker may make another than `known.key`). It answers with the next record and an
            outcome; the same record object means that nothing is written. It may be called several times, and
            recognises its own earlier mark in the record: that is how a commit whose answer was lost is neither
            repeated nor forgotten.
        entropy: of the operation; its jitter spreads competitors, and the retries of a store in trouble.
        known: the record as last seen; `EMPTY` without a version to commit against absent first.

    Returns:
        The outcome, and the record as it now stands. The outcome is true of the store: it may be revealed.

    Raises:
        Busy: too many lost races; nothing was applied.
        CommitUnknown: the store left several commits without an answer.
        StoreError: the store is down.
    """
    seen, doubts = known, 0
    for attempt in range(ATTEMPTS):
        now: datetime = yield ReadClock()
        caught = catch_up(seen.record, setup.profile, now=now, lease=setup.lease)
        record, outcome = decide(caught.record, caught.now, seen.key)
        if record is caught.record and not caught.must_write:
            return outcome, Snapshot(seen.key, record, seen.version, caught.now)
        record = tidy(record, now=caught.now)
        over = gc_at(record, setup.profile, now=caught.now)
        try:
            answer: Version | Conflict = yield Commit(seen.key, record.encode(), seen.version, over)
        except CommitUnknown:
            doubts += 1
            if doubts > DOUBTS:
                raise
            yield Pause(_pause(entropy, attempt))
            seen = yield from _doubted(seen.key)
            continue
        except StoreUnavailable:
            if doubts:
                raise CommitUnknown from None  # this one was not applied, but an earlier one may be
            raise
        if not isinstance(answer, Conflict):
            return outcome, Snapshot(seen.key, record, answer, caught.now)
        if attempt:
            yield Pause(_pause(entropy, attempt))
            seen = yield from load(seen.key)
        else:
            seen = yield from _follow(seen.key, answer.current)
    raise Busy


def _doubted(key: str) -> Flow[Snapshot]:
    """Look whether a commit was applied; where nobody can look, nobody knows."""
    try:
        return (yield from load(key))
    except StoreUnavailable:
        raise CommitUnknown from None


def _pause(entropy: Entropy, attempt: int) -> float:
    longest = min(LONGEST_PAUSE_S, PAUSE_S * (1 << min(attempt, 8)))
    return longest * (entropy.jitter[attempt % len(entropy.jitter)] + 1) / 256


def places(setup: Setup, recipient: Recipient) -> tuple[str, ...]:
    """Where the recipient's record may be under each pepper in force, oldest first, the current one last."""
    return tuple([record_key(keys, setup.tenant_id, recipient.kind, recipient.identity) for keys in setup.keyring])


def locate(setup: Setup, recipient: Recipient) -> Flow[Snapshot]:
    """Where the recipient's record is, or is to be made; nothing is read unless a pepper is being rotated.

    While an old pepper lives, a record under its pseudonym is used where it is.
    """
    *old_places, current = places(setup, recipient)
    for old in old_places:
        found = yield from load(old)
        if found.version is not None:
            return found
    return Snapshot(current, EMPTY, None)


def make_way(setup: Setup, entropy: Entropy, recipient: Recipient, known: Snapshot) -> Flow[Snapshot]:
    """Before a record is made while a pepper is being rotated: every old place is made to lead to the new one.

    So two engines that start with different peppers still meet in one budget.

    Raises:
        Busy: others are making way too; nothing was done.
    """
    if known.version is not None or not setup.keyring.previous:
        return known
    *old_places, current = places(setup, recipient)
    for old in old_places:
        for attempt in range(1 + DOUBTS):
            found = yield from load(old)
            if found.version is not None:
                return found
            if found.key == current:
                break
            now: datetime = yield ReadClock()
            marker = RecipientRecord(v=SCHEMA, mark_at=now, forward=current)
            try:
                yield Commit(found.key, marker.encode(), None, now + FORWARDING)
            except CommitUnknown:  # whichever way it went, the next look tells
                yield Pause(_pause(entropy, attempt))
        else:
            raise Busy
    return Snapshot(current, EMPTY, None)
