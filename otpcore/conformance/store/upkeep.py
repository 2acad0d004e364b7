"""Requirements on collection and on the operator's walk: `gc_at`, `sweep`, `scan`.

Instants are given by the real clock, an hour from now or more: a store may collect by a clock of its own, as
long as a record outlives its `gc_at` by some minutes.

Rules of this file: one caller. Expiry is no business of a store, so nothing here expects a record to vanish by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Any, cast

from otpcore.conformance.store.flow import AnyStore, Flow, commit, delete, later, load, load_each, put, sweep
from otpcore.conformance.store.records import KEY
from otpcore.conformance.store.requirement import Checks, Claim, check
from otpcore.ports import Conflict, Versioned

__all__ = ["UpkeepChecks"]

KEYS = tuple(f"5f1d0c93/r/{number:04x}" for number in range(10))


def _fill(store: AnyStore, hours: int) -> Flow[dict[str, Versioned]]:
    """Ten records that may be collected that many hours from now."""
    written: dict[str, Versioned] = {}
    for key in KEYS:
        written[key] = Versioned(key.encode(), (yield from put(store, key, key.encode(), None, later(hours=hours))))
    return written


def _present(store: AnyStore) -> Flow[list[str]]:
    found = yield from load_each(store, KEYS)
    return [key for key, record in zip(KEYS, found, strict=True) if record is not None]


def _scan(store: AnyStore, after: str, limit: int) -> Flow[list[tuple[str, Versioned]]]:
    found = yield cast("Any", store).scan(after, limit)
    return list(cast("Sequence[tuple[str, Versioned]]", found))


class UpkeepChecks(Checks):
    """Sweeping and scanning."""

    @check()
    def test_due_records_are_swept(self, store: AnyStore) -> Flow[None]:
        """A record whose `gc_at` is before the given instant is deleted by a sweep."""
        yield from _fill(store, -1)
        yield from sweep(store, later())
        assert (yield from _present(store)) == []

    @check()
    def test_records_that_are_not_due_are_kept(self, store: AnyStore) -> Flow[None]:
        """A sweep keeps a record whose `gc_at` is after the given instant, unchanged."""
        written = yield from _fill(store, 1)
        yield from put(store, KEY, b"due", None, later(hours=-1))
        yield from sweep(store, later())
        for key, record in written.items():
            assert (yield from load(store, key)) == record

    @check()
    def test_the_instant_itself_is_not_before(self, store: AnyStore) -> Flow[None]:
        """A record whose `gc_at` is the given instant is kept; a second later it goes."""
        instant = (later(hours=1)).replace(microsecond=0)
        yield from put(store, KEY, b"data", None, instant)
        yield from sweep(store, instant)
        assert (yield from load(store, KEY)) is not None
        yield from sweep(store, instant + timedelta(seconds=1))
        assert (yield from load(store, KEY)) is None

    @check()
    def test_the_given_instant_counts_not_the_clock(self, store: AnyStore) -> Flow[None]:
        """A sweep goes by the instant that it is given: records due later by the clock go, if due by it."""
        yield from _fill(store, 24)
        yield from sweep(store, later(hours=25))
        assert (yield from _present(store)) == []

    @check()
    def test_a_sweep_before_the_due_time_keeps_what_the_clock_calls_due(self, store: AnyStore) -> Flow[None]:
        """A sweep for an instant in the past keeps records that were due after it."""
        yield from _fill(store, -1)
        yield from sweep(store, later(hours=-2))
        assert (yield from _present(store)) == list(KEYS)

    @check()
    def test_a_sweep_respects_its_limit(self, store: AnyStore) -> Flow[None]:
        """At most `limit` records go in one sweep; the others are found by the next."""
        yield from _fill(store, -1)
        yield from sweep(store, later(), limit=4)
        assert len((yield from _present(store))) == 6
        yield from sweep(store, later(), limit=100)
        assert (yield from _present(store)) == []

    @check()
    def test_a_sweep_with_limit_0_deletes_nothing(self, store: AnyStore) -> Flow[None]:
        """A limit of 0 is no absence of a limit."""
        yield from _fill(store, -1)
        yield from sweep(store, later(), limit=0)
        assert (yield from _present(store)) == list(KEYS)

    @check()
    def test_a_sweep_says_how_many_went(self, store: AnyStore) -> Flow[None]:
        """A sweep returns the number of records that it deleted: the limit, the rest, then 0."""
        yield from _fill(store, -1)
        counts: list[int] = []
        for _ in range(4):
            counts.append((yield from sweep(store, later(), limit=4)))  # noqa: PERF401 # a step of a flow
        assert counts == [4, 4, 2, 0]

    @check()
    def test_a_sweep_does_not_count_what_it_kept(self, store: AnyStore) -> Flow[None]:
        """A sweep that finds nothing due returns 0, and so does one of an empty store."""
        assert (yield from sweep(store, later())) == 0
        yield from _fill(store, 1)
        assert (yield from sweep(store, later())) == 0

    @check()
    def test_a_deleted_record_is_not_swept_again(self, store: AnyStore) -> Flow[None]:
        """A record that a commit deleted is not counted by a later sweep."""
        version = yield from put(store, KEY, b"data", None, later(hours=-1))
        yield from commit(store, KEY, None, version, later(hours=-1))
        assert (yield from sweep(store, later())) == 0

    @check()
    def test_a_due_record_loads_until_it_is_swept(self, store: AnyStore) -> Flow[None]:
        """`gc_at` is garbage collection only: a record that is due but not swept is loaded as ever."""
        version = yield from put(store, KEY, b"data", None, later(minutes=-5))
        assert (yield from load(store, KEY)) == Versioned(b"data", version)

    @check()
    def test_a_due_record_still_guards_its_key(self, store: AnyStore) -> Flow[None]:
        """A record that is due but not swept is no absent key: a creation conflicts with it."""
        version = yield from put(store, KEY, b"stands", None, later(minutes=-5))
        assert (yield from commit(store, KEY, b"late", None)) == Conflict(Versioned(b"stands", version))

    @check()
    def test_a_due_record_can_be_updated(self, store: AnyStore) -> Flow[None]:
        """A record that is due but not swept can be replaced by its version."""
        version = yield from put(store, KEY, b"first", None, later(minutes=-5))
        second = yield from put(store, KEY, b"second", version)
        assert (yield from load(store, KEY)) == Versioned(b"second", second)

    @check()
    def test_gc_at_moved_later_saves_the_record(self, store: AnyStore) -> Flow[None]:
        """The last commit's `gc_at` counts: a record that was due and was then given longer is kept."""
        version = yield from put(store, KEY, b"first", None, later(hours=-1))
        second = yield from put(store, KEY, b"second", version, later(hours=1))
        assert (yield from sweep(store, later())) == 0
        assert (yield from load(store, KEY)) == Versioned(b"second", second)

    @check()
    def test_gc_at_moved_earlier_counts(self, store: AnyStore) -> Flow[None]:
        """The last commit's `gc_at` counts: a record that was given less is swept by it."""
        version = yield from put(store, KEY, b"first", None, later(hours=10))
        yield from put(store, KEY, b"second", version, later(hours=1))
        assert (yield from sweep(store, later(hours=2))) == 1
        assert (yield from load(store, KEY)) is None

    @check()
    def test_a_refused_commit_does_not_move_gc_at(self, store: AnyStore) -> Flow[None]:
        """A commit that conflicts leaves the record's `gc_at` as it was."""
        yield from put(store, KEY, b"stands", None, later(hours=10))
        yield from commit(store, KEY, b"late", None, later(hours=-1))
        assert (yield from sweep(store, later())) == 0

    @check()
    def test_gc_at_of_a_deleted_record_is_forgotten(self, store: AnyStore) -> Flow[None]:
        """A key that is created again has the `gc_at` of its creation, not of the record before."""
        yield from delete(store, KEY, (yield from put(store, KEY, b"old", None, later(hours=-1))))
        version = yield from put(store, KEY, b"new", None, later(hours=1))
        yield from sweep(store, later())
        assert (yield from load(store, KEY)) == Versioned(b"new", version)

    @check()
    def test_time_zones_do_not_move_an_instant(self, store: AnyStore) -> Flow[None]:
        """An instant given in another zone is the same instant, for `gc_at` as for a sweep."""
        east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))
        yield from put(store, KEYS[0], b"kept", None, later(hours=1).astimezone(west))
        yield from put(store, KEYS[1], b"due", None, later(hours=-1).astimezone(east))
        assert (yield from sweep(store, later().astimezone(west))) == 1
        assert (yield from _present(store)) == [KEYS[0]]

    @check()
    def test_a_record_may_live_400_days(self, store: AnyStore) -> Flow[None]:
        """An unfinished ladder lives 400 days: such a `gc_at` is kept, and due only then."""
        yield from put(store, KEY, b"ladder", None, later(days=400))
        assert (yield from sweep(store, later(days=399))) == 0
        assert (yield from sweep(store, later(days=401))) == 1

    @check()
    def test_a_swept_key_can_be_created_again(self, store: AnyStore) -> Flow[None]:
        """A swept key is absent for the next commit, which creates it."""
        yield from put(store, KEY, b"first", None, later(hours=-1))
        yield from sweep(store, later())
        version = yield from put(store, KEY, b"second")
        assert (yield from load(store, KEY)) == Versioned(b"second", version)

    @check(Claim.SCAN)
    def test_scan_is_in_the_order_of_keys(self, store: AnyStore) -> Flow[None]:
        """A scan gives records in the order of their keys, whatever the order of their commits."""
        keys = ["b", "a/z", "B", "a", "a-", "c0", "c", "10", "9"]
        for key in keys:
            yield from put(store, key, key.encode())
        assert [key for key, _ in (yield from _scan(store, "", 100))] == sorted(keys)

    @check(Claim.SCAN)
    def test_scan_gives_current_records(self, store: AnyStore) -> Flow[None]:
        """A scan gives each record as a load would, and none that is gone."""
        written = yield from _fill(store, 1)
        yield from delete(store, KEYS[3], written.pop(KEYS[3]).version)
        version = yield from put(store, KEYS[5], b"new", written[KEYS[5]].version)
        written[KEYS[5]] = Versioned(b"new", version)
        assert (yield from _scan(store, "", 100)) == sorted(written.items())

    @check(Claim.SCAN)
    def test_scan_starts_after_the_given_key(self, store: AnyStore) -> Flow[None]:
        """A scan leaves out the key that it starts after, which need not exist."""
        yield from _fill(store, 1)
        assert [key for key, _ in (yield from _scan(store, KEYS[7], 100))] == list(KEYS[8:])
        assert [key for key, _ in (yield from _scan(store, KEYS[7] + "!", 100))] == list(KEYS[8:])

    @check(Claim.SCAN)
    def test_scan_respects_its_limit(self, store: AnyStore) -> Flow[None]:
        """A scan gives at most `limit` records, the first ones."""
        yield from _fill(store, 1)
        assert [key for key, _ in (yield from _scan(store, "", 4))] == list(KEYS[:4])

    @check(Claim.SCAN)
    def test_scan_by_pages_meets_every_record_once(self, store: AnyStore) -> Flow[None]:
        """A walk that continues after the last key of each page meets every record once, and ends."""
        yield from _fill(store, 1)
        met: list[str] = []
        for _ in range(len(KEYS)):
            page = yield from _scan(store, met[-1] if met else "", 3)
            met += [key for key, _ in page]
        assert met == list(KEYS)
