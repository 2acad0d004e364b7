"""Rows 3, 4 and 5: the embedded store under the engine, against bare writes, and against stock TinyDB.

The bare client of row 3 does what the engine's cycle does: each line that one appended is appended to a plain file
and synced, and the record that it loaded is read. In row 5 a record is one with a live session, which stock TinyDB
holds as the document that it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tinydb import TinyDB
from tinydb.table import Document

from otpcore.contract import CodeOwner, Version
from otpcore.engine import Engine
from otpcore.providers.fake import FakeProvider
from otpcore.results import Sent
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from tests.benchmarks.cycle import (
    GC_AT,
    PEPPER,
    CountingStore,
    Instant,
    cycles,
    folder,
    live_record,
    number,
    numbers,
)
from tests.benchmarks.measuring import Bound, Figure, Side, Sizes, Spread, figure, in_turn, wall

__all__ = ["ROWS", "Filled", "measure"]

ROWS: Final = ("3", "4", "5")

SHARES: Final = 5
"""Shares of a pair: a disk's moods are shorter than a minute, so its pairs are more and smaller."""


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure the three rows."""
    with folder() as place:
        for sync in (True, False):
            say(f"engine over the embedded store, sync={sync}")
            yield _cycle(sizes, place, sync=sync)
        say("round trips")
        yield from _trips()
        say("embedded store by its number of records")
        yield from _records(sizes, place)


def _cycle(sizes: Sizes, place: Path, *, sync: bool) -> Figure:
    path, plain = place / f"cycle-{sync}.otpdb", os.open(place / f"plain-{sync}", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    provider, store = Instant(), TinyDBStore(path, sync=sync)
    engine = Engine(store, provider, pepper=PEPPER)
    share = sizes.cycles // SHARES
    cycles(engine, provider, numbers(range(10**6, 10**6 + share)))
    written = path.read_bytes().splitlines(keepends=True)[1:]  # without the header
    lines = [line for line in written if line != b"\n"]  # and without the filler

    def ours(pair: int) -> float:
        people = numbers(range(pair * share, (pair + 1) * share))
        return wall(lambda: cycles(engine, provider, people), share)

    def bare(_pair: int) -> float:
        return wall(_repeat, share)

    def _repeat() -> None:
        at = os.fstat(plain).st_size
        for turn, line in enumerate(lines):
            if turn % 3 == 2:  # the check reads what the start has settled
                os.pread(plain, len(lines[turn - 1]), at - len(lines[turn - 1]))
            os.write(plain, line)
            at += len(line)
            if sync:
                os.fdatasync(plain)

    try:
        engine_s, bare_s = in_turn(sizes.pairs * SHARES, ours, bare)
    finally:
        os.close(plain)
        engine.close()
    synced = "each commit synced" if sync else "not synced (information)"
    what = f"engine cycle on TinyDB: its rate against bare writes of the same lines, {synced}"
    bound: Bound | None = ("≥", 80.0) if sync else None
    return figure("3", what, bare_s, engine_s, bound, names=("bare", "engine"), percent=True)


def _trips() -> list[Figure]:
    provider = Instant()
    store = CountingStore(MemoryStore())
    engine = Engine(store, provider)
    sent = engine.start(number(1))
    assert isinstance(sent, Sent)
    start = store.trips.total()
    engine.check(sent.session.token or "", provider.code)
    check = store.trips.total() - start
    vendor = FakeProvider(owner=CodeOwner.PROVIDER)
    store = CountingStore(MemoryStore())
    engine = Engine(store, vendor)
    sent = engine.start("+12025550123")
    assert isinstance(sent, Sent)
    before = store.trips.total()
    engine.check(sent.session.token or "", vendor.exchange.code_for("+12025550123"))
    owned = store.trips.total() - before
    return [
        _count("round trips of a start, no record before it", start, 3),
        _count("round trips of a check, code of the core", check, 2),
        _count("round trips of a check, code of the provider", owned, 4),
    ]


def _count(what: str, trips: int, most: int) -> Figure:
    return Figure("4", what, Spread(trips, trips, trips), "", ("≤", most))


def _records(sizes: Sizes, place: Path) -> list[Figure]:
    few, many, most = sizes.records
    record = live_record()
    stores = {count: Filled(place, count, record) for count in sizes.records}
    stock = _stock(place, many, record)
    share = sizes.commits // SHARES

    def side(filled: Filled) -> Side:
        return lambda _pair: wall(lambda: filled.commit(share), share)

    def stock_side(pair: int) -> float:
        documents = [_document(pair * sizes.stock_commits + each, record) for each in range(sizes.stock_commits)]
        return wall(lambda: [stock.upsert(one) for one in documents], sizes.stock_commits)

    try:
        small, large = in_turn(sizes.pairs * SHARES, side(stores[few]), side(stores[most]))
        ours, theirs = in_turn(sizes.pairs, side(stores[many]), stock_side)
    finally:
        for filled in stores.values():
            filled.store.close()
        stock.close()
    return [
        figure(
            "5",
            f"a synced commit on TinyDB with {most:,} records over one with {few:,}",
            large,
            small,
            ("≤", 1.5),
            names=(f"{most:,}", f"{few:,}"),
        ),
        figure(
            "5",
            f"stock TinyDB's synced upsert over a synced commit, {many:,} records",
            theirs,
            ours,
            ("≥", 200.0),
            names=("stock", "ours"),
        ),
    ]


class Filled:
    """An embedded store with so many records; a commit replaces one of them, each in its turn."""

    def __init__(self, place: Path, count: int, record: bytes) -> None:
        path = place / f"records-{count}.otpdb"
        filling = TinyDBStore(path, sync=False)
        self.count = count
        self.record = record
        self.at = 0
        self.versions = [self._committed(filling, which, None) for which in range(count)]
        filling.close()
        self.store = TinyDBStore(path)

    def commit(self, count: int) -> None:
        """Replace so many records. A stride keeps neighbours in the file apart."""
        for _ in range(count):
            self.at = (self.at + 7919) % self.count
            self.versions[self.at] = self._committed(self.store, self.at, self.versions[self.at])

    def _committed(self, store: TinyDBStore, which: int, expect: Version | None) -> Version:
        version = store.commit(f"tenant/r/{which:024}", self.record, expect=expect, gc_at=GC_AT)
        assert isinstance(version, str)
        return version


def _document(which: int, record: bytes) -> Document:
    return Document({"key": f"tenant/r/{which:024}", **json.loads(record)}, doc_id=which + 1)


def _stock(place: Path, count: int, record: bytes) -> Any:
    """Stock TinyDB; its storage writes the whole file and syncs it at each change."""
    stock: Any = TinyDB(place / "stock.json")
    stock.insert_multiple([_document(which, record) for which in range(count)])
    return stock
