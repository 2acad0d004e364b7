"""Carries the trips of `routes`, blocking: several commands at once, to several servers at once.

Rules of this file: no retry; a command that may have reached the server is never called unapplied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import hiredis
from redis import exceptions

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore_redis.connections import Connections
from otpcore_redis.routes import Answer, Command, Node, Parcel, Steps, caused

__all__ = ["CLOSED", "Wire", "filled", "is_demoted", "packed", "unanswered", "unreachable"]

T = TypeVar("T")

CLOSED = "This store was closed; build a new one."

UNTYPED: Any = hiredis  # its types say that a command is one word


class Wire:
    """The connections of one process.

    Args:
        pool_of: makes the pool of a server, of connections that decode nothing and retry nothing.
    """

    def __init__(self, pool_of: Callable[[Node], Connections]) -> None:
        self._pool_of = pool_of
        self._pools: dict[Node, Connections] = {}
        self._closed = False

    def run(self, steps: Steps[T]) -> T:
        """What the steps come to.

        Raises:
            StoreUnavailable: the wire is closed, or what the steps raise.
        """
        if self._closed:
            raise StoreUnavailable(CLOSED)
        answers: Any = None
        while True:
            try:
                parcels = steps.send(answers)
            except StopIteration as end:
                found: T = end.value
                return found
            answers = self._carry(parcels)

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for pool in list(self._pools.values()):
            pool.close()

    def _carry(self, parcels: Sequence[Parcel]) -> list[list[Answer]]:
        """Send all, then read all."""
        errands = [_Errand(self._pool(node), commands) for node, commands in parcels]
        try:
            for errand in errands:
                errand.send()
            return [errand.read() for errand in errands]
        finally:
            for errand in errands:
                errand.end()

    def _pool(self, node: Node) -> Connections:
        pool = self._pools.get(node)
        if pool is None:
            pool = self._pools.setdefault(node, self._pool_of(node))
        return pool


class _Errand:
    """One server's part of a trip."""

    __slots__ = ("_commands", "_connection", "_is_sound", "_lost", "_pool")

    def __init__(self, pool: Connections, commands: Sequence[Command]) -> None:
        self._pool = pool
        self._commands = commands
        self._connection: Any = None
        self._lost: StoreUnavailable | CommitUnknown | None = None
        self._is_sound = False  # until every answer is read: one that is not would be the next caller's

    def send(self) -> None:
        try:
            self._connection = self._pool.take()
        except (exceptions.RedisError, OSError) as error:
            self._lost = unreachable(error)
            return
        try:
            self._connection.send_packed_command([packed(self._commands)], check_health=False)
        except (exceptions.RedisError, OSError) as error:
            self._lost = unanswered(error)

    def read(self) -> list[Answer]:
        answers: list[Answer] = []
        try:
            while self._lost is None and len(answers) < len(self._commands):
                try:
                    answers.append(self._connection.read_response(disconnect_on_error=False))
                except (exceptions.ResponseError, exceptions.BusyLoadingError) as refused:
                    answers.append(refused)
        except (exceptions.RedisError, OSError) as error:
            self._lost = unanswered(error)
        self._is_sound = self._lost is None and not is_demoted(answers)
        return filled(answers, self._commands, self._lost)

    def end(self) -> None:
        if self._connection is not None:
            self._pool.give(self._connection, sound=self._is_sound)


def packed(commands: Sequence[Command]) -> bytes:
    """Commands as they go over the wire."""
    return b"".join(map(UNTYPED.pack_command, commands))


def filled(
    answers: list[Answer], commands: Sequence[Command], lost: StoreUnavailable | CommitUnknown | None
) -> list[Answer]:
    """The answers, and for each command that has none what became of the connection."""
    if lost is None:
        return answers
    return answers + [caused(type(lost)(str(lost)), lost.__cause__) for _ in commands[len(answers) :]]


def is_demoted(answers: Sequence[Answer]) -> bool:
    """Whether a server says that it is a primary no longer; before Redis 7 a script says it inside another error."""
    return any(
        isinstance(each, exceptions.ReadOnlyError) or "-READONLY" in str(each)
        for each in answers
        if isinstance(each, Exception)
    )


def unreachable(error: Exception) -> StoreUnavailable:
    """No connection: nothing was sent."""
    return caused(StoreUnavailable(f"Redis cannot be reached ({type(error).__name__})."), error)


def unanswered(error: Exception) -> CommitUnknown:
    """The connection broke: what was sent may be applied."""
    return caused(CommitUnknown(f"Redis gave no answer ({type(error).__name__})."), error)
