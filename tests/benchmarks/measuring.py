"""How a ratio is measured: pairs of the same work in turn, within one run.

A B A B …: what disturbs the machine disturbs both sides, and each pair gives one ratio. The median is the figure;
the least and the largest pair stand beside it. Work that never waits is measured in CPU seconds of this process,
with all its threads; work that waits for a disk or a socket in wall seconds.

Rules of this file: no row of the table is known here.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Final, Literal

__all__ = [
    "FULL",
    "QUICK",
    "Absent",
    "Bound",
    "Figure",
    "Found",
    "Rates",
    "Side",
    "Sizes",
    "Spread",
    "cpu",
    "figure",
    "in_turn",
    "spread",
    "wall",
]

Bound = tuple[Literal["≤", "≥"], float]
"""At most, or at least, so much."""

Side = Callable[[int], float]
"""Does its share of one pair, whose number it is given, and answers with the seconds of one unit of work."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        pairs: of each ratio.
        known: the numbers of recipients that are known beforehand, for the decisions.
        texts: numbers canonicalised in each share of a pair.
        cycles: starts and checks in each share of a pair, over the embedded store.
        records: fewest, many and most records of the embedded store.
        commits: in each share of a pair.
        stock_commits: the same for stock TinyDB.
        seconds: that the processes of one round work, and that a cycle is profiled for.
        sessions: held in the memory store.
        calls: of the SDK in each share of a pair.
        imports: pairs of fresh interpreters.
        hammered: decisions of each client on one number, in each round.
        operations: of each kind, by all clients together, for the tables of rates.
        filled: the numbers of records of those tables, fewest first.
    """

    pairs: int
    known: tuple[int, ...]
    texts: int
    cycles: int
    records: tuple[int, int, int]
    commits: int
    stock_commits: int
    seconds: float
    sessions: int
    calls: int
    imports: int
    hammered: int
    operations: int
    filled: tuple[int, ...]


FULL: Final = Sizes(
    7,
    (10_000, 100_000),
    500,
    200,
    (100, 10_000, 100_000),
    200,
    2,
    4.0,
    10_000,
    100,
    15,
    50,
    1_000,
    (100, 10_000, 100_000, 1_000_000),
)
QUICK: Final = Sizes(1, (50, 100), 5, 5, (10, 20, 50), 5, 1, 0.1, 200, 3, 1, 4, 16, (10, 20))


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, the least and the largest of them."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        row: number in the table of ratios to reach; "" for information.
        what: which ratio, under which condition.
        value: the figure.
        unit: "x" for a ratio, "%", "ms", …
        bound: see `Bound`; None for information.
        beside: the absolute numbers of this run.
    """

    row: str
    what: str
    value: Spread
    unit: str
    bound: Bound | None = None
    beside: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the median is within the bound; None where there is none."""
        if self.bound is None:
            return None
        sign, limit = self.bound
        return self.value.median <= limit if sign == "≤" else self.value.median >= limit


@dataclass(frozen=True)
class Rates:
    """One line of a table of rates: information, without a goal.

    Attributes:
        row: "": it is of no row of the table of ratios.
        table: its heading.
        columns: the names of the cells; the same for each line of a table.
        cells: as text.
    """

    table: str
    columns: tuple[str, ...]
    cells: tuple[str, ...]
    row: str = ""


@dataclass(frozen=True)
class Absent:
    """Something that was not measured.

    Attributes:
        row: as of `Figure`.
        what: that would have been measured.
        why: what is not here.
    """

    row: str
    what: str
    why: str


Found = Figure | Rates | Absent
"""What a group finds."""


def spread(numbers: list[float]) -> Spread:
    """The spread of at least one number."""
    return Spread(statistics.median(numbers), min(numbers), max(numbers))


def in_turn(pairs: int, *sides: Side, collect: bool = True) -> list[list[float]]:
    """Let the sides work in turn, each after a collection of garbage, and keep what each answered, pair by pair."""
    answered: list[list[float]] = [[] for _ in sides]
    for pair in range(pairs):
        for side, answers in zip(sides, answered, strict=True):
            if collect:
                gc.collect()
            answers.append(side(pair))
    return answered


def figure(
    row: str,
    what: str,
    above: list[float],
    below: list[float],
    bound: Bound | None,
    *,
    names: tuple[str, str] = ("ours", "theirs"),
    percent: bool = False,
) -> Figure:
    """The ratio of two sides, from the seconds that each took in each pair."""
    ratios = [one / other * (100 if percent else 1) for one, other in zip(above, below, strict=True)]
    numbers = zip(names, (above, below), strict=True)
    beside = ", ".join(f"{name} {_time(statistics.median(seconds))}" for name, seconds in numbers)
    return Figure(row, what, spread(ratios), "%" if percent else "x", bound, beside)


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def cpu(work: Callable[[], object], units: int) -> float:
    """CPU seconds of this process for one unit of the work."""
    began = process_time()
    work()
    return (process_time() - began) / units


def wall(work: Callable[[], object], units: int) -> float:
    """Wall seconds for one unit of the work."""
    began = perf_counter()
    work()
    return (perf_counter() - began) / units
