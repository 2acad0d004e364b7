"""Carries the trips of `routes`, blocking: several commands at once, to several servers at once.

Rules of this file: no retry; a command that may have reached the server is never called unapplied.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redis import exceptions

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore_redis.routes import Answer, Command, Node, Parcel, Steps

__all__ = ["CLOSED", "Wire", "is_demoted", "unanswered", "unreachable"]

T = TypeVar("T")

CLOSED = "This store was closed; build a new one."


class Wire:
    """The connections of one process.

    Args:
        pool_of: makes the pool of a server, of connections that decode nothing and retry nothing.
    """

    def __init__(self, pool_of: Callable[[Node], Any]) -> None:
        self._pool_of = pool_of
        self._pools: dict[Node, Any] = {}
        self._closed = False

    def run(self, steps: Steps[T]) -> T:
        """What the steps come to.

        Raises:
            StoreUnavailable: the wire is closed, or what the steps raise.
        """
        if self._closed:
            raise StoreUnavailable(CLOSED)
        try:
            parcels = next(steps)
            while True:
                parcels = steps.send(self._carry(parcels))
        except StopIteration as end:
            found: T = end.value
            return found

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for pool in list(self._pools.values()):
            pool.disconnect()

    def _carry(self, parcels: Sequence[Parcel]) -> list[list[Answer]]:
        """Send all, then read all."""
        errands = [_errand(self._pool(node), commands) for node, commands in parcels]
        try:
            for errand in errands:
                next(errand)
            return [_end(errand) for errand in errands]
        finally:
            for errand in errands:
                errand.close()

    def _pool(self, node: Node) -> Any:
        pool = self._pools.get(node)
        if pool is None:
            pool = self._pools.setdefault(node, self._pool_of(node))
        return pool


def _errand(pool: Any, commands: Sequence[Command]) -> Generator[None, None, list[Answer]]:
    """One server's part of a trip: stops between sending and reading."""
    try:
        connection = pool.get_connection()
    except (exceptions.RedisError, OSError) as error:
        yield
        return [unreachable(error) for _ in commands]
    answers: list[Answer] = []
    broken = True
    try:
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        yield
        for _ in commands:
            try:
                answers.append(connection.read_response(disconnect_on_error=False))
            except (exceptions.ResponseError, exceptions.BusyLoadingError) as refused:
                answers.append(refused)
        broken = is_demoted(answers)
    except (exceptions.RedisError, OSError) as error:
        # those that were answered were; of the others nobody knows
        answers += [unanswered(error) for _ in commands[len(answers) :]]
    finally:
        if broken:  # also where an answer was not read, which would be the next caller's
            connection.disconnect()
            with suppress(exceptions.RedisError, OSError):  # what broke one has broken its neighbours
                pool.disconnect(inuse_connections=False)
        pool.release(connection)
    return answers


def _end(errand: Generator[None, None, list[Answer]]) -> list[Answer]:
    try:
        next(errand)
    except StopIteration as end:
        answers: list[Answer] = end.value
        return answers
    raise AssertionError("an errand stops once")


def is_demoted(answers: Sequence[Answer]) -> bool:
    """Whether a server says that it is a primary no longer; before Redis 7 a script says it inside another error."""
    return any(
        isinstance(each, exceptions.ReadOnlyError) or "-READONLY" in str(each)
        for each in answers
        if isinstance(each, Exception)
    )


def unreachable(error: Exception) -> StoreUnavailable:
    """No connection: nothing was sent."""
    return StoreUnavailable(f"Redis cannot be reached ({type(error).__name__}).")


def unanswered(error: Exception) -> CommitUnknown:
    """The connection broke: what was sent may be applied."""
    return CommitUnknown(f"Redis gave no answer ({type(error).__name__}).")
