"""Row 6: many tasks of one process, with and without putting their calls together.

Both sides are the same store; the other one's capability `batch` is hidden, so that each call goes by itself. It is
measured twice: what batching is, a decision of the store's (a load and a commit), which the goals are for; and, as
information, what is left of that in a cycle, whose other work does not get less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from otpcore.contract import Conflict, StoreCapabilities, Version, Versioned
from otpcore.engine import AsyncEngine
from otpcore.engine.terms import is_awaiting
from otpcore.engine.workers import awaited_store
from otpcore.ports import AsyncStore, Store
from tests.benchmarks.backends import BACKENDS, Backend
from tests.benchmarks.clients import AsyncDesk, awaited_cycles, dealt, tasks
from tests.benchmarks.cycle import GC_AT, PEPPER, CountingStore, live_record, numbers
from tests.benchmarks.measuring import Absent, Bound, Figure, Found, Side, Sizes, figure, in_turn
from tests.benchmarks.servers import Missing

__all__ = ["ROWS", "measure"]

ROWS: Final = ("6",)
TASKS: Final = 64

GOALS: Final[dict[str, Bound | None]] = {
    "redis": ("≥", 3.0),
    "postgresql": ("≥", 3.0),
    "mariadb": None,
    "sqlite-full": ("≥", 8.0),
    "tinydb": ("≥", 10.0),
}
"""By backend, for decisions; None for information."""


class _AsyncSingle:
    """An awaiting store whose calls go one by one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store, but for `batch`."""
        can: StoreCapabilities = replace(self._inner.capabilities, batch=False)
        return can

    async def load(self, key: str) -> Versioned | None:
        """Pass on."""
        found: Versioned | None = await self._inner.load(key)
        return found

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """Pass on."""
        answer: Version | Conflict = await self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        return answer

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """Pass on."""
        gone: int = await self._inner.sweep(before, limit=limit)
        return gone

    async def close(self) -> None:
        """Pass on."""
        await self._inner.close()


def _single(store: Store | AsyncStore) -> Store | AsyncStore:
    return _AsyncSingle(store) if is_awaiting(store, "commit") else CountingStore(cast("Store", store))


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure each backend that is here."""
    for name, goal in GOALS.items():
        say(f"{TASKS} tasks on {name}, batched and unbatched")
        try:
            with BACKENDS[name]() as backend, asyncio.Runner() as runner:
                yield _decisions(sizes, runner, backend, goal)
                yield _cycles(sizes, runner, backend)
        except Missing as missing:
            yield Absent("6", f"{TASKS} tasks on {name}, batched over unbatched", str(missing))


def _decisions(sizes: Sizes, runner: asyncio.Runner, backend: Backend, goal: Bound | None) -> Figure:
    share = TASKS * max(1, sizes.cycles * 4 // TASKS)
    keys = [f"tenant/r/{which:024}" for which in range(share)]
    record = live_record()

    async def stores() -> tuple[AsyncStore, AsyncStore]:
        return awaited_store(backend.build_async()), awaited_store(_single(backend.build_async()))

    async def work(store: AsyncStore, hand: Sequence[str]) -> None:
        for key in hand:
            found = await store.load(key)
            made = await store.commit(key, record, expect=found.version if found else None, gc_at=GC_AT)
            assert isinstance(made, str), made

    def side(store: AsyncStore) -> Side:
        return lambda _pair: runner.run(tasks(partial(work, store), dealt(keys, TASKS))) / share

    batched, unbatched = runner.run(stores())
    apart, together = _in_turn(sizes, side(unbatched), side(batched))
    for store in (batched, unbatched):
        runner.run(_closed(store))
    what = f"{TASKS} tasks on {backend.name}: loads and commits a second, batched over unbatched"
    return figure("6", what, apart, together, goal, names=("unbatched", "batched"))


def _cycles(sizes: Sizes, runner: asyncio.Runner, backend: Backend) -> Figure:
    desk = AsyncDesk()
    share = TASKS * max(1, sizes.cycles // TASKS)

    async def engines() -> tuple[AsyncEngine, AsyncEngine]:
        batched, unbatched = backend.build_async(), _single(backend.build_async())
        return AsyncEngine(batched, desk, pepper=PEPPER), AsyncEngine(unbatched, desk, pepper=PEPPER)

    def side(engine: AsyncEngine, first: int) -> Side:
        def measured(pair: int) -> float:
            people = numbers(range(first + pair * share, first + (pair + 1) * share))
            return runner.run(awaited_cycles(engine, desk, people, TASKS))

        return measured

    batched, unbatched = runner.run(engines())
    apart, together = _in_turn(sizes, side(unbatched, 10**4), side(batched, 10**8))
    for engine in (batched, unbatched):
        runner.run(engine.close())
    what = f"{TASKS} tasks on {backend.name}: cycles of the engine a second, batched over unbatched (information)"
    return figure("6", what, apart, together, None, names=("unbatched", "batched"))


def _in_turn(sizes: Sizes, *sides: Side) -> list[list[float]]:
    for one in sides:
        one(-1)  # connections, threads, prepared statements
    return in_turn(sizes.pairs, *sides)


async def _closed(store: AsyncStore) -> None:
    await store.close()
