"""Row 6: many tasks of one process, with and without putting their calls together.

Both sides are the same store; the other one's capability `batch` is hidden, so that each call goes by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from otpcore.contract import Conflict, StoreCapabilities, Version, Versioned
from otpcore.engine import AsyncEngine
from otpcore.engine.terms import is_awaiting
from otpcore.ports import AsyncStore, Store
from tests.benchmarks.backends import BACKENDS, Backend
from tests.benchmarks.clients import AsyncDesk, awaited_cycles
from tests.benchmarks.cycle import PEPPER, numbers
from tests.benchmarks.measuring import Absent, Bound, Figure, Found, Sizes, figure, in_turn
from tests.benchmarks.servers import Missing

__all__ = ["ROWS", "measure"]

ROWS: Final = ("6",)
TASKS: Final = 64

GOALS: Final[dict[str, Bound | None]] = {
    "redis": ("≥", 3.0),
    "tinydb": ("≥", 10.0),
}
"""By backend; None for information."""


class _Single:
    """A blocking store whose calls go one by one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store, but for `batch`."""
        return _without_batch(self._inner.capabilities)

    def load(self, key: str) -> Versioned | None:
        """Pass on."""
        found: Versioned | None = self._inner.load(key)
        return found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """Pass on."""
        answer: Version | Conflict = self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        return answer

    def sweep(self, before: datetime, *, limit: int) -> int:
        """Pass on."""
        gone: int = self._inner.sweep(before, limit=limit)
        return gone

    def close(self) -> None:
        """Pass on."""
        self._inner.close()


class _AsyncSingle:
    """An awaiting store whose calls go one by one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store, but for `batch`."""
        return _without_batch(self._inner.capabilities)

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


def _without_batch(can: StoreCapabilities) -> StoreCapabilities:
    return StoreCapabilities(can.durability, can.multi_process, can.shared, can.max_bytes, False, can.blocking_io)


def _single(store: Store | AsyncStore) -> Store | AsyncStore:
    return _AsyncSingle(store) if is_awaiting(store, "commit") else _Single(store)


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure each backend that is here."""
    for name, goal in GOALS.items():
        say(f"{TASKS} tasks on {name}, batched and unbatched")
        try:
            with BACKENDS[name]() as backend, asyncio.Runner() as runner:
                yield _ratio(sizes, runner, backend, goal)
        except Missing as missing:
            yield Absent("6", f"{TASKS} tasks on {name}, batched over unbatched", str(missing))


def _ratio(sizes: Sizes, runner: asyncio.Runner, backend: Backend, goal: Bound | None) -> Figure:
    desk = AsyncDesk()

    async def engines() -> tuple[AsyncEngine, AsyncEngine]:
        batched, unbatched = backend.build_async(), _single(backend.build_async())
        return AsyncEngine(batched, desk, pepper=PEPPER), AsyncEngine(unbatched, desk, pepper=PEPPER)

    batched, unbatched = runner.run(engines())
    share = TASKS * max(1, sizes.cycles // TASKS)

    def side(engine: AsyncEngine, first: int) -> Callable[[int], float]:
        def measured(pair: int) -> float:
            people = numbers(range(first + pair * share, first + (pair + 1) * share))
            return runner.run(awaited_cycles(engine, desk, people, TASKS))

        return measured

    sides = (side(unbatched, 0), side(batched, 10**8))
    for one in sides:
        one(10**5)  # connections, threads, prepared statements
    try:
        apart, together = in_turn(sizes.pairs, *sides)
    finally:
        for engine in (batched, unbatched):
            runner.run(engine.close())
    what = f"{TASKS} tasks on {backend.name}: cycles a second, batched over unbatched"
    return figure("6", what, apart, together, goal, names=("unbatched", "batched"))
