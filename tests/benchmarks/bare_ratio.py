"""Row 3 on the stores that have a client of their own: the engine's cycle against the bare client's.

How near an engine can come is measured beside it, with the same core over the same bare trips and no store of ours: by
adding up what each takes alone, and by doing the one between the other. What lies between the two is what a wait costs
who works after it; it is measured without any driver as well, where the trips are sleeps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from time import perf_counter, sleep
from typing import Final

from otpcore.contract import Conflict, Version, Versioned
from otpcore.engine import Engine
from otpcore.ports import Store
from otpcore.stores.memory import MemoryStore
from tests.benchmarks.backends import BACKENDS
from tests.benchmarks.bare import BARE, Bare
from tests.benchmarks.cycle import PEPPER, CountingStore, Instant, cycles, numbers
from tests.benchmarks.measuring import Absent, Bound, Figure, Found, Side, Sizes, figure, in_turn, wall
from tests.benchmarks.servers import Missing

__all__ = ["ROWS", "measure"]

ROWS: Final = ("3",)
TRIP_S: Final = 1e-4
SHARES: Final = 5
"""Shares of a pair, as for the embedded store: what disturbs a server is short."""

GOALS: Final[dict[str, Bound | None]] = {
    "redis": ("≥", 80.0),
    "postgresql": ("≥", 80.0),
    "mariadb": None,
    "sqlite-full": ("≥", 80.0),
    "sqlite-normal": ("≥", 50.0),
}
"""By backend; None for information."""


class _OverBare(CountingStore):
    """A memory store that makes one of the bare client's trips with each call: no store costs less around them."""

    def __init__(self, bare: Bare) -> None:
        super().__init__(MemoryStore())
        self._bare = bare
        self._made = 10**7
        self._left: Iterator[None] = iter(())

    def load(self, key: str) -> Versioned | None:
        """The trip, but where nothing stands: the engine's cycle begins with a look, and the bare client's does not."""
        found = super().load(key)
        if found is not None:
            next(self._left)
        return found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """The trip, and pass on."""
        if expect is None:
            self._made += 1
            self._left = self._bare(self._made)
        next(self._left)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


class _Asleep(CountingStore):
    """A memory store whose trips are sleeps.

    Attributes:
        slept: seconds, since it was last set.
    """

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.slept = 0.0

    def load(self, key: str) -> Versioned | None:
        """Sleep, and pass on."""
        self._sleep()
        return super().load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """Sleep, and pass on."""
        self._sleep()
        return super().commit(key, data, expect=expect, gc_at=gc_at)

    def _sleep(self) -> None:
        began = perf_counter()
        sleep(TRIP_S)
        self.slept += perf_counter() - began


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure each backend that is here."""
    say("the core's work between sleeps")
    yield _after_sleep(sizes)
    for name, goal in GOALS.items():
        what = f"engine cycle on {name}: its rate against the bare client"
        say(what)
        try:
            yield from _cycle(sizes, name, goal)
        except Missing as missing:
            yield Absent("3", what, str(missing))


def _after_sleep(sizes: Sizes) -> Figure:
    provider, asleep = Instant(), _Asleep()
    share = max(1, sizes.cycles // SHARES)
    engines = [Engine(store, provider, pepper=PEPPER) for store in (asleep, MemoryStore())]

    def works(engine: Engine) -> Side:
        def side(pair: int) -> float:
            people = numbers(range(pair * share, (pair + 1) * share))
            asleep.slept = 0.0
            return wall(partial(cycles, engine, provider, people), share) - asleep.slept / share

        return side

    sides = [works(engine) for engine in engines]
    for side in sides:
        side(10**4)
    after, without = in_turn(sizes.pairs * SHARES, *sides)
    what = "the core's own work where each trip is a sleep of 0.1 ms, over the same without a wait (information)"
    return figure("3", what, after, without, None, names=("between sleeps", "without"))


def _cycle(sizes: Sizes, name: str, goal: Bound | None) -> list[Figure]:
    with BACKENDS[name]() as backend, BARE[name](backend.url) as trips:
        provider = Instant()
        share = max(1, sizes.cycles // SHARES)

        def people(pair: int) -> range:
            return range(pair * share, (pair + 1) * share)

        def over(store: Store) -> Side:
            engine = Engine(store, provider, pepper=PEPPER)
            return lambda pair: wall(partial(cycles, engine, provider, numbers(people(pair))), share)

        def bare(pair: int) -> float:
            return wall(lambda: [deque(trips(which), maxlen=0) for which in people(pair)], share)

        store = backend.build()
        sides: list[Side] = [over(store), bare, over(_OverBare(trips)), over(MemoryStore())]
        for side in sides:
            side(10**4)  # connections, prepared statements, caches
        try:
            engine_s, bare_s, between_s, alone_s = in_turn(sizes.pairs * SHARES, *sides)
        finally:
            store.close()
    what = f"engine cycle on {backend.name}: its rate against the bare client with the same bytes"
    summed = [one + other for one, other in zip(bare_s, alone_s, strict=True)]
    beside = f"on {backend.name}, against that bare client (information)"
    return [
        figure("3", what, bare_s, engine_s, goal, names=("bare", "engine"), percent=True),
        figure("3", f"bare client and core, each alone, {beside}", bare_s, summed, None,
               names=("bare", "sum"), percent=True),
        figure("3", f"bare client with the core between its trips, {beside}", bare_s, between_s, None,
               names=("bare", "with the core"), percent=True),
    ]  # fmt: skip
