"""What each process opens for itself: connections do not survive a fork.

Rules of this file: no lock, which a fork could inherit locked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["PerProcess"]

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A pool, a session: one for each process, made at its first use there.

    What a fork inherited is the parent's, and is neither used nor closed in the child.
    """

    def __init__(self) -> None:
        self._made: dict[int, T] = {}

    def get(self, make: Callable[[], T]) -> T:
        """That of this process. Two threads may race to make it: one is then dropped unused."""
        found = self._made.get(os.getpid())
        return self._made.setdefault(os.getpid(), make()) if found is None else found

    def take(self) -> T | None:
        """That of this process, to be closed; the next `get` makes another. None: there is none."""
        return self._made.pop(os.getpid(), None)
