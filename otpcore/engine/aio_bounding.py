"""How many calls of one provider may be under way at once, awaiting: the twin of `otpcore.engine.bounding`.

Rules of this file: as for `otpcore.engine.bounding`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from threading import Lock
from time import monotonic
from typing import TypeAlias
from weakref import WeakKeyDictionary

from otpcore.engine.bounding import REPORTS, Lane, NotStarted, patience

__all__ = ["AsyncBounds"]

Places: TypeAlias = Mapping[tuple[str, Lane], asyncio.Semaphore]


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
    """The places at each provider, for the tasks of an event loop; the twin of `Bounds`.

    A semaphore is of one loop, so each loop has places of its own, for as long as it lives.
    """

    def __init__(self, providers: Iterable[str], limit: int) -> None:
        self._providers = tuple(providers)
        self._limit = limit
        self._free = WeakKeyDictionary[asyncio.AbstractEventLoop, Places]()
        self._making = Lock()

    def enter(self, provider: str, lane: Lane, timeout_s: float) -> AbstractAsyncContextManager[float]:
        """Hold a place for the length of a call; gives the seconds that are left of its deadline.

        Raises:
            NotStarted: there was none in time.
        """
        loop = asyncio.get_running_loop()
        free = self._free.get(loop)
        if free is None:  # no other thread runs this loop
            free = self._places(loop)
        return _Place(free[provider, lane], timeout_s)

    def _places(self, loop: asyncio.AbstractEventLoop) -> Places:
        places = {
            (name, each): asyncio.Semaphore(REPORTS if each is Lane.REPORT else self._limit)
            for name in self._providers
            for each in Lane
        }
        with self._making:
            for over in [each for each in self._free if each.is_closed()]:
                del self._free[over]  # a semaphore that was waited for holds its loop, so that one never goes by itself
            self._free[loop] = places
        return places
