"""The model of the page about scale gives what queueing theory knows, and loses nobody."""

from __future__ import annotations

from math import log
from random import Random

import pytest

from tests.benchmarks.simulation import Plan, Prices, Station, World, day, quantile, simulate, simulate_crowd

FREE = Prices(0, 0, 0, 0, 0, 0)
USUAL = Prices(100e-6, 50e-6, 80e-6, 20e-6, 20e-6, 6e-6)


def queue(rate: float, service: str, *, processors: int = 1, people: int = 200_000) -> float:
    """Mean seconds in the system, of a station whose mean work is a second."""
    world, random = World(), Random(7)
    station = Station(world, processors)
    times: list[float] = []

    def come() -> None:
        began = world.now
        work = random.expovariate(1) if service == "M" else 1.0
        station.work(work, lambda: times.append(world.now - began))
        world.after(random.expovariate(rate), come)

    world.after(0, come)
    world.run(people / rate)
    return sum(times) / len(times)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_a_queue_of_random_work_takes_what_theory_says(load: float) -> None:
    """M/M/1: 1 / (1 - load)."""
    assert queue(load, "M") == pytest.approx(1 / (1 - load), rel=0.05)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_a_queue_of_even_work_takes_what_theory_says(load: float) -> None:
    """M/D/1: 1 + load / 2 (1 - load)."""
    assert queue(load, "D") == pytest.approx(1 + load / (2 * (1 - load)), rel=0.05)


def test_two_processors_share_a_queue_as_theory_says() -> None:
    """M/M/2: 1 / (1 - load²), each of them loaded by 0.7."""
    assert queue(1.4, "M", processors=2) == pytest.approx(1 / (1 - 0.49), rel=0.05)


def test_everybody_who_comes_is_served_when_there_is_room() -> None:
    outcome = simulate(Plan(2, 2), USUAL, rate=1000, seconds=2)
    assert outcome.arrived == pytest.approx(4000, rel=0.05)
    assert outcome.arrived - outcome.finished < 20  # who is under way at the end
    assert outcome.items == pytest.approx(2 * outcome.arrived, rel=0.01)
    assert len(outcome.starts) + len(outcome.checks) == outcome.finished


def test_one_seed_gives_one_result_and_another_another() -> None:
    first, again, other = (simulate(Plan(1, 1), USUAL, rate=500, seconds=1, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_an_idle_store_answers_after_its_round_trips_and_its_work() -> None:
    outcome = simulate(Plan(1, 1, round_trip_s=0.01, confirm_s=0.005), FREE, rate=5, seconds=20)
    assert quantile(outcome.starts, 0.01) == pytest.approx(0.03)  # two commits
    assert quantile(outcome.checks, 0.01) == pytest.approx(0.025)  # a load and a commit


def test_more_at_once_go_on_fewer_trips() -> None:
    alone, crowd = (simulate_crowd(Plan(1, 1), USUAL, tasks=tasks, seconds=1) for tasks in (1, 64))
    assert alone.items == alone.trips
    assert crowd.items / crowd.trips > 10
    assert crowd.finished > 3 * alone.finished


def test_beyond_what_the_processors_bear_people_queue() -> None:
    """A service bears 1 / (its CPU for a start and a check), batches as large as they may be."""
    bears = 1 / (USUAL.start + USUAL.check + 4 * USUAL.item + 4 * USUAL.trip / 128)
    below, above = (simulate(Plan(1, 1), USUAL, rate=bears * share, seconds=3) for share in (0.8, 1.3))
    assert quantile(below.starts, 0.99) < 0.05 < quantile(above.starts, 0.99)
    assert above.service_use == pytest.approx(1, abs=0.02)
    assert above.finished < 0.9 * above.arrived


def test_a_hot_number_burdens_its_shard_alone() -> None:
    outcome = simulate(Plan(4, 4), USUAL, rate=500, seconds=1, hot=4000, refusals=60e-6)
    calm = simulate(Plan(4, 4), USUAL, rate=500, seconds=1)
    assert outcome.server_use > 2 * calm.server_use
    assert outcome.arrived - calm.arrived == pytest.approx(4000, rel=0.1)


def test_a_day_has_its_sum_and_its_peak() -> None:
    hours = day(86_400_000, 1.8)
    assert sum(hours) * 3600 == pytest.approx(86_400_000)
    assert max(hours) == pytest.approx(1800)
    assert hours[0] == min(hours)


def test_a_quantile_of_nobody_is_no_time() -> None:
    assert quantile([], 0.99) == float("inf")
    assert quantile(sorted(-log(1 - one / 1000) for one in range(1000)), 0.5) == pytest.approx(log(2), rel=0.01)
