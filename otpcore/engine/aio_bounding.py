"""How many calls of one provider may be under way at once, awaiting: the twin of `otpcore.engine.bounding`.

Rules of this file: as for `otpcore.engine.bounding`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from time import monotonic

from otpcore.engine.bounding import REPORTS, Lane, NotStarted, patience

__all__ = ["AsyncBounds"]


class _Place:
    """Held for the length of a call; gives the seconds that are left of its deadline, or raises NotStarted."""

    __slots__ = ("_free", "_timeout_s")

    def __init__(self, free: asyncio.Semaphore, timeout_s: float) -> None:
        self._free = free
        self._timeout_s = timeout_s

    async def __aenter__(self) -> float:
        if not self._free.locked():
            await self._free.acquire()  # there is a place, so it does not wait
            return self._timeout_s
        began = monotonic()
        try:
            async with asyncio.timeout(patience(self._timeout_s)):
                await self._free.acquire()
        except TimeoutError:
            raise NotStarted from None
        return self._timeout_s - (monotonic() - began)

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


class AsyncBounds:
    """The places at each provider, for tasks of one event loop at a time; the twin of `Bounds`."""

    def __init__(self, providers: Iterable[str], limit: int) -> None:
        self._providers = tuple(providers)
        self._limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: dict[tuple[str, Lane], asyncio.Semaphore] = {}

    def enter(self, provider: str, lane: Lane, timeout_s: float) -> AbstractAsyncContextManager[float]:
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
        return _Place(self._free[provider, lane], timeout_s)
