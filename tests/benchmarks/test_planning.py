"""The numbers of the page about scale: what is fitted gives back what was measured, and the measuring works."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.benchmarks.planning import CALLS, breaks_at, fitted, validated
from tests.benchmarks.prices import carried, prices, redis_place, weight
from tests.benchmarks.simulation import Plan
from tests.redis_servers import needed

TOLD: dict[str, Any] = {
    "memory": {"start": 90e-6, "check": 50e-6},
    "redis": {
        "cycle, 1 at once": {"wall_s": 1e-3, "service_s": 900e-6, "server_s": 160e-6, "trips": 4.0},
        "cycle, 8 at once": {"wall_s": 5e-4, "service_s": 400e-6, "server_s": 60e-6, "trips": 1.0},
        "cycle, 64 at once": {"wall_s": 3e-4, "service_s": 260e-6, "server_s": 30e-6, "trips": 0.2},
    },
}


@pytest.mark.parametrize("crowd", [1, 64])
def test_what_is_fitted_gives_back_what_was_measured(crowd: int) -> None:
    found, measured = fitted(TOLD, "redis"), TOLD["redis"][f"cycle, {crowd} at once"]
    service = found.start + found.check + CALLS * found.item + measured["trips"] * found.trip
    assert service == pytest.approx(measured["service_s"])
    assert CALLS * found.item + found.trip > 0
    assert CALLS * found.server_item + measured["trips"] * found.server_trip == pytest.approx(measured["server_s"])


def test_the_model_is_set_beside_each_crowd() -> None:
    assert [line.partition(":")[0] for line in validated(TOLD, "redis")] == [
        "redis, 1 at once",
        "redis, 8 at once",
        "redis, 64 at once",
    ]


def test_a_plan_breaks_below_what_its_processors_bear() -> None:
    found = fitted(TOLD, "redis")
    bears = 1 / (found.start + found.check + CALLS * found.item)
    assert bears / 4 < breaks_at(Plan(1, 1), found, low=bears / 8, seconds=0.5) < bears * 1.2


def test_prices_are_measured() -> None:
    """CI: 64 cycles; `python -m tests.benchmarks.prices`: 4,000, five times."""
    needed("redis-server")
    with redis_place() as place:
        found = asyncio.run(prices(place, units=64, runs=1))
        there, back = asyncio.run(carried(place, crowd=1, units=8))
    with redis_place() as place:
        live = asyncio.run(weight(place, 64, used=False))
    assert found["cycle, 1 at once"].trips == CALLS
    assert found["cycle, 64 at once"].trips < 1
    assert found["refusal, 64 at once"].trips < 1
    assert all(cost.server_s > 0 and cost.service_s > 0 for cost in found.values())
    assert there > back > 0
    assert live > 0
