"""Row 8b: eight processes on one embedded store, each with recipients of its own; and a compaction under them.

Run as a module it is one of the processes: it works until its time is over and prints what it did as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import monotonic, perf_counter
from typing import Final

from otpcore.contract import Conflict, Version, Versioned
from otpcore.engine import Engine
from otpcore.stores.tinydb import TinyDBStore
from tests.benchmarks.cycle import PEPPER, ROOT, Instant, cycles, folder, live_record, number
from tests.benchmarks.embedded import Filled
from tests.benchmarks.measuring import Figure, Sizes, spread

__all__ = ["ROWS", "measure"]

ROWS: Final = ("8b",)
PROCESSES: Final = 8


class TimedStore(TinyDBStore):
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


def measure(sizes: Sizes, say: Callable[[str], None]) -> list[Figure]:
    """Let the processes work together, once for each pair."""
    fair: list[float] = []
    longest: list[float] = []
    rates: list[float] = []
    compacted: list[float] = []
    for one in range(sizes.pairs):
        say(f"eight processes, {one + 1} of {sizes.pairs}")
        with folder() as place:
            told = _together(place / "shared.otpdb", sizes.seconds)
        counts = [count for count, _ in told]
        fair.append(min(counts) / max(counts) if max(counts) else 0.0)
        longest.append(max(wait for _, wait in told) * 1e3)
        rates.append(sum(counts) / sizes.seconds)
    many = sizes.records[-1]
    with folder() as place:
        say(f"filling a store with {many:,} records")
        log = Filled(place, many, live_record()).store.log
        for one in range(sizes.pairs):
            say(f"eight processes and a compaction, {one + 1} of {sizes.pairs}")
            told = _together(Path(log.path), sizes.seconds, log.compact)
            compacted.append(max(wait for _, wait in told) * 1e3)
        log.close()
    total = f"{spread(rates).median:.0f} start+check a second by all"
    return [
        Figure("8b", "eight processes on one embedded store: slowest against fastest", spread(fair), "x", ("≥", 0.6)),
        Figure("8b", "the same: longest call", spread(longest), "ms", ("≤", 150.0), total),
        Figure(
            "8b",
            f"the same with {many:,} records, compacted meanwhile: longest call",
            spread(compacted),
            "ms",
            ("≤", 150.0),
        ),
    ]


def _together(path: Path, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> list[tuple[int, float]]:
    """What each process did: its cycles, and its longest call of the store in seconds."""
    command = [sys.executable, "-m", "tests.benchmarks.processes", str(path), str(seconds)]
    workers = [
        subprocess.Popen([*command, str(one)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for one in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()  # it is ready
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    meanwhile()
    told: list[tuple[int, float]] = []
    for worker in workers:
        out, _ = worker.communicate(timeout=60 + seconds)
        count, longest = json.loads(out)
        told.append((count, longest))
    return told


def work(path: str, seconds: str, which: str) -> None:
    """One process."""
    provider, store = Instant(), TimedStore(path)
    engine = Engine(store, provider, pepper=PEPPER)
    mine = int(which) * 10**7
    cycles(engine, provider, [number(mine + 10**6)])
    print("ready", flush=True)
    sys.stdin.readline()
    store.longest_s, done, end = 0.0, 0, monotonic() + float(seconds)
    while monotonic() < end:
        cycles(engine, provider, [number(mine + done)])
        done += 1
    engine.close()
    print(json.dumps([done, store.longest_s]))


if __name__ == "__main__":
    work(*sys.argv[1:])
