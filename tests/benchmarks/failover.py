"""What a failover loses, counted: a primary is lost under load, again and again, and its replica takes its place.

    python -m tests.benchmarks.failover [--store redis] [--kills 20] [--seconds 1] [--delay 0.5]

Twice, without and with a wait for the replica: acknowledged commits that are gone; and, through engines, what that
means for people: recipients who are sent more than the policy allows, codes that are approved a second time.

Rules of this file: what is counted was acknowledged before the kill, and is asked for after it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from threading import Event
from time import sleep
from typing import Final, Protocol

from otpcore.engine import Engine
from otpcore.errors import StoreError
from otpcore.ports import Store
from otpcore.results import Approved, Sent
from tests.benchmarks.cycle import PEPPER, Instant, number
from tests.postgres_pairs import PostgresPair
from tests.redis_pairs import Pair

__all__ = ["Lost", "commits", "main", "people", "rounds"]

WRITERS: Final = 16
BLOCK: Final = 10
"""Recipients who are sent a code before the first of them enters it."""

RECORD: Final = b"x" * 500


@dataclass
class Lost:
    """What was acknowledged, and what of it a failover lost.

    Attributes:
        acknowledged: commits of the store; or sends and approvals, by engines.
        commits: acknowledged and gone.
        over_quota: recipients to whom a second code was sent at once.
        approved_twice: codes that were approved and are approved again.
    """

    acknowledged: int = 0
    commits: int = 0
    over_quota: int = 0
    approved_twice: int = 0

    def __add__(self, other: Lost) -> Lost:
        """Both together."""
        return Lost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


class AnyPair(Protocol):
    """A primary and its replica; see `tests.redis_pairs.Pair`."""

    def store(self, *, wait: bool) -> Store:
        """Of the primary; with a wait, what it acknowledges is at the replica."""
        ...

    def fail_over(self) -> None:
        """The primary is lost, the replica promoted."""
        ...

    def attach(self) -> None:
        """The primary has a replica."""
        ...

    def empty(self) -> None:
        """As new."""
        ...

    def stop(self) -> None:
        """End both."""
        ...


PAIRS: Final[dict[str, Callable[[Path, float], AnyPair]]] = {
    "redis": lambda folder, delay_ms: Pair(folder, delay_ms=delay_ms),
    "postgresql": lambda folder, delay_ms: PostgresPair(folder, delay_ms=delay_ms),
}


@dataclass
class Told:
    """What one writer was told before its store failed."""

    commits: list[str] = field(default_factory=list[str])
    sent: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    approved: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])


Writer = Callable[[Store, Iterator[int], Told, Event], None]
Judge = Callable[[Store, Told], Lost]


def write(store: Store, own: Iterator[int], told: Told, over: Event) -> None:
    """Commit new records, until the store fails."""
    while not over.is_set():
        key = f"lost/{next(own)}"
        store.commit(key, RECORD, expect=None, gc_at=datetime.now(UTC) + timedelta(days=1))
        told.commits.append(key)


def commits(store: Store, told: Told) -> Lost:
    """Which acknowledged records are gone."""
    return Lost(acknowledged=len(told.commits), commits=sum(store.load(key) is None for key in told.commits))


def verify(store: Store, own: Iterator[int], told: Told, over: Event) -> None:
    """Start verifications and enter the right codes, until the store fails."""
    provider = Instant()
    engine = Engine(store, provider, pepper=PEPPER)
    while not over.is_set():
        block = list(islice(own, BLOCK))
        for one in block:
            sent = engine.start(number(one))
            token = sent.session.token if isinstance(sent, Sent) else None  # a reservation that is gone meanwhile
            told.sent[one] = (token or "", provider.code)
        for one in block:
            if not told.sent[one][0]:
                continue
            given = told.sent.pop(one)  # an approval in doubt is no promise
            if isinstance(engine.check(*given), Approved):
                told.approved[one] = given


def people(store: Store, told: Told) -> Lost:
    """Who was sent a code and is sent one again at once; which code was used and is approved again."""
    engine = Engine(store, Instant(), pepper=PEPPER)
    return Lost(
        acknowledged=len(told.sent) + len(told.approved),
        over_quota=sum(isinstance(engine.start(number(one)), Sent) for one in told.sent),
        approved_twice=sum(isinstance(engine.check(*used), Approved) for used in told.approved.values()),
    )


def rounds(pair: AnyPair, writer: Writer, judge: Judge, *, wait: bool, kills: int, seconds: float) -> Lost:
    """Let writers work, kill the primary, ask its successor; so many times."""
    lost = Lost()
    for kill in range(kills):
        shared, over = pair.store(wait=wait), Event()

        def work(which: int, kill: int = kill, shared: Store = shared, over: Event = over) -> Told:
            told = Told()
            with suppress(StoreError):
                writer(shared, count((kill * WRITERS + which) * 100_000), told, over)
            return told

        with ThreadPoolExecutor(WRITERS) as pool:
            working = [pool.submit(work, which) for which in range(WRITERS)]
            try:
                sleep(seconds)
                pair.fail_over()
            finally:
                over.set()
            told = [each.result() for each in working]
        shared.close()
        pair.attach()
        successor = pair.store(wait=wait)
        lost = sum((judge(successor, each) for each in told), lost)
        successor.close()
        pair.empty()  # a large data set would take its time to the next replica
    return lost


def main(arguments: Sequence[str] | None = None) -> None:
    """Both levels, without and with a wait."""
    parser = argparse.ArgumentParser(description="Counts what failovers lose.")
    parser.add_argument("--store", choices=sorted(PAIRS), default="redis")
    parser.add_argument("--kills", type=int, default=20, help="of each of the four runs")
    parser.add_argument("--seconds", type=float, default=1.0, help="of load before each kill")
    parser.add_argument("--delay", type=float, default=0.5, help="milliseconds to the replica, each way")
    asked = parser.parse_args(arguments)
    levels: dict[str, tuple[Writer, Judge]] = {"commits": (write, commits), "people": (verify, people)}
    for level, (writer, judge) in levels.items():
        for wait in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                pair = PAIRS[asked.store](Path(folder), asked.delay)
                try:
                    lost = rounds(pair, writer, judge, wait=wait, kills=asked.kills, seconds=asked.seconds)
                finally:
                    pair.stop()
            print(asked.store, level, "waits" if wait else "does not wait", lost, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
