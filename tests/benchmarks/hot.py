"""Row 8: many clients on one number, by compare-and-swap and behind a lock; and what they were told, counted.

The lock is the one that redis-py brings, as it brings it, around each whole operation, over a store that only gets and
sets: what is written by hand where there is no compare-and-swap.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, Final

from otpcore.contract import Conflict, Durability, StoreCapabilities, Version, Versioned
from otpcore.engine import Engine
from otpcore.phone import PhoneNumber
from otpcore.policy import DEFAULT
from otpcore.results import Ended, Sent, Wait, Wrong
from tests.benchmarks.backends import BACKENDS
from tests.benchmarks.clients import Desk, threads
from tests.benchmarks.cycle import PEPPER, number
from tests.benchmarks.measuring import Absent, Figure, Found, Sizes, Spread, figure, in_turn
from tests.benchmarks.servers import Missing, redis_client

__all__ = ["ROWS", "GetSetStore", "measure"]

ROWS: Final = ("8",)
CLIENTS: Final = 64
FIRST_SLEEP_S: Final = 0.1
"""How long redis-py's lock sleeps between its tries, when it is told nothing else."""


class GetSetStore:
    """GET and SET; right only behind a lock."""

    capabilities = StoreCapabilities(Durability.PROCESS, multi_process=True, shared=True)

    def __init__(self, url: str) -> None:
        self.client = redis_client(url, max_connections=2 * CLIENTS)

    def load(self, key: str) -> Versioned | None:
        """Get."""
        value: Any = self.client.get(f"locked:{key}")
        return None if value is None else Versioned(value[16:], Version(value[:16].decode()))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """Get, compare, set."""
        found, version = self.load(key), Version(secrets.token_urlsafe(12))
        if (found.version if found else None) != expect:
            return Conflict(found)
        if data is None:
            self.client.delete(f"locked:{key}")
        else:
            self.client.set(f"locked:{key}", version.encode() + data, pxat=int(gc_at.timestamp() * 1000))
        return version

    def sweep(self, before: datetime, *, limit: int) -> int:
        """Redis drops them."""
        return 0 * limit

    def close(self) -> None:
        """Close."""
        self.client.close()


Lock = Callable[[], AbstractContextManager[Any]]


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure both sides, round by round, each with a number of its own."""
    say(f"{CLIENTS} clients on one number, compare-and-swap and lock")
    try:
        yield from _measure(sizes)
    except Missing as missing:
        yield Absent("8", f"{CLIENTS} clients on one number", str(missing))


def _measure(sizes: Sizes) -> list[Figure]:
    told: list[int] = []
    with BACKENDS["redis"]() as backend, ThreadPoolExecutor(CLIENTS) as pool:
        swapping, setting, desk = backend.build(), GetSetStore(backend.url), Desk()
        ours, theirs = Engine(swapping, desk, pepper=PEPPER), Engine(setting, desk, pepper=PEPPER)
        try:

            def lock(sleep_s: float) -> Lock:
                return lambda: setting.client.lock("the lock", timeout=10, sleep=sleep_s)

            def side(engine: Engine, lock: Lock, first: int, each: int) -> Callable[[int], float]:
                def measured(pair: int) -> float:
                    seconds, violations = _hammer(pool, engine, desk, lock, number(first + pair), each)
                    told.append(violations)
                    return seconds

                return measured

            free = side(ours, nullcontext, 0, sizes.hammered)
            locked = side(theirs, lock(FIRST_SLEEP_S), 10**6, 2)
            eager = side(theirs, lock(0.001), 2 * 10**6, 2)
            free(10**5)  # connections
            free_s, locked_s, eager_s = in_turn(sizes.pairs, free, locked, eager)
        finally:
            ours.close()
            theirs.close()
    names, what = ("lock", "ours"), f"{CLIENTS} clients on one number, Redis: decisions a second over the same engine's"
    violated = float(sum(told))
    return [
        figure("8", f"{what} behind redis-py's lock as it comes", locked_s, free_s, ("≥", 40.0), names=names),
        figure("8", f"{what} behind that lock, tried each ms (information)", eager_s, free_s, None, names=names),
        Figure(
            "8",
            "the same: answers that a budget does not allow, and calls without an answer",
            Spread(violated, violated, violated),
            "",
            ("≤", 0.0),
            f"{CLIENTS * sizes.hammered:,} decisions a round",
        ),
    ]


def _hammer(
    pool: ThreadPoolExecutor, engine: Engine, desk: Desk, lock: Lock, recipient: PhoneNumber, each: int
) -> tuple[float, int]:
    """Seconds of one decision, and how many outcomes are not what the policy allows."""
    with lock():
        first = engine.start(recipient)
    assert isinstance(first, Sent), first
    token = first.session.token or ""
    right = desk.codes[recipient.e164]
    wrong = str((int(right[0]) + 1) % 10) + right[1:]
    outcomes: list[Counter[type]] = []

    def work(turns: Sequence[int]) -> None:
        mine: Counter[type] = Counter()
        for turn in turns:
            with lock():
                answer = engine.start(recipient) if turn % 2 else engine.check(token, wrong)
            mine[type(answer)] += 1
        outcomes.append(mine)

    total = CLIENTS * each
    seconds = threads(pool, work, [range(each)] * CLIENTS) / total
    counted = sum(outcomes, Counter[type]())
    starts = CLIENTS * (each // 2)
    expected: Counter[type] = Counter({Wait: starts, Wrong: DEFAULT.checks_per_session})
    expected[Ended] = total - starts - DEFAULT.checks_per_session
    return seconds, (counted - expected).total() + (expected - counted).total()
