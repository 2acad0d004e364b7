"""How many calls of one provider may be under way at once, awaiting: the twin of `otpcore.engine.bounding`.

Rules of this file: as for `otpcore.engine.bounding`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from otpcore.engine.bounding import REPORTS, Lane, NotStarted, patience

__all__ = ["AsyncBounds"]


class AsyncBounds:
    """The places at each provider, for tasks of one event loop at a time; the twin of `Bounds`."""

    def __init__(self, providers: Iterable[str], limit: int) -> None:
        self._providers = tuple(providers)
        self._limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: dict[tuple[str, Lane], asyncio.Semaphore] = {}

    @asynccontextmanager
    async def enter(self, provider: str, lane: Lane, timeout_s: float) -> AsyncGenerator[float]:
        """Hold a place for the length of a call; gives the seconds that are left of its deadline.

        Raises:
            NotStarted: there was none in time.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # the tasks of another loop are over with it
            self._loop = loop
            self._free = {
                (name, each): asyncio.Semaphore(REPORTS if each is Lane.REPORT else self._limit)
                for name in self._providers
                for each in Lane
            }
        free = self._free[provider, lane]
        left = timeout_s
        if free.locked():
            began = loop.time()
            try:
                async with asyncio.timeout(patience(timeout_s)):
                    await free.acquire()
            except TimeoutError:
                raise NotStarted from None
            left -= loop.time() - began
        else:
            await free.acquire()  # there is a place, so it does not wait
        try:
            yield left
        finally:
            free.release()
