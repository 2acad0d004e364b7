"""Row 8b: eight processes on one embedded store, each with recipients of its own; and a compaction under them.

`main` is one round: it forks the processes, which work until their time is over, and prints what they did as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, Final

from pydantic import SecretStr

from otpcore.contract import Conflict, Version, Versioned
from otpcore.engine import Engine
from otpcore.ports import Store
from otpcore.stores.tinydb import TinyDBStore
from otpcore_sql.settings import SQLSettings
from otpcore_sql.settings import build as build_sql
from tests import warm
from tests.benchmarks.cycle import PEPPER, CountingStore, Instant, cycles, folder, live_record, number
from tests.benchmarks.embedded import Filled
from tests.benchmarks.measuring import Figure, Sizes, spread

__all__ = ["ROWS", "main", "measure"]

ROWS: Final = ("8b",)
PROCESSES: Final = 8
PATIENCE_S: Final = 60

STORES: Final[dict[str, Callable[[Path], Store]]] = {
    "TinyDB": TinyDBStore,
    "SQLite, full": lambda path: build_sql(SQLSettings(url=SecretStr(f"sqlite:///{path}"), synchronous="full")),
}
"""Opens the store in a file."""


class TimedStore(CountingStore):
    """Remembers the longest call."""

    longest_s = 0.0

    def load(self, key: str) -> Versioned | None:
        """Load, and look at the clock: a reader follows a compaction."""
        began = perf_counter()
        answer = super().load(key)
        self.longest_s = max(self.longest_s, perf_counter() - began)
        return answer

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """Commit, and look at the clock."""
        began = perf_counter()
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        self.longest_s = max(self.longest_s, perf_counter() - began)
        return answer


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Figure]:
    """Let the processes work together, once for each pair."""
    for name in STORES:
        yield from _fairness(sizes, say, name)
    compacted: list[float] = []
    many = sizes.records[-1]
    with folder() as place:
        say(f"filling TinyDB with {many:,} records")
        log = Filled(place, many, live_record()).store.log
        for one in range(sizes.pairs):
            say(f"eight processes and a compaction, {one + 1} of {sizes.pairs}")
            told = _together("TinyDB", Path(log.path), sizes.seconds, compacts=True)
            compacted.append(max(wait for _, wait in told) * 1e3)
        log.close()
    what = f"eight processes on TinyDB with {many:,} records, compacted meanwhile: longest call"
    yield Figure("8b", what, spread(compacted), "ms", ("≤", 150.0))


def _fairness(sizes: Sizes, say: Callable[[str], None], name: str) -> list[Figure]:
    fair: list[float] = []
    longest: list[float] = []
    rates: list[float] = []
    for one in range(sizes.pairs):
        say(f"eight processes on {name}, {one + 1} of {sizes.pairs}")
        with folder() as place:
            path = place / "shared.otpdb"
            STORES[name](path).close()  # its tables are made
            told = _together(name, path, sizes.seconds)
        counts = [count for count, _ in told]
        fair.append(min(counts) / max(counts) if max(counts) else 0.0)
        longest.append(max(wait for _, wait in told) * 1e3)
        rates.append(sum(counts) / sizes.seconds)
    total = f"{spread(rates).median:.0f} start+check a second by all"
    return [
        Figure("8b", f"eight processes on {name}: slowest against fastest", spread(fair), "x", ("≥", 0.6)),
        Figure("8b", f"eight processes on {name}: longest call", spread(longest), "ms", ("≤", 150.0), total),
    ]


def _together(name: str, path: Path, seconds: float, *, compacts: bool = False) -> list[tuple[int, float]]:
    """What each process did: its cycles, and its longest call of the store in seconds."""
    round_ = warm.run(__name__, name, path, seconds, "compact" if compacts else "")
    assert round_.returncode == 0, round_.stderr
    return [(count, longest) for count, longest in json.loads(round_.stdout)]


def main(name: str, path: str, seconds: str, meanwhile: str) -> None:
    """One round; what is to be done meanwhile is nothing, or `compact`."""
    context = multiprocessing.get_context("fork")
    latch = context.Barrier(PROCESSES + 1)
    pipes: list[Any] = []
    workers: list[ForkProcess] = []
    for which in range(PROCESSES):
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(name, path, float(seconds), which, latch, theirs))
        worker.start()
        theirs.close()
        pipes.append(ours)
        workers.append(worker)
    log = TinyDBStore(path).log if meanwhile == "compact" else None
    latch.wait(PATIENCE_S)
    if log is not None:
        log.compact()
    print(json.dumps([pipe.recv() for pipe in pipes]))
    for worker in workers:
        worker.join()


def work(name: str, path: str, seconds: float, which: int, latch: Barrier, told: Connection) -> None:
    """One process."""
    provider, store = Instant(), TimedStore(STORES[name](Path(path)))
    engine = Engine(store, provider, pepper=PEPPER)
    mine = which * 10**7
    cycles(engine, provider, [number(mine + 10**6)])
    latch.wait(PATIENCE_S)
    store.longest_s, done, end = 0.0, 0, monotonic() + seconds
    while monotonic() < end:
        cycles(engine, provider, [number(mine + done)])
        done += 1
    engine.close()
    told.send((done, store.longest_s))
