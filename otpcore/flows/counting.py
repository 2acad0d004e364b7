"""The legacy facade's resend records: get or create, count a send, change, delete.

Rules of this file: see `otpcore.flows`. Such a record is a recipient record with a counter and a ladder; its key is
its id. An id of an imported table is a marker that leads to the record.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from otpcore.codes import Entropy, counter_id
from otpcore.contract import Conflict, Version, Versioned
from otpcore.effects import Commit, Load, Pause, ReadClock, Tell
from otpcore.errors import Busy, CommitUnknown, StoreFormatError
from otpcore.events import Event
from otpcore.flows.setup import Flow, Setup, event
from otpcore.flows.transact import ATTEMPTS, PAUSE_S, Snapshot, load, transact
from otpcore.ledger import catch_up, count_send, waits_until
from otpcore.model import SCHEMA, Counter, RecipientRecord

__all__ = [
    "change_counter",
    "count_one",
    "counter_key",
    "delete_counter",
    "is_marker",
    "lead_to_counter",
    "look_at",
    "open_counter",
]

Change = Callable[[RecipientRecord, datetime], RecipientRecord]
"""A pure function of a counter's record and the present on its clock."""


def counter_key(setup: Setup, identity: int) -> str:
    """Where the record of this id is."""
    return f"{setup.tenant_id}/c/{identity}"


def look_at(setup: Setup, identity: int) -> Flow[Snapshot | None]:
    """The record of this id, caught up with time; None when there is none."""
    seen = yield from load(counter_key(setup, identity))
    if seen.record.counter is None:
        return None
    now: datetime = yield ReadClock()
    caught = catch_up(seen.record, setup.profile, now=now, lease=setup.lease)
    return Snapshot(seen.key, caught.record, seen.version, caught.now)


def is_marker(setup: Setup, identity: int) -> Flow[bool]:
    """Whether this is an id of an imported table, be its record there or gone."""
    found: Versioned | None = yield Load(counter_key(setup, identity))
    return found is not None and RecipientRecord.decode(found.data).forward is not None


def open_counter(
    setup: Setup, entropy: Entropy, unique_id: str, user_id: str, *, recipient: str, change: Change | None = None
) -> Flow[Snapshot]:
    """The pair's one record, made where there is none.

    Args:
        setup: of the engine.
        entropy: of the operation.
        unique_id: half of the pair.
        user_id: the other half.
        recipient: pseudonym of the number it is for, "" when not told. A record that has none takes it, unless its
            wait runs and nothing is to be changed: who is refused it has no part in it.
        change: made to the record in the same commit.

    Raises:
        StoreFormatError: another pair has this id, which two of 10^9 pairs do not have.
    """
    known = yield from load(counter_key(setup, counter_id(unique_id, user_id)))

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, None]:
        counter = record.counter
        if counter is None:
            made = Counter(unique_id=unique_id, user_id=user_id, recipient=recipient, created_at=now)
            record = record.but(counter=made)
        elif (counter.unique_id, counter.user_id) != (unique_id, user_id):
            raise StoreFormatError("Two pairs of unique_id and user_id have one id: this one cannot be counted.")
        elif recipient and not counter.recipient and (change is not None or waits_until(record, now=now) is None):
            record = record.but(counter=counter.but(recipient=recipient))
        return change(record, now) if change is not None else record, None

    _, seen = yield from transact(setup, decide, entropy, known=known)
    return seen


def count_one(setup: Setup, entropy: Entropy, unique_id: str, user_id: str, *, recipient: str = "") -> Flow[Snapshot]:
    """Count one send of the pair; a record that was deleted meanwhile is made again, so that no send is lost."""

    def counted(record: RecipientRecord, now: datetime) -> RecipientRecord:
        return count_send(record, setup.profile, now=now, send=entropy.operation)

    seen = yield from open_counter(setup, entropy, unique_id, user_id, recipient=recipient, change=counted)
    yield _told(setup, "counter.count", seen)
    return seen


def change_counter(setup: Setup, entropy: Entropy, identity: int, change: Change) -> Flow[Snapshot | None]:
    """Change the record of this id; None when there is none."""
    known = yield from load(counter_key(setup, identity))

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, bool]:
        return (record, False) if record.counter is None else (change(record, now), True)

    there, seen = yield from transact(setup, decide, entropy, known=known)
    return seen if there else None


def delete_counter(setup: Setup, entropy: Entropy, identity: int) -> Flow[bool]:
    """Delete the record of this id, unless there is none; whether this call did it.

    Raises:
        Busy: too many lost races; nothing was done.
        CommitUnknown: the store left the commits without an answer.
    """
    doubted = False
    for attempt in range(ATTEMPTS):
        seen = yield from load(counter_key(setup, identity))
        if seen.record.counter is None:
            return doubted  # by this call, as far as anybody can know
        now: datetime = yield ReadClock()
        try:
            answer: Version | Conflict = yield Commit(seen.key, None, seen.version, now)
        except CommitUnknown:
            if doubted:
                raise
            doubted = True
        else:
            if not isinstance(answer, Conflict):
                yield _told(setup, "counter.delete", Snapshot(seen.key, seen.record, None, now))
                return True
        yield Pause(PAUSE_S * (1 + entropy.jitter[attempt % len(entropy.jitter)] / 256))
    raise Busy


def _told(setup: Setup, name: str, seen: Snapshot) -> Tell:
    """A fact for audit log and plugins; whose it is, is told where a number was."""

    def facts() -> tuple[Event, ...]:
        counter, at = seen.record.counter, seen.now
        if counter is None or at is None:
            return ()
        return (event(setup, name, at=at, key=counter.recipient, count=str(seen.record.ladder.count)),)

    return Tell(facts)


def lead_to_counter(setup: Setup, former: int, identity: int, until: datetime) -> Flow[bool]:
    """Let the id of an imported table lead to the record, until then at least; False: it leads somewhere already."""
    key = counter_key(setup, former)
    found = yield Load(key)
    if found is not None:
        return False
    now: datetime = yield ReadClock()
    marker = RecipientRecord(v=SCHEMA, mark_at=now, forward=counter_key(setup, identity))
    answer: Version | Conflict = yield Commit(key, marker.encode(), None, until)
    return not isinstance(answer, Conflict)
