"""A store that fails when it is told to.

Rules of this file: it decides nothing else; between its faults it is the memory store.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from otpcore.contract import Conflict, Version, Versioned
from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.stores.memory import MemoryStore


class FailingStore(MemoryStore):
    """Fails when told to.

    Attributes:
        down_from: the number of the first call that fails, counted from when it was set; 0: none.
        lose: the number of the commit whose answer is lost.
        applied: whether that commit is applied.
        error: what a failing call raises.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down_from = self.lose = self.calls = self.commits = 0
        self.applied = True
        self.error: Exception = StoreUnavailable("down")

    def told(self, **settings: Any) -> None:
        self.calls = self.commits = self.down_from = self.lose = 0
        vars(self).update(settings)

    def _fail(self) -> None:
        self.calls += 1
        if self.down_from and self.calls >= self.down_from:
            raise self.error

    def load(self, key: str) -> Versioned | None:
        self._fail()
        return super().load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        self._fail()
        self.commits += 1
        if self.commits != self.lose:
            return super().commit(key, data, expect=expect, gc_at=gc_at)
        if self.applied:
            super().commit(key, data, expect=expect, gc_at=gc_at)
        raise CommitUnknown
