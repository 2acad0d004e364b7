"""The bound of an awaiting engine whose callers run on several event loops: each keeps it, whoever else is there."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from otpcore.engine.aio_bounding import AsyncBounds
from otpcore.engine.bounding import Lane, NotStarted

LIMIT = 2
CALLERS = 40


class Crowd:
    """Callers of one loop that stay as long as they are held; `peak` is the most that were in at once."""

    def __init__(self, bounds: AsyncBounds) -> None:
        self.bounds = bounds
        self.loop = asyncio.new_event_loop()
        self.inside = self.peak = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.over = asyncio.Event()

    async def _call(self) -> None:
        try:
            async with self.bounds.enter("a", Lane.SEND, 0.02):
                self.inside += 1
                self.peak = max(self.peak, self.inside)
                await self.over.wait()
                self.inside -= 1
        except NotStarted:
            return

    async def _one_more(self) -> None:
        self.tasks.append(asyncio.create_task(self._call()))
        await asyncio.sleep(0)

    async def _end(self) -> None:
        self.over.set()
        await asyncio.gather(*self.tasks)

    def one_more(self) -> None:
        self.loop.run_until_complete(self._one_more())

    def end(self) -> None:
        self.loop.run_until_complete(self._end())
        self.loop.close()


def loops_that_take_turns() -> None:
    bounds = AsyncBounds(["a"], LIMIT)
    crowds = Crowd(bounds), Crowd(bounds)
    for _ in range(CALLERS // 2):
        for crowd in crowds:
            crowd.one_more()
    for crowd in crowds:
        crowd.end()
    assert [crowd.peak for crowd in crowds] == [LIMIT, LIMIT]


def test_loops_that_take_turns_keep_the_bound() -> None:
    loops_that_take_turns()


def test_loops_of_several_threads_keep_the_bound() -> None:
    bounds, latch = AsyncBounds(["a"], LIMIT), threading.Barrier(2)

    def run(_: int) -> int:
        crowd = Crowd(bounds)
        for _ in range(CALLERS):
            latch.wait(60)
            crowd.one_more()
        crowd.end()
        return crowd.peak

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, range(2))) == [LIMIT, LIMIT]


def test_the_places_of_a_loop_go_with_it() -> None:
    bounds = AsyncBounds(["a"], LIMIT)

    async def call() -> None:
        async with bounds.enter("a", Lane.SEND, 1.0):
            await asyncio.sleep(0)

    async def once() -> None:
        await asyncio.gather(*[call() for _ in range(2 * LIMIT)])  # who waits binds the semaphore to the loop

    for _ in range(20):
        asyncio.run(once())
    gc.collect()
    kept: Any = vars(bounds)["_free"]
    assert len(kept) <= 1
