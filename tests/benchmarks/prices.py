"""What one verification costs the service and the server of its store: CPU, trips, bytes, memory.

    python -m tests.benchmarks.prices [--cycles 4000] [--runs 5] [--json FILE]

CPU seconds are those of the processes concerned, all of the server's; a machine that
others use too disturbs them little.
A *cycle* is a start and the right check; a *refusal* is a start that has to wait.

Rules of this file: servers of its own on loopback; the provider answers at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import count
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from pydantic import SecretStr

from otpcore.engine import AsyncEngine
from otpcore.errors import StoreError
from otpcore.ports import CommitRequest, Conflict, StoreCapabilities, Version, Versioned
from otpcore.results import Approved, Sent, Wait
from otpcore.stores.memory import MemoryStore
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build_async as redis_store
from otpcore_sql import SQLSettings
from otpcore_sql.settings import build_async as sql_store
from tests.benchmarks.clients import AsyncDesk, awaited_cycles, dealt, tasks
from tests.benchmarks.cycle import PEPPER, number, numbers
from tests.postgres_pairs import PostgresServer
from tests.redis_servers import Proxy, Server

__all__ = ["Cost", "main"]

CROWDS: Final = (1, 8, 64)
"""Tasks of one process that verify at the same time."""


@dataclass(frozen=True)
class Cost:
    """Of one unit of work.

    Attributes:
        wall_s: how long it took, divided by the units that were done meanwhile.
        service_s: CPU of the process that verifies.
        server_s: CPU of the server of its store.
        trips: to the server.
    """

    wall_s: float
    service_s: float
    server_s: float
    trips: float


@dataclass(frozen=True)
class Place:
    """A server that is open for measuring.

    Attributes:
        name: of the store.
        port: where it listens.
        store: an awaiting store at this port.
        pids: its processes.
        weight: bytes that its records take; None: not asked.
    """

    name: str
    port: int
    store: Callable[[int], Any]
    pids: Callable[[], Sequence[int]]
    weight: Callable[[], int]


class Counting:
    """A store that takes batches, and counts its trips."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.trips = 0
        self.sweep, self.close = inner.sweep, inner.close

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store."""
        capabilities: StoreCapabilities = self._inner.capabilities
        return capabilities

    async def load(self, key: str) -> Versioned | None:
        """Count and pass on."""
        self.trips += 1
        found: Versioned | None = await self._inner.load(key)
        return found

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """Count and pass on."""
        self.trips += 1
        answer: Version | Conflict = await self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        return answer

    async def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """Count and pass on."""
        self.trips += 1
        found: Sequence[Versioned | StoreError | None] = await self._inner.load_many(keys)
        return found

    async def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """Count and pass on."""
        self.trips += 1
        answers: Sequence[Version | Conflict | StoreError] = await self._inner.commit_many(commits)
        return answers


def used_memory(server: Server) -> int:
    """Bytes, of everything that a Redis keeps."""
    with server.client() as client:
        found: int = client.info("memory")["used_memory"]
    return found


@contextmanager
def redis_place() -> Generator[Place]:
    """A Redis that keeps nothing on disk."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        with server.client() as client:
            pid = client.info("server")["process_id"]
        yield Place(
            "redis",
            server.port,
            lambda port: redis_store(RedisSettings(url=SecretStr(f"redis://127.0.0.1:{port}/0"))),
            lambda: [pid],
            lambda: used_memory(server),
        )
        server.stop()


@contextmanager
def postgres_place() -> Generator[Place]:
    """A PostgreSQL as it comes: every commit is synced to the disk."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "postgres")
        yield Place(
            "postgresql",
            server.port,
            lambda port: sql_store(SQLSettings(url=SecretStr(f"postgresql://postgres@127.0.0.1:{port}/postgres"))),
            lambda: server.pids,
            lambda: int(server.ask("SELECT pg_total_relation_size('otpcore_records')")[0][0]),
        )
        server.stop()


def server_cpu(pids: Sequence[int]) -> float:
    """CPU seconds that the threads of these processes have had."""
    threads = (thread for pid in pids for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


async def prices(place: Place, *, units: int, runs: int) -> dict[str, Cost]:
    """A cycle at each size of crowd; and a refusal, by the largest crowd on one number."""
    desk, store, first = AsyncDesk(), Counting(place.store(place.port)), count(step=units)
    engine = AsyncEngine(store, desk, pepper=PEPPER)
    hot = number(10**8)
    assert isinstance(await engine.start(hot), Sent)

    async def refusals(hand: Sequence[int]) -> None:
        for _ in hand:
            assert isinstance(await engine.start(hot), Wait | Sent)  # a run may outlast a wait

    async def cycles(crowd: int) -> None:
        begin = next(first)
        await awaited_cycles(engine, desk, numbers(range(begin, begin + units)), crowd)

    async def refused(crowd: int) -> None:
        await tasks(refusals, dealt(range(units), crowd))

    found: dict[str, list[Cost]] = {}
    for run in range(runs + 1):
        for name, work, crowd in [*(("cycle", cycles, crowd) for crowd in CROWDS), ("refusal", refused, CROWDS[-1])]:
            server, cpu, trips, wall = server_cpu(place.pids()), process_time(), store.trips, perf_counter()
            await work(crowd)
            spent = (
                perf_counter() - wall,
                process_time() - cpu,
                server_cpu(place.pids()) - server,
                store.trips - trips,
            )
            if run:  # the first was for connections and caches
                found.setdefault(f"{name}, {crowd} at once", []).append(Cost(*(each / units for each in spent)))
    await engine.close()
    return {name: median(costs) for name, costs in found.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(statistics.median(getattr(each, one.name) for each in costs) for one in fields(Cost)))


async def own_share(units: int, runs: int) -> tuple[float, float]:
    """CPU seconds of a start and of a check over the memory store, whose own part is small."""
    starts: list[float] = []
    checks: list[float] = []
    for _ in range(runs):
        desk = AsyncDesk()
        engine = AsyncEngine(MemoryStore(), desk)
        people, tokens = numbers(range(units)), list[str]()
        began = process_time()
        for person in people:
            sent = await engine.start(person)
            assert isinstance(sent, Sent)
            tokens.append(sent.session.token or "")
        between = process_time()
        for person, token in zip(people, tokens, strict=True):
            assert isinstance(await engine.check(token, desk.codes[person.e164]), Approved)
        starts.append((between - began) / units)
        checks.append((process_time() - between) / units)
        await engine.close()
    return statistics.median(starts), statistics.median(checks)


async def carried(place: Place, *, crowd: int, units: int) -> tuple[float, float]:
    """Bytes of a cycle to the server, and back."""
    proxy, back = Proxy(place.port), list[int]()

    def says(data: bytes) -> bytes:
        back.append(len(data))
        return data

    proxy.says = says
    desk = AsyncDesk()
    engine = AsyncEngine(place.store(proxy.port), desk, pepper=PEPPER)
    await awaited_cycles(engine, desk, numbers(range(2 * 10**8 + crowd, 2 * 10**8 + 2 * crowd)), crowd)
    proxy.sent.clear()
    back.clear()
    begin = (3 * 10**2 + crowd) * 10**6  # nobody who was here before
    await awaited_cycles(engine, desk, numbers(range(begin, begin + units)), crowd)
    await engine.close()
    proxy.close()
    return sum(map(len, proxy.sent)) / units, sum(back) / units


async def weight(place: Place, people: int, *, used: bool) -> float:
    """Bytes of an empty server for a recipient who was sent a code; or for one who has used it."""
    desk = AsyncDesk()
    engine = AsyncEngine(place.store(place.port), desk, pepper=PEPPER)
    await awaited_cycles(engine, desk, numbers([10**8]), 1)
    before = place.weight()
    for one in numbers(range(people)):
        sent = await engine.start(one)
        assert isinstance(sent, Sent)
        if used:
            assert isinstance(await engine.check(sent.session.token or "", desk.codes[one.e164]), Approved)
    await engine.close()
    return (place.weight() - before) / people


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="What one verification costs.")
    parser.add_argument("--cycles", type=int, default=4000, help="of each run")
    parser.add_argument("--runs", type=int, default=5, help="of which the median is taken")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the costs of cycles and refusals there too")
    asked = parser.parse_args(arguments)
    starts, checks = asyncio.run(own_share(asked.cycles, asked.runs))
    print(f"memory: CPU of a start {starts * 1e6:.0f} µs, of a check {checks * 1e6:.0f} µs", flush=True)
    told: dict[str, Any] = {"memory": {"start": starts, "check": checks}}
    for opened in (redis_place, postgres_place):
        with opened() as place:
            found = asyncio.run(prices(place, units=asked.cycles, runs=asked.runs))
            for name, cost in found.items():
                cpu = f"service {cost.service_s * 1e6:.0f} µs, server {cost.server_s * 1e6:.1f} µs"
                print(f"{place.name}, {name}: {cpu}, {cost.trips:.2f} trips, {1 / cost.wall_s:.0f} /s", flush=True)
            for crowd in (CROWDS[0], CROWDS[-1]):
                there, back = asyncio.run(carried(place, crowd=crowd, units=asked.cycles // 4))
                print(
                    f"{place.name}, cycle, {crowd} at once: {there:.0f} bytes to the server, {back:.0f} back",
                    flush=True,
                )
            told[place.name] = {name: asdict(cost) for name, cost in found.items()}
        for used in (False, True):
            with opened() as place:
                found_bytes = asyncio.run(weight(place, asked.cycles, used=used))
            print(
                f"{place.name}, bytes of a recipient, {'code used' if used else 'live'}: {found_bytes:.0f}", flush=True
            )
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
