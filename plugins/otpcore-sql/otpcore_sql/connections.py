"""The connections of one process, kept between calls: the last one given back is the first one taken.

SQLAlchemy's pool costs as much as a row of SQLite does (5 µs a turn on an idle machine, twice for a load and a commit).
So it opens the connections, and they are kept here.

Rules of this file: who has which connection; nothing of what is asked on it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

from otpcore.errors import StoreUnavailable

__all__ = ["ALL_TAKEN", "LEFT", "Connections", "drop"]

ALL_TAKEN: Final = "All connections of this process are in use, and none came free."

LEFT: Final[list[Any]] = []
"""Connections of the parent of this process: closed here, or collected, they would say goodbye for it."""


class Connections:
    """At most so many at once; who comes when all are taken waits for one.

    Args:
        connect: opens one.
        is_stale: whether one that lay idle is of no use.
        limit: of connections.
        timeout_s: to wait for one.
    """

    def __init__(
        self, connect: Callable[[], Any], is_stale: Callable[[Any], bool], *, limit: int, timeout_s: float
    ) -> None:
        self._connect = connect
        self._is_stale = is_stale
        self._limit = limit
        self._timeout_s = timeout_s
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._idle: list[Any] = []
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._limit):
            self._room.put(None)

    def take(self) -> Any:
        """A connection on which nothing is known to be wrong.

        Raises:
            StoreUnavailable: all are in use; or what `connect` raises.
        """
        try:
            self._room.get(timeout=self._timeout_s)
        except Empty:
            raise StoreUnavailable(ALL_TAKEN) from None
        try:
            while True:
                try:
                    connection = self._idle.pop()
                except IndexError:
                    return self._connect()
                if not self._is_stale(connection):
                    return connection
                drop(connection)
        except BaseException:
            self._room.put(None)
            raise

    def give(self, connection: Any, *, sound: bool) -> None:
        """Give one back; one that is not sound is closed."""
        if sound and not self._closed:
            self._idle.append(connection)
        else:
            drop(connection)
        self._room.put(None)

    def close(self) -> None:
        """Close what is idle, and what is given back from now on."""
        self._closed = True
        while self._idle:
            drop(self._idle.pop())

    def after_fork(self) -> None:
        """In a child: begin anew."""
        LEFT.extend(self._idle)
        self._begin()


def drop(connection: Any) -> None:
    """Close it, whatever its state."""
    with suppress(Exception):  # it may be lost
        connection.close()
