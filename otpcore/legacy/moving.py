"""Moving the resend records of an old table in: `otpcore legacy import`.

    every row ── judge ──> the good rows of one pair ── move_rows ──> its resend record, and a marker for each old id

Rules of this file: a record is made or tightened in one commit, before its old ids lead to it; so a run that was killed
is finished by the next, and running again changes nothing. What a success has deleted stays deleted: an id that leads
to a record that is gone, or was made anew since, says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final

from otpcore.codes import Entropy, counter_id
from otpcore.contract import Versioned
from otpcore.effects import Commit, Load, ReadClock
from otpcore.flows.counting import change_counter, counter_key, lead_to_counter, look_at, open_counter
from otpcore.flows.setup import Flow, Setup
from otpcore.flows.transact import Snapshot
from otpcore.legacy.rows import BadRow, Row, judge, merged, tightened
from otpcore.model import RecipientRecord

if TYPE_CHECKING:
    from otpcore.legacy.desk import Desk

__all__ = ["Moved", "Outcome", "Report", "move_rows", "move_table"]

SLACK: Final = timedelta(days=1)
"""So much longer than was asked for does a marker live; one that is younger is not written again."""

CLOCKS: Final = timedelta(seconds=5)
"""Clocks of several machines differ by this much without anybody having set one."""


class Outcome(StrEnum):
    """What became of the rows of one pair."""

    IMPORTED = "imported"
    TIGHTENED = "tightened"
    UNCHANGED = "unchanged"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the rows of one pair.

    Attributes:
        outcome: of the pair's record.
        gone: ids that were imported before and whose record a success has deleted since; they are not brought back.
        taken: ids that lead to another pair's record already.
    """

    outcome: Outcome
    gone: tuple[int, ...] = ()
    taken: tuple[int, ...] = ()


@dataclass(slots=True)
class Report:
    """What became of the rows of a table; a row is in one of the numbers, or refused.

    Attributes:
        until: the old ids that were kept lead to their records at least until then.
        read: rows.
        imported: records that were made.
        merged: further rows of a pair.
        tightened: records that were there and became stricter.
        unchanged: records that were there and are as strict as the rows.
        gone: rows that were imported before and whose record a success has deleted since.
        kept: old ids that lead to a record.
        taken: old ids that lead to the record of another pair already, and are left so.
        refused: rows that are left where they are.
    """

    until: datetime
    read: int = 0
    imported: int = 0
    merged: int = 0
    tightened: int = 0
    unchanged: int = 0
    gone: int = 0
    kept: int = 0
    taken: list[int] = field(default_factory=list[int])
    refused: list[BadRow] = field(default_factory=list[BadRow])

    @property
    def changed(self) -> bool:
        """Whether any record was made or tightened."""
        return bool(self.imported or self.tightened)

    def note(self, rows: Sequence[Row], moved: Moved) -> None:
        """Count the rows of one pair."""
        came = [row.id for row in rows if row.id not in moved.gone]
        self.gone += len(rows) - len(came)
        self.kept += len({*came} - {*moved.taken})
        self.taken += moved.taken
        self.merged += max(0, len(came) - 1)
        self.imported += moved.outcome is Outcome.IMPORTED
        self.tightened += moved.outcome is Outcome.TIGHTENED
        self.unchanged += moved.outcome is Outcome.UNCHANGED


def move_table(
    desk: Desk,
    table: Iterable[Sequence[object]],
    *,
    zone: tzinfo,
    keep_ids: timedelta,
    repeated: Collection[object] = (),
    write: bool = True,
    progress: Callable[[int], object] = lambda _read: None,
) -> Report:
    """Move every row of a table, or say what moving it would do.

    Args:
        desk: whose store and policy it is.
        table: values of `COLUMNS`, the rows of a pair one after the other. It is walked once.
        zone: of the dates that name none.
        keep_ids: how long the old ids lead to their records.
        repeated: ids that more than one row has. The first pair keeps such an id, also where nothing is written that
            could say so to the second.
        write: False: nothing is written, and the report is the same.
        progress: told how many rows are done.

    Raises:
        StoreError: the store failed; what was moved before stays moved.
    """
    now = desk.clock()
    report, first = Report(until=now + keep_ids), _First(repeated)
    for rows in _pairs(table, zone, now, report):
        report.note(rows, first.of(rows, desk.move(rows, report.until, write=write)))
        progress(report.read)
    return report


class _First:
    """Which pair an id was given to, of the ids that may be given to two."""

    def __init__(self, repeated: Collection[object]) -> None:
        self._repeated = repeated
        self._leads: dict[int, int] = {}

    def of(self, rows: Sequence[Row], moved: Moved) -> Moved:
        """The same, with the ids that an earlier pair of this run has."""
        identity = counter_id(*rows[0].pair)
        ours = {row.id for row in rows if row.id in self._repeated} - {*moved.gone, *moved.taken}
        late = tuple(each for each in sorted(ours) if self._leads.setdefault(each, identity) != identity)
        return replace(moved, taken=tuple(sorted((*moved.taken, *late))))


def _pairs(table: Iterable[Sequence[object]], zone: tzinfo, now: datetime, report: Report) -> Iterator[list[Row]]:
    def good() -> Iterator[Row]:
        for values in table:
            report.read += 1
            judged = judge(values, zone, now)
            if isinstance(judged, Row):
                yield judged
            else:
                report.refused.append(judged)

    for _, rows in groupby(good(), key=lambda row: row.pair):
        yield list(rows)


# --- the rows of one pair ----------------------------------------------------------------------


def move_rows(setup: Setup, entropy: Entropy, rows: Sequence[Row], *, until: datetime, write: bool) -> Flow[Moved]:
    """Make the pair's record, or tighten the one that is there, and let the rows' ids lead to it.

    Args:
        setup: of the engine.
        entropy: of the operation.
        rows: of one pair, at least one.
        until: so long the old ids are kept at least.
        write: False: answer what would become of them, and write nothing.

    Raises:
        StoreError: the store failed; the same call again completes what this one began.
    """
    identity = counter_id(*rows[0].pair)
    own = counter_key(setup, identity)
    seen = yield from look_at(setup, identity)
    marks = yield from _marks(setup, rows, own)
    gone = tuple(each for each, mark in marks.items() if mark.leads_to(own) and _is_newer(seen, mark))
    taken = tuple(each for each, mark in marks.items() if not mark.leads_to(own))
    fresh = [row for row in rows if row.id not in gone]
    outcome = Outcome.GONE
    if fresh and not write:
        outcome = _foretold(setup, seen, fresh)
    elif fresh:
        outcome = yield from _written(setup, entropy, seen, fresh)
        if outcome is Outcome.GONE:  # a success came in between
            gone, taken = tuple(row.id for row in rows), ()
    if write:
        yield from _led(setup, {row.id for row in rows} - {identity, *taken}, identity, marks, until + SLACK)
    return Moved(outcome, gone, taken)


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the store holds under an old id: a marker, or the record of a pair that has this very id."""

    record: RecipientRecord
    stored: Versioned

    def leads_to(self, key: str) -> bool:
        return self.record.forward == key


def _marks(setup: Setup, rows: Sequence[Row], own: str) -> Flow[dict[int, _Mark]]:
    found: dict[int, _Mark] = {}
    for row in rows:
        key = counter_key(setup, row.id)
        stored: Versioned | None = None if key == own else (yield Load(key))
        if stored is not None:
            found[row.id] = _Mark(RecipientRecord.decode(stored.data), stored)
    return found


def _is_newer(seen: Snapshot | None, mark: _Mark) -> bool:
    """Whether the record to which the id led is gone: there is none, or one that was made after the import."""
    if seen is None:
        return True
    made, marked = seen.record.counter, mark.record.mark_at
    return made is not None and marked is not None and made.created_at > marked + CLOCKS


def _foretold(setup: Setup, seen: Snapshot | None, rows: Sequence[Row]) -> Outcome:
    if seen is None:
        return Outcome.IMPORTED
    same = tightened(seen.record, merged(rows, setup.profile), setup.profile) is seen.record
    return Outcome.UNCHANGED if same else Outcome.TIGHTENED


def _written(setup: Setup, entropy: Entropy, seen: Snapshot | None, rows: Sequence[Row]) -> Flow[Outcome]:
    """The rows' standing in the pair's record; `GONE`, and nothing written, where that is deleted meanwhile."""
    standing, changed = merged(rows, setup.profile), False

    def change(record: RecipientRecord, now: datetime) -> RecipientRecord:
        nonlocal changed
        became = tightened(record, standing, setup.profile)
        counter = became.counter
        if record.mark_at is None and counter is not None and standing.created_at is not None:
            became = became.but(counter=counter.but(created_at=min(now, standing.created_at)))
        changed = changed or became is not record
        return became

    if seen is None:
        yield from open_counter(setup, entropy, *rows[0].pair, recipient="", change=change)
        return Outcome.IMPORTED
    stands = yield from change_counter(setup, entropy, counter_id(*rows[0].pair), change)
    if stands is None:
        return Outcome.GONE
    return Outcome.TIGHTENED if changed else Outcome.UNCHANGED


def _led(setup: Setup, ids: Iterable[int], identity: int, marks: dict[int, _Mark], until: datetime) -> Flow[None]:
    """The ids lead to the record; a marker that is old already lives longer, as long as the import is repeated."""
    now: datetime = yield ReadClock()
    for each in sorted(ids):
        mark = marks.get(each)
        if mark is None:
            yield from lead_to_counter(setup, each, identity, until)
        elif mark.record.mark_at is not None and mark.record.mark_at < now - SLACK:
            yield Commit(counter_key(setup, each), mark.stored.data, mark.stored.version, until)
