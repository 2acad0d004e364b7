"""From measured prices to a plan: how far the model is from what was measured, and what 10⁹ verifications a day need.

    python -m tests.benchmarks.prices --json prices.json
    python -m tests.benchmarks.planning prices.json

Rules of this file: every number is from the file of prices, an argument, or an assumption that is named here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.simulation import Outcome, Plan, Prices, day, quantile, simulate, simulate_crowd

__all__ = ["breaks_at", "fitted", "main"]

CALLS: Final = 4
"""Of the store, in a cycle: two commits of a start, a load and a commit of a check."""

FRONT_S: Final = 150e-6
"""Assumed: CPU of a web framework for one request, beside the engine."""

PEAK: Final = 1.8
"""Assumed: the busiest hour over the mean."""

REPLICA_S: Final = 0.001
"""Assumed: there and back between the zones of a primary and its replica."""

LIMIT_S: Final = 0.05
FULL: Final = 0.98


def fitted(told: dict[str, Any], store: str) -> Prices:
    """What a trip costs and what a call on it, from a crowd of one and one of 64."""
    alone, crowd = told[store]["cycle, 1 at once"], told[store]["cycle, 64 at once"]
    own = told["memory"]["start"] + told["memory"]["check"]
    fewer = alone["trips"] - crowd["trips"]
    trip = (alone["service_s"] - crowd["service_s"]) / fewer
    server_trip = (alone["server_s"] - crowd["server_s"]) / fewer
    return Prices(
        start=told["memory"]["start"],
        check=told["memory"]["check"],
        trip=trip,
        item=max(0.0, crowd["service_s"] - own - crowd["trips"] * trip) / CALLS,
        server_trip=server_trip,
        server_item=max(0.0, crowd["server_s"] - crowd["trips"] * server_trip) / CALLS,
    )


def validated(told: dict[str, Any], store: str) -> list[str]:
    """The model of one service and one server on this machine, beside what was measured."""
    prices, lines = fitted(told, store), list[str]()
    for tasks in (1, 8, 64):
        measured = told[store][f"cycle, {tasks} at once"]
        outcome = simulate_crowd(Plan(1, 1, round_trip_s=0), prices, tasks=tasks, seconds=3)
        cycles = len(outcome.checks)
        rows = (
            ("cycles a second", cycles / 3, 1 / measured["wall_s"]),
            ("trips of a cycle", outcome.trips / cycles, measured["trips"]),
            ("µs of the service", outcome.service_use * 3e6 / cycles, measured["service_s"] * 1e6),
            ("µs of the server", outcome.server_use * 3e6 / cycles, measured["server_s"] * 1e6),
        )
        said = [f"{what} {model:.3g} for {real:.3g} ({model / real - 1:+.0%})" for what, model, real in rows]
        lines.append(f"{store}, {tasks} at once: {', '.join(said)}")
    return lines


def breaks_at(plan: Plan, prices: Prices, *, low: float, seconds: float) -> float:
    """Verifications a second, within 5 %, with which the 99th of 100 starts waits 50 ms, or a processor is never idle.

    Then its queue grows for as long as people come, and how long they wait is a matter of how long the run is.
    """

    def bears(rate: float) -> bool:
        outcome = simulate(plan, prices, rate=rate, seconds=seconds)
        return quantile(outcome.starts, 0.99) < LIMIT_S and max(outcome.service_use, outcome.server_use) < FULL

    high = low
    while bears(high):
        low, high = high, high * 1.5
    while high / low > 1.05:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if bears(middle) else (low, middle)
    return low


def shown(outcome: Outcome) -> str:
    """What people wait, and what works how much."""
    waits = [
        f"{name} {quantile(times, 0.5) * 1000:.1f}/{quantile(times, 0.99) * 1000:.1f} ms"
        for name, times in (("start", outcome.starts), ("check", outcome.checks))
    ]
    batch = outcome.items / max(outcome.trips, 1)
    return f"{', '.join(waits)}, service {outcome.service_use:.0%}, server {outcome.server_use:.0%}, {batch:.1f} a trip"


def main(arguments: Sequence[str] | None = None) -> None:
    """Validate, then plan."""
    parser = argparse.ArgumentParser(description="What so many verifications a day need.")
    parser.add_argument("prices", type=Path)
    parser.add_argument("--day", type=float, default=1e9, help="verifications a day")
    parser.add_argument("--services", type=int, default=48)
    parser.add_argument("--shards", type=int, default=37)
    parser.add_argument("--cores", type=int, default=16, help="of the one PostgreSQL")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each simulated hour")
    asked = parser.parse_args(arguments)
    told: dict[str, Any] = json.loads(asked.prices.read_text())
    for store in ("redis", "postgresql"):
        print(*validated(told, store), fitted(told, store), sep="\n", flush=True)
    hours = day(asked.day, PEAK)
    rates = {"quietest hour": min(hours), "mean": asked.day / 86_400, "busiest hour": max(hours)}
    plans = {
        "redis": Plan(asked.services, asked.shards),
        "redis, with a replica waited for": Plan(asked.services, asked.shards, confirm_s=REPLICA_S),
        "postgresql": Plan(asked.services, 1, cores=asked.cores, confirm_s=REPLICA_S),
    }
    for name, plan in plans.items():
        measured = fitted(told, name.partition(",")[0])
        prices = replace(measured, start=measured.start + FRONT_S, check=measured.check + FRONT_S)
        for when, rate in rates.items():
            print(f"{name}, {when}, {rate:.0f} /s: {shown(simulate(plan, prices, rate=rate, seconds=asked.seconds))}")
        refusal = told[name.partition(",")[0]]["refusal, 64 at once"]["service_s"] + FRONT_S
        rate, hot = rates["busiest hour"], 0.1 * rates["busiest hour"]
        outcome = simulate(plan, prices, rate=rate, seconds=asked.seconds, hot=hot, refusals=refusal)
        print(f"{name}, busiest hour and {hot:.0f} /s of one number: {shown(outcome)}")
        edge = breaks_at(plan, prices, low=rate / 4, seconds=asked.seconds)
        print(f"{name}: the edge is at {edge:.0f} /s", flush=True)


if __name__ == "__main__":
    main()
