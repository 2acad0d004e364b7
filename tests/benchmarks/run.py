"""`make bench`: measures the ratios to reach and writes the table of docs/performance.md.

    python -m tests.benchmarks.run [--only NAME …] [--quick] [--json FILE]

`--quick` takes tiny sizes, to see that everything works; it and `--only` leave the page as it is.

Rules of this file: arguments, progress, output; what is measured is in the modules beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.benchmarks import (
    bare_ratio,
    costs,
    decisions,
    embedded,
    footprint,
    handwritten,
    hot,
    importing,
    peers,
    processes,
    profiles,
    rates,
    together,
    vendor,
)
from tests.benchmarks.cycle import ROOT
from tests.benchmarks.measuring import FULL, QUICK, Absent, Figure, Found, Rates, Sizes

__all__ = ["GROUPS", "PAGE", "main", "report", "table"]

Group = Callable[[Sizes, Callable[[str], None]], Iterable[Found]]

GROUPS: Final[dict[str, tuple[tuple[str, ...], Group]]] = {
    "imports": (importing.ROWS, importing.measure),
    "decisions": (decisions.ROWS, decisions.measure),
    "embedded": (embedded.ROWS, embedded.measure),
    "bare": (bare_ratio.ROWS, bare_ratio.measure),
    "together": (together.ROWS, together.measure),
    "hot": (hot.ROWS, hot.measure),
    "peers": (peers.ROWS, peers.measure),
    "processes": (processes.ROWS, processes.measure),
    "footprint": (footprint.ROWS, footprint.measure),
    "vendor": (vendor.ROWS, vendor.measure),
    "handwritten": (handwritten.ROWS, handwritten.measure),
    "costs": (costs.ROWS, costs.measure),
    "profiles": (profiles.ROWS, profiles.measure),
    "rates": (rates.ROWS, rates.measure),
}
"""By name: the rows of the table that a group measures, and how."""

PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main(arguments: Sequence[str] | None = None) -> list[Found]:
    """Measure; print each figure as it is found."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures the ratios to reach.")
    parser.add_argument("--only", action="append", choices=sorted(GROUPS), help="this group; may be repeated")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: the numbers mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    asked = parser.parse_args(arguments)
    sizes = QUICK if asked.quick else FULL
    found: list[Found] = []
    for name in asked.only or GROUPS:
        for one in GROUPS[name][1](sizes, lambda text: print(f"… {text}", flush=True)):
            print(_line(one), flush=True)
            found.append(one)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1) + "\n")
    if not asked.quick and not asked.only:
        _write(found)
        print(f"written to {PAGE.relative_to(ROOT)}")
    return found


def report(found: Sequence[Found]) -> str:
    """What was found, for the page: the figures, what is missing, then the tables of rates."""
    parts = [table([one for one in found if isinstance(one, Figure)])]
    parts += [
        f"Not measured: {one.what}{f' (row {one.row})' if one.row else ''}; {one.why}."
        for one in found
        if isinstance(one, Absent)
    ]
    rates = [one for one in found if isinstance(one, Rates)]
    for name, lines in groupby(rates, key=lambda one: one.table):
        cells = list(lines)
        head = [f"| {' | '.join(cells[0].columns)} |", "|" + " --- |" * len(cells[0].columns)]
        parts.append("\n".join([f"**{name}**", "", *head, *(f"| {' | '.join(one.cells)} |" for one in cells)]))
    return "\n\n".join(parts)


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table, with where and when they were measured."""
    measured = f"Measured on {datetime.now(UTC):%d %B %Y}: {_machine()}."
    head = ["| # | what | goal | median | least to largest pair | of this run |", "|" + " --- |" * 6]
    rows = [f"| {' | '.join(_cells(one))} |" for one in sorted(figures, key=_order)]
    return "\n".join([measured, "", *head, *rows])


def _line(one: Found) -> str:
    match one:
        case Figure():
            return " | ".join(_cells(one))
        case Rates():
            return " | ".join((one.table, *one.cells))
        case Absent():
            return f"not measured: {one.what}; {one.why}"


def _order(one: Figure) -> tuple[int, str]:
    digits = "".join(letter for letter in one.row if letter.isdigit())
    return int(digits or 99), one.row


def _cells(one: Figure) -> list[str]:
    value, unit = one.value, f" {one.unit}" if one.unit else ""
    goal = "" if one.bound is None else f"{one.bound[0]} {one.bound[1]:g}{unit}"
    missed = " **missed**" if one.is_met is False else ""
    pairs = "" if value.low == value.high else f"{_number(value.low)}-{_number(value.high)}"
    return [one.row, one.what, goal, f"{_number(value.median)}{unit}{missed}", pairs, one.beside]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _machine() -> str:
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _write(found: Sequence[Found]) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{report(found)}\n{END}{after}")


if __name__ == "__main__":
    main()
