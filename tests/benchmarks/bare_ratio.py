"""Row 3 on the stores that have a client of their own: the engine's cycle against the bare client's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from otpcore.engine import Engine
from tests.benchmarks.backends import BACKENDS
from tests.benchmarks.bare import BARE
from tests.benchmarks.cycle import PEPPER, Instant, cycles, numbers
from tests.benchmarks.measuring import Absent, Bound, Figure, Found, Sizes, figure, in_turn, wall
from tests.benchmarks.servers import Missing

__all__ = ["ROWS", "measure"]

ROWS: Final = ("3",)
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


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure each backend that is here."""
    for name, goal in GOALS.items():
        what = f"engine cycle on {name}: its rate against the bare client"
        say(what)
        try:
            yield _cycle(sizes, name, goal)
        except Missing as missing:
            yield Absent("3", what, str(missing))


def _cycle(sizes: Sizes, name: str, goal: Bound | None) -> Figure:
    with BACKENDS[name]() as backend, BARE[name](backend.url) as bare_cycle:
        provider = Instant()
        engine = Engine(backend.build(), provider, pepper=PEPPER)
        share = max(1, sizes.cycles // SHARES)

        def ours(pair: int) -> float:
            people = numbers(range(pair * share, (pair + 1) * share))
            return wall(lambda: cycles(engine, provider, people), share)

        def bare(pair: int) -> float:
            return wall(lambda: [bare_cycle(which) for which in range(pair * share, (pair + 1) * share)], share)

        for side in (ours, bare):
            side(10**4)  # connections, prepared statements, caches
        try:
            engine_s, bare_s = in_turn(sizes.pairs * SHARES, ours, bare)
        finally:
            engine.close()
    what = f"engine cycle on {backend.name}: its rate against the bare client with the same bytes"
    return figure("3", what, bare_s, engine_s, goal, names=("bare", "engine"), percent=True)
