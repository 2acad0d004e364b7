"""What one cycle costs in CPU: the process of the service, and the server behind its store.

Of Redis that is its process; of PostgreSQL the backends that serve our connections, which do the commits themselves
(what the checkpointer does later is not counted).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from time import process_time
from typing import Final

import sqlalchemy as sa

from otpcore.engine import AsyncEngine, Engine
from tests.benchmarks.backends import BACKENDS, Backend
from tests.benchmarks.clients import AsyncDesk, awaited_cycles
from tests.benchmarks.cycle import PEPPER, Instant, cycles, numbers
from tests.benchmarks.measuring import Absent, Figure, Found, Sizes, spread
from tests.benchmarks.servers import Missing, cpu_of, redis_client

__all__ = ["ROWS", "measure"]

ROWS: Final = ("",)
TASKS: Final = 64


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure each server that is here."""
    for name, pids in PROCESSES.items():
        what = f"CPU of one cycle on {name}"
        say(what)
        try:
            with BACKENDS[name]() as backend:
                yield from _blocking(sizes, backend, pids)
                yield from _awaiting(sizes, backend, pids)
        except Missing as missing:
            yield Absent("", what, str(missing))


def _redis(url: str) -> list[int]:
    with redis_client(url) as client:
        return [int(client.info("server")["process_id"])]


def _postgresql(url: str) -> list[int]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with engine.connect() as connection:
        return [int(pid) for (pid,) in connection.exec_driver_sql(asked)]


PROCESSES: Final[dict[str, Callable[[str], list[int]]]] = {
    "redis": _redis,
    "postgresql": _postgresql,
}
"""By backend: the processes of its server that work for us, once we are connected."""


def _blocking(sizes: Sizes, backend: Backend, pids: Callable[[str], list[int]]) -> list[Figure]:
    provider = Instant()
    share = sizes.cycles * 5  # the clock of /proc ticks a hundred times a second
    with Engine(backend.build(), provider, pepper=PEPPER) as engine:

        def work(turn: int) -> None:
            cycles(engine, provider, numbers(range(turn * share, (turn + 1) * share)))

        return _costs(sizes, backend, pids, work, share, "1 client")


def _awaiting(sizes: Sizes, backend: Backend, pids: Callable[[str], list[int]]) -> list[Figure]:
    desk = AsyncDesk()
    share = sizes.cycles * 5

    with asyncio.Runner() as runner:

        async def made() -> AsyncEngine:
            return AsyncEngine(backend.build_async(), desk, pepper=PEPPER)

        engine = runner.run(made())

        def work(turn: int) -> None:
            people = numbers(range(10**8 + turn * share, 10**8 + (turn + 1) * share))
            runner.run(awaited_cycles(engine, desk, people, TASKS))

        try:
            return _costs(sizes, backend, pids, work, share, f"{TASKS} tasks")
        finally:
            runner.run(engine.close())


def _costs(
    sizes: Sizes, backend: Backend, pids: Callable[[str], list[int]], work: Callable[[int], None], share: int, who: str
) -> list[Figure]:
    work(10**4)  # connections, prepared statements, caches
    service: list[float] = []
    server: list[float] = []
    serving = pids(backend.url)
    for turn in range(sizes.pairs):
        before, server_before = process_time(), cpu_of(serving)
        work(turn)
        service.append((process_time() - before) / share * 1e6)
        server.append((cpu_of(serving) - server_before) / share * 1e6)
    what = f"CPU of one cycle on {backend.name}, {who}"
    return [
        Figure("", f"{what}: the service's process (information)", spread(service), "µs"),
        Figure("", f"{what}: the server (information)", spread(server), "µs"),
    ]
