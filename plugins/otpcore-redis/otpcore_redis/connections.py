"""The connections of one process to one server, kept between calls: the last one given back is the first one taken.

redis-py's pool costs nearly as much as the trip that is made on one (8 µs of CPU a turn, where a trip takes 10): it
counts for metrics that nobody reads here.

Rules of this file: who has which connection; nothing of what is asked on it.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from redis.connection import Connection
from redis.exceptions import ConnectionError as BrokenConnection
from redis.exceptions import RedisError

__all__ = ["Connections"]


class Connections:
    """At most so many at once; who comes when all are taken waits for one. Takes what redis-py's pools take.

    Args:
        connection_class: of redis-py.
        max_connections: so many.
        timeout: seconds to wait for one.
        **terms: what each is made with.
    """

    def __init__(
        self, *, connection_class: type[Any] = Connection, max_connections: int, timeout: float, **terms: Any
    ) -> None:
        self._make = connection_class
        self._terms = terms
        self._limit = max_connections
        self._timeout = timeout
        self._closed = False
        self._begin()
        _OPEN.add(self)

    def _begin(self) -> None:
        self._idle: list[Any] = []
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._limit):
            self._room.put(None)

    def take(self) -> Any:
        """A connection on which nothing is known to be wrong, and no answer waits.

        Raises:
            redis.exceptions.RedisError, OSError: there is none, or all are in use.
        """
        try:
            self._room.get(timeout=self._timeout)
        except Empty:
            raise BrokenConnection("all connections of this process are in use, and none came free") from None
        try:
            while True:
                try:
                    connection = self._idle.pop()
                except IndexError:
                    return self._connected()
                if not _is_stale(connection):
                    return connection
                connection.disconnect()
        except BaseException:
            self._room.put(None)
            raise

    def make_connection(self) -> Any:
        """One that is neither connected nor counted, as redis-py's pools have it.

        Raises:
            TypeError: a term that connections do not know.
        """
        return self._make(**self._terms)

    def _connected(self) -> Any:
        connection = self.make_connection()
        connection.connect()
        return connection

    def give(self, connection: Any, *, sound: bool) -> None:
        """Give one back. One that is not sound is closed, and so is what is idle: what broke one broke the others."""
        if sound and not self._closed:
            self._idle.append(connection)
        else:
            connection.disconnect()
            self._drop()
        self._room.put(None)

    def close(self) -> None:
        """Close what is idle, and what is given back from now on."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().disconnect()

    def after_fork(self) -> None:
        """In a child: begin anew. redis-py sees that the connections are the parent's, and ends none of them."""
        self._begin()


def _is_stale(connection: Any) -> bool:
    """Whether the server has hung up, or said what nobody asked: an answer to somebody who gave up."""
    try:
        return bool(connection.can_read())
    except (RedisError, OSError):
        return True


_OPEN: weakref.WeakSet[Connections] = weakref.WeakSet()


def _in_child() -> None:
    for each in list(_OPEN):
        each.after_fork()


os.register_at_fork(after_in_child=_in_child)
