"""A store that fails when it is told to.

Rules of this file: it decides nothing else; between its faults it is the store behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from otpcore.contract import Conflict, StoreCapabilities, Version, Versioned
from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.stores.memory import MemoryStore


class FailingStore:
    """Fails when told to.

    Args:
        inner: a blocking store; a memory store where none is given.

    Attributes:
        down_from: the number of the first call that fails, counted from when it was set; 0: none.
        lose: the number of the commit whose answer is lost.
        applied: whether that commit is applied.
        error: what a failing call raises; None: it is swallowed, which is a defect, and nothing is done.
    """

    def __init__(self, inner: Any = None) -> None:
        self._inner: Any = inner or MemoryStore()
        self.down_from = self.lose = self.calls = self.commits = 0
        self.applied = True
        self.error: Exception | None = StoreUnavailable("down")

    def told(self, **settings: Any) -> None:
        """From now on."""
        self.calls = self.commits = self.down_from = self.lose = 0
        vars(self).update(settings)

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        can: StoreCapabilities = self._inner.capabilities
        return replace(can, batch=False)

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        self._fails()
        found: Versioned | None = self._inner.load(key)
        return found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        if self._fails():
            return Version("of nothing")
        self.commits += 1
        if self.commits == self.lose and not self.applied:
            raise CommitUnknown
        answer: Version | Conflict = self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        if self.commits == self.lose:
            raise CommitUnknown
        return answer

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        gone: int = self._inner.sweep(before, limit=limit)
        return gone

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`."""
        page: Sequence[tuple[str, Versioned]] = self._inner.scan(after, limit)
        return page

    def close(self) -> None:
        """See `Store.close`."""
        self._inner.close()

    def _fails(self) -> bool:
        self.calls += 1
        fails = 0 < self.down_from <= self.calls
        if fails and self.error is not None:
            raise self.error
        return fails
