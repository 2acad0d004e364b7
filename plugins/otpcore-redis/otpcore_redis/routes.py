"""Which command goes to which server, and whether enough replicas have what it wrote.

A route is written once, as a generator of trips: it yields what is to be sent where and is given the answers. `wire`
and `aio` carry the trips, blocking and awaited.

Rules of this file: no I/O; nothing is sent a second time unless a server said that it did not do it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from otpcore.errors import StoreError, StoreUnavailable
from otpcore_redis import script

__all__ = ["Answer", "Command", "Node", "Parcel", "Route", "Short", "Steps", "caused"]

T = TypeVar("T")
E = TypeVar("E", bound=StoreError)

Command = tuple[bytes | str, ...]

Node = tuple[str, int] | None
"""Host and port; None: the one server, or the primary that the sentinels name."""

Parcel = tuple[Node, Sequence[Command]]
"""What goes to one server together."""

Answer = Any
"""What a server answered: bytes, an integer, None or a list; an error of its own, as a value; or, where the connection
failed, StoreUnavailable (nothing was sent) or CommitUnknown (something may have been)."""

Steps = Generator[Sequence[Parcel], Sequence[Sequence[Answer]], T]
"""Trips, one after another; each is answered parcel by parcel, command by command."""


@dataclass(frozen=True, slots=True)
class Short:
    """An answer that fewer replicas stand behind than were asked for."""

    answer: Answer


class Route:
    """One server, however it is found.

    Args:
        replicas: how many must have what was written before it counts; 0: nobody is waited for.
        wait_ms: how long they have.
    """

    def __init__(self, *, replicas: int = 0, wait_ms: int = 1000) -> None:
        self.replicas = replicas
        self._wait: Command = (b"WAIT", b"%d" % replicas, b"%d" % wait_ms)
        # Servers with a write that too few replicas have, or nobody knows. What is read there may be lost yet, so until
        # WAIT says otherwise, a load waits too: else who looks for its own mark would find it, and take it for kept.
        # Since Redis 7.2 WAIT looks at what its own connection wrote, and at nothing else: so it writes before.
        self._doubted: dict[Node, object] = {}

    def places(self) -> Steps[Sequence[Node]]:
        """Every server that has records of its own.

        Raises:
            StoreUnavailable: nobody knows.
        """
        yield from ()
        return (None,)

    def send(self, keys: Sequence[str | bytes], commands: Sequence[Command], *, writes: bool) -> Steps[list[Answer]]:
        """The answers to commands, each of one key; at the same place of `keys`."""
        del keys  # all of them are here
        (answers,) = yield from self._deliver([(None, commands)], writes=writes)
        return answers

    def _deliver(self, parcels: Sequence[Parcel], *, writes: bool) -> Steps[list[list[Answer]]]:
        """One trip. WAIT goes with it where replicas are asked for: after a write, and where there is doubt."""
        if not self.replicas:
            return [list(each) for each in (yield parcels)]
        doubts = [self._doubted.get(node) for node, _ in parcels]
        waits = [writes or doubt is not None for doubt in doubts]
        waiting = [
            (node, [*commands, *(() if doubt is None else (_touch(commands[-1]),)), self._wait] if waited else commands)
            for (node, commands), waited, doubt in zip(parcels, waits, doubts, strict=True)
        ]
        found: list[list[Answer]] = []
        for (node, _), waited, doubt, each in zip(parcels, waits, doubts, (yield waiting), strict=True):
            own = list(each)
            if doubt is not None and isinstance(touched := own.pop(-2), Exception):
                own[-1] = touched  # what it did not write it did not wait for
            found.append(self._judged(node, own, doubt) if waited else own)
        return found

    def _judged(self, node: Node, answers: Sequence[Answer], doubt: object) -> list[Answer]:
        *own, acknowledged = answers
        if isinstance(acknowledged, int) and acknowledged >= self.replicas:
            if self._doubted.get(node) is doubt:  # a newer doubt than this trip's is not answered by it
                self._doubted.pop(node, None)
            return own
        if not isinstance(acknowledged, StoreUnavailable):
            self._doubted[node] = object()
        return [each if isinstance(each, Exception) else Short(each) for each in own]


def caused(error: E, cause: BaseException | None) -> E:
    """The error with what it comes from: as `raise … from` would have it, for one that is an answer."""
    error.__cause__ = cause
    return error


def _touch(command: Command) -> Command:
    """A write to the record of a command that changes nothing."""
    key = command[1 if command[0] == b"GET" else 3]
    return b"EVAL", script.TOUCH, b"1", key
