"""What goes over a connection, blocking: several commands at once, and which of its failures means what.

Rules of this file: no retry; a command that may have reached the server is never called unapplied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import exceptions
from redis.connection import ConnectionPool

from otpcore.errors import CommitUnknown, StoreError, StoreFull, StoreUnavailable

__all__ = ["Answer", "Command", "exchange", "refusal", "unanswered", "unreachable"]

Command = tuple[bytes | str, ...]
Answer = Any
"""What Redis answered: bytes, an integer, None or a list; or an error of its own, as a value."""


def exchange(pool: ConnectionPool, commands: Sequence[Command]) -> list[Answer]:
    """Send all, then read all; one round trip.

    Raises:
        StoreUnavailable: no connection; nothing was sent.
        CommitUnknown: the connection broke after something was sent.
    """
    from_pool: Any = pool  # its methods have no types
    try:
        connection: Any = from_pool.get_connection()
    except (exceptions.RedisError, OSError) as error:
        raise unreachable(error) from error
    answers: list[Answer] = []
    try:
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        for _ in commands:
            try:
                answers.append(connection.read_response())
            except exceptions.ResponseError as refused:
                answers.append(refused)
    except (exceptions.RedisError, OSError) as error:
        connection.disconnect()
        raise unanswered(error) from error
    except BaseException:
        connection.disconnect()  # an answer that nobody read would be the next caller's
        raise
    finally:
        from_pool.release(connection)
    return answers


def unreachable(error: Exception) -> StoreUnavailable:
    """No connection: nothing was sent."""
    return StoreUnavailable(f"Redis cannot be reached ({type(error).__name__}).")


def unanswered(error: Exception) -> CommitUnknown:
    """The connection broke: what was sent may be applied."""
    return CommitUnknown(f"Redis gave no answer ({type(error).__name__}).")


def refusal(error: exceptions.ResponseError) -> StoreError:
    """What the server's refusal of a command means; certainly nothing was applied."""
    if isinstance(error, exceptions.OutOfMemoryError):
        return StoreFull("Redis has no memory left: give it more (maxmemory). It must not make room by itself.")
    return StoreUnavailable(f"Redis refused a command ({str(error).partition(' ')[0][:40]}).")
