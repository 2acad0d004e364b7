"""How many calls of one provider may be under way at once: its sends, its checks and its reports each by themselves.

A provider that hangs keeps as many callers as it may have, and no more: whoever comes then waits a little, inside of
the call's own deadline, and is told that nothing was sent. Sends that hang hold up no check, and one provider no other.

Rules of this file: who may go, and nothing of what is done. The twin is `otpcore.engine.aio_bounding`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager
from enum import Enum
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

__all__ = ["CONCURRENCY", "LARGEST", "REPORTS", "WAIT_S", "Bounds", "Lane", "NotStarted", "patience"]

CONCURRENCY: Final = 64
"""Calls of one provider at once, unless an engine says otherwise: about what vendors allow an account in a second."""

REPORTS: Final = 8
"""Apart from the others, and fewer: a report keeps an approval waiting, and must not queue behind sends."""

LARGEST: Final = 10_000
"""Nobody has more threads or connections than this."""

WAIT_S: Final = 0.25
"""Most seconds that a call waits for others to end: a person does not notice it, and a burst is over by then."""


class NotStarted(Exception):
    """No place was free in time, or the engine closed, while the call waited for one: it was certainly not made."""


class Lane(Enum):
    """Calls that are counted together."""

    SEND = 1
    CHECK = 2
    REPORT = 3


def patience(timeout_s: float) -> float:
    """How long a call of this deadline waits for a place; the better part of it is the provider's."""
    return min(WAIT_S, timeout_s / 2)


class _Place:
    """Held for the length of a call; gives the seconds that are left of its deadline, or raises NotStarted."""

    __slots__ = ("_free", "_timeout_s")

    def __init__(self, free: SimpleQueue[None], timeout_s: float) -> None:
        self._free = free
        self._timeout_s = timeout_s

    def __enter__(self) -> float:
        try:
            self._free.get(block=False)
        except Empty:
            return self._wait()
        return self._timeout_s

    def _wait(self) -> float:
        began = monotonic()
        try:
            self._free.get(timeout=patience(self._timeout_s))
        except Empty:
            raise NotStarted from None
        return self._timeout_s - (monotonic() - began)

    def __exit__(self, *_: object) -> None:
        self._free.put(None)


class Bounds:
    """The places at each provider, for callers of several threads.

    Args:
        providers: their names.
        limit: sends at once of each, and checks.
    """

    def __init__(self, providers: Iterable[str], limit: int) -> None:
        self._providers = tuple(providers)
        self._limit = limit
        self.reset()
        _made.add(self)

    def reset(self) -> None:
        """Nobody is here: at first, and in a forked child, which has none of its parent's threads."""
        self._free = {(name, lane): self._places(lane) for name in self._providers for lane in Lane}

    def _places(self, lane: Lane) -> SimpleQueue[None]:
        free = SimpleQueue[None]()  # a semaphore that takes a tenth of the time
        for _ in range(REPORTS if lane is Lane.REPORT else self._limit):
            free.put(None)
        return free

    def enter(self, provider: str, lane: Lane, timeout_s: float) -> AbstractContextManager[float]:
        """Hold a place for the length of a call; gives the seconds that are left of its deadline.

        Raises:
            NotStarted: there was none in time.
        """
        return _Place(self._free[provider, lane], timeout_s)


_made: weakref.WeakSet[Bounds] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for each in list(_made):
        each.reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
