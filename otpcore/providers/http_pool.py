"""The connections that a wire keeps between its calls, in both colours.

The pools of httpcore look at every connection for every idle one, twice a call (1.0.9): after 128 calls at once, the
next 128 took longer than their deadline. And a connection that a cancelled call was given keeps its place in them for
ever. So only the connections are httpcore's; which is next is found without looking at all of them.

Rules of this file: a call has a connection for itself alone, and gives it back or closes it, however it ends. How one
connects is in `http_transport` and `http_aio`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Generic, TypeVar

import httpcore

from otpcore.providers.http_attempt import CONNECTIONS, current_attempt

__all__ = ["AsyncPool", "Pool"]

C = TypeVar("C", bound=httpcore.HTTPConnection | httpcore.AsyncHTTPConnection)


class _Connections(Generic[C]):
    """Those of one pool; no I/O. Safe for threads.

    Args:
        make: a connection that connects at its first call.
    """

    def __init__(self, make: Callable[[httpcore.Origin], C]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._idle: list[C] = []  # the one that was used last is at the end, and is the next
        self._used: set[C] = set()
        self._ended = False

    def take(self, origin: httpcore.Origin) -> tuple[C, list[C]]:
        """A connection to this origin, and those that are to be closed: idle for too long, or ended by their server."""
        over: list[C] = []
        with self._lock:
            while self._idle and self._idle[0].has_expired():
                over.append(self._idle.pop(0))
            for at in reversed(range(len(self._idle))):
                if self._idle[at].can_handle_request(origin):
                    found = self._idle.pop(at)
                    if not found.has_expired():
                        break
                    over.append(found)
            else:
                found = self._make(origin)
            self._used.add(found)
        return found, over

    def give_back(self, connection: C) -> bool:
        """After a call: whether it is kept for another. Else it is to be closed."""
        with self._lock:
            self._used.discard(connection)
            fit = connection.is_idle() and not connection.is_closed()
            kept = fit and not self._ended and len(self._idle) < CONNECTIONS
            if kept:
                self._idle.append(connection)
        return kept

    def end(self) -> list[C]:
        """All, to be closed; what is given back later is not kept."""
        with self._lock:
            self._ended = True
            found = [*self._idle, *self._used]
            self._idle.clear()
        return found


class Pool:
    """Connections for the threads of one process.

    Args:
        make: a connection that connects at its first call.
    """

    def __init__(self, make: Callable[[httpcore.Origin], httpcore.HTTPConnection]) -> None:
        self._connections = _Connections(make)
        self._places = threading.BoundedSemaphore(CONNECTIONS)

    @contextlib.contextmanager
    def stream(self, **arguments: Any) -> Generator[httpcore.Response]:
        """See `httpcore.ConnectionPool.stream`. TimeoutError: there was no place before the attempt's end."""
        if not self._places.acquire(timeout=current_attempt().remaining_s()):
            raise TimeoutError
        try:
            connection, over = self._connections.take(arguments["url"].origin)
            try:
                for each in over:
                    each.close()
                with connection.stream(**arguments) as response:
                    yield response
            finally:
                if not self._connections.give_back(connection):
                    connection.close()
        finally:
            self._places.release()

    def close(self) -> None:
        """Close all, those in use too: who waits for one hears of it."""
        for each in self._connections.end():
            each.close()


class AsyncPool:
    """`Pool` for the tasks of one event loop."""

    def __init__(self, make: Callable[[httpcore.Origin], httpcore.AsyncHTTPConnection]) -> None:
        self._connections = _Connections(make)
        self._places = asyncio.Semaphore(CONNECTIONS)

    @contextlib.asynccontextmanager
    async def stream(self, **arguments: Any) -> AsyncGenerator[httpcore.Response]:
        """See `Pool.stream`; the deadline is the task's."""
        async with self._places:
            connection, over = self._connections.take(arguments["url"].origin)
            try:
                await _close(over)
                async with connection.stream(**arguments) as response:
                    yield response
            finally:
                if not self._connections.give_back(connection):
                    await connection.aclose()

    async def aclose(self) -> None:
        """See `Pool.close`."""
        await _close(self._connections.end())


async def _close(connections: list[httpcore.AsyncHTTPConnection]) -> None:
    """Close them all, also when the task is cancelled meanwhile."""
    if connections:
        await asyncio.shield(asyncio.gather(*(each.aclose() for each in connections), return_exceptions=True))
