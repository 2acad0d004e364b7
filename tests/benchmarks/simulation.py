"""Services in front of a sharded store, as queues: what a plan of machines bears, and how long people wait.

A service is one process with one processor. Its calls to the store go as the engine sends them: one trip of loads and
one of commits at a time, and what comes meanwhile goes together on the next (at most 128). A trip to several shards is
over when the last has answered. A shard is a queue with one processor (Redis) or several (PostgreSQL). Arrivals are
Poisson, starts and checks alike; keys are spread evenly, but for refusals of one hot number.

Rules of this file: no clock, no network, no otpcore: times are numbers of seconds, costs are given, one seed gives one
result. What a provider takes is left out: nobody's processor waits for it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import cos, pi
from random import Random
from typing import Final

__all__ = ["LARGEST", "Outcome", "Plan", "Prices", "Station", "World", "day", "quantile", "simulate", "simulate_crowd"]

LARGEST: Final = 128
"""Keys of one trip, see `otpcore.engine.trips`."""

START: Final = ("commit", "commit")
CHECK: Final = ("load", "commit")
REFUSAL: Final = ("commit",)


@dataclass(frozen=True)
class Prices:
    """CPU seconds, as `tests.benchmarks.prices` measures them.

    Attributes:
        start: of the service, for a start, without the store; spread evenly over its parts.
        check: likewise.
        trip: of the service, for each trip, whatever goes on it.
        item: of the service, for each call on a trip.
        server_trip: of the server.
        server_item: of the server.
    """

    start: float
    check: float
    trip: float
    item: float
    server_trip: float
    server_item: float


@dataclass(frozen=True)
class Plan:
    """What is built.

    Attributes:
        services: processes, one processor each.
        shards: servers of the store.
        cores: of each of them: 1 for Redis.
        round_trip_s: of the network, between service and server.
        confirm_s: how long a commit waits for a replica, or for a disk, while nobody's processor works.
    """

    services: int
    shards: int
    cores: int = 1
    round_trip_s: float = 0.0005
    confirm_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What a run showed.

    Attributes:
        arrived: operations that began.
        finished: how many of them ended within the run.
        starts: seconds that each start took, in order; checks: likewise.
        service_use: share of the time that the busiest service's processor worked; server_use: likewise.
        trips: to the store.
        items: calls that went on them.
    """

    arrived: int
    finished: int
    starts: Sequence[float]
    checks: Sequence[float]
    service_use: float
    server_use: float
    trips: int
    items: int


class World:
    """Events in the order of time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen so much later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), event))

    def run(self, until: float) -> None:
        """Let everything happen that happens before an instant."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = until


class Station:
    """Processors that share one queue; who comes first is served first."""

    def __init__(self, world: World, processors: int = 1) -> None:
        self._world = world
        self._free = processors
        self._queue: deque[tuple[float, Callable[[], None]]] = deque()
        self.worked_s = 0.0

    def work(self, seconds: float, then: Callable[[], None]) -> None:
        """Take so much of a processor, and go on."""
        if self._free:
            self._free -= 1
            self._begin(seconds, then)
        else:
            self._queue.append((seconds, then))

    def _begin(self, seconds: float, then: Callable[[], None]) -> None:
        self.worked_s += seconds

        def end() -> None:
            if self._queue:
                self._begin(*self._queue.popleft())
            else:
                self._free += 1
            then()

        self._world.after(seconds, end)


Item = tuple[int, Callable[[], None]]
"""The shard of a call, and who waits for its answer."""


class _Lane:
    """Calls of one kind of one service: one trip at a time."""

    def __init__(self, service: _Service, *, confirm_s: float) -> None:
        self._service = service
        self._confirm_s = confirm_s
        self._waiting: deque[Item] = deque()
        self._busy = False

    def call(self, item: Item) -> None:
        self._waiting.append(item)
        if not self._busy:
            self._leave()

    def _leave(self) -> None:
        self._busy = bool(self._waiting)
        if not self._busy:
            return
        batch = [self._waiting.popleft() for _ in range(min(LARGEST, len(self._waiting)))]
        parcels: dict[int, int] = {}
        for shard, _ in batch:
            parcels[shard] = parcels.get(shard, 0) + 1
        service, prices = self._service, self._service.prices
        service.trips += len(parcels)
        service.items += len(batch)
        half = (prices.trip * len(parcels) + prices.item * len(batch)) / 2
        missing = [len(parcels)]

        def answered() -> None:
            missing[0] -= 1
            if not missing[0]:
                service.processor.work(half, read)

        def read() -> None:
            for _, then in batch:
                then()
            service.processor.work(0, self._leave)  # who was answered has their turn, and what they ask goes with it

        def sent() -> None:
            for shard, items in parcels.items():
                service.ask(shard, items, self._confirm_s, answered)

        service.processor.work(half, sent)


class _Service:
    """One process: its processor, its two lanes, and the way to the shards."""

    def __init__(self, world: World, plan: Plan, prices: Prices, shards: Sequence[Station]) -> None:
        self.world, self.plan, self.prices, self.shards = world, plan, prices, shards
        self.processor = Station(world)
        self.trips = self.items = 0
        self._lanes = {"load": _Lane(self, confirm_s=0.0), "commit": _Lane(self, confirm_s=plan.confirm_s)}

    def ask(self, shard: int, items: int, confirm_s: float, then: Callable[[], None]) -> None:
        """Half the round trip, the server's work, what is waited for, and the other half."""
        seconds, half = self.prices.server_trip + self.prices.server_item * items, self.plan.round_trip_s / 2
        station, after = self.shards[shard], self.world.after
        after(half, lambda: station.work(seconds, lambda: after(half + confirm_s, then)))

    def perform(self, steps: Sequence[str], cpu: float, shard: int, done: Callable[[], None]) -> None:
        """An operation: a part of its own work, a call, a part, …, the last part."""
        part, left = cpu / (len(steps) + 1), iter(steps)

        def go_on() -> None:
            step = next(left, None)
            self.processor.work(part, done if step is None else lambda: self._lanes[step].call((shard, go_on)))

        go_on()


def simulate(
    plan: Plan, prices: Prices, *, rate: float, seconds: float, seed: int = 1, hot: float = 0.0, refusals: float = 0.0
) -> Outcome:
    """Let people come.

    Args:
        plan: what is built.
        prices: what things cost.
        rate: verifications a second: as many starts, and as many checks.
        seconds: how long.
        seed: of everything that is random.
        hot: starts a second of one number that has to wait, on the first shard.
        refusals: CPU seconds of the service for one of them.
    """
    world, random = World(), Random(seed)
    shards = [Station(world, plan.cores) for _ in range(plan.shards)]
    services = [_Service(world, plan, prices, shards) for _ in range(plan.services)]
    took: dict[tuple[str, ...], list[float]] = {START: [], CHECK: [], REFUSAL: []}
    arrived = [0]

    def stream(steps: tuple[str, ...], cpu: float, per_second: float, shard: int | None) -> None:
        def come() -> None:
            arrived[0] += 1
            began, times = world.now, took[steps]
            where = random.randrange(plan.shards) if shard is None else shard
            services[random.randrange(plan.services)].perform(
                steps, cpu, where, lambda: times.append(world.now - began)
            )
            world.after(random.expovariate(per_second), come)

        if per_second:
            world.after(random.expovariate(per_second), come)

    stream(START, prices.start, rate, None)
    stream(CHECK, prices.check, rate, None)
    stream(REFUSAL, refusals, hot, 0)
    world.run(seconds)
    return _outcome(services, shards, plan, seconds, arrived[0], took)


def simulate_crowd(plan: Plan, prices: Prices, *, tasks: int, seconds: float) -> Outcome:
    """So many tasks of each service verify again and again, as `tests.benchmarks.prices` lets them."""
    world = World()
    shards = [Station(world, plan.cores) for _ in range(plan.shards)]
    services = [_Service(world, plan, prices, shards) for _ in range(plan.services)]
    took: dict[tuple[str, ...], list[float]] = {START: [], CHECK: []}
    turn, arrived = count(), [0]

    def begin(service: _Service) -> None:
        arrived[0] += 1
        began, shard = world.now, next(turn) % plan.shards

        def started() -> None:
            took[START].append(world.now - began)
            again = world.now
            arrived[0] += 1

            def checked() -> None:
                took[CHECK].append(world.now - again)
                begin(service)

            service.perform(CHECK, prices.check, shard, checked)

        service.perform(START, prices.start, shard, started)

    for service in services:
        for _ in range(tasks):
            begin(service)
    world.run(seconds)
    return _outcome(services, shards, plan, seconds, arrived[0], took)


def _outcome(
    services: Sequence[_Service],
    shards: Sequence[Station],
    plan: Plan,
    seconds: float,
    arrived: int,
    took: dict[tuple[str, ...], list[float]],
) -> Outcome:
    return Outcome(
        arrived,
        sum(map(len, took.values())),
        sorted(took[START]),
        sorted(took[CHECK]),
        max(each.processor.worked_s for each in services) / seconds,
        max(each.worked_s for each in shards) / seconds / plan.cores,
        sum(each.trips for each in services),
        sum(each.items for each in services),
    )


def quantile(times: Sequence[float], share: float) -> float:
    """Of sorted times; infinite where there are none."""
    return times[min(len(times) - 1, int(len(times) * share))] if times else float("inf")


def day(per_day: float, peak: float) -> list[float]:
    """Verifications a second in each hour of a day: a wave whose top is `peak` times the mean; at most twice it."""
    mean = per_day / 86_400
    return [mean * (1 - (peak - 1) * cos(2 * pi * hour / 24)) for hour in range(24)]
