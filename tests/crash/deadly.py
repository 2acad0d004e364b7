"""Stores of either colour whose user dies before or after its n-th commit; and the mutant that writes too late.

Rules of this file: the store behind it does the work; a death is SIGKILL.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn

from otpcore.contract import Conflict, StoreCapabilities, Version, Versioned
from otpcore.engine.terms import is_awaiting

__all__ = ["AsyncDeadlyStore", "DeadlyStore", "Deaths", "deadly", "die"]

Steps = Generator[Any, Any, Version | Conflict]
"""Calls of the store behind, made by either colour."""


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class Deaths:
    """Which commit kills.

    Args:
        before, after: the commit of this process that kills, before or after it; 0 for none.
        lazy: the mutant: a first commit is only kept in memory, and written with the second.
    """

    def __init__(self, *, before: int = 0, after: int = 0, lazy: bool = False) -> None:
        self._before = before
        self._after = after
        self._lazy = lazy
        self._commits = 0
        self._kept: Version | None = None

    def commit(self, store: Any, key: str, data: bytes | None, expect: Version | None, gc_at: datetime) -> Steps:
        self._commits += 1
        if self._commits == self._before:
            die()
        answer = yield from self._committed(store, key, data, expect, gc_at)
        if isinstance(answer, Conflict):
            self._commits -= 1  # a lost race writes nothing: the next one is the same step of the flow
        elif self._commits == self._after:
            die()
        return answer

    def _committed(self, store: Any, key: str, data: bytes | None, expect: Version | None, gc_at: datetime) -> Steps:
        if not self._lazy:
            answer: Version | Conflict = yield lambda: store.commit(key, data, expect=expect, gc_at=gc_at)
            return answer
        stands: Versioned | None = yield lambda: store.load(key)
        version = stands.version if stands is not None else None
        if self._kept is None:
            if version != expect:
                return Conflict(stands)
            self._kept = Version("only in memory")
            return self._kept
        self._kept = None
        late: Version | Conflict = yield lambda: store.commit(key, data, expect=version, gc_at=gc_at)
        return late


class DeadlyStore:
    """A blocking store whose user dies."""

    def __init__(self, store: Any, deaths: Deaths) -> None:
        self._store = store
        self._deaths = deaths

    @property
    def capabilities(self) -> StoreCapabilities:
        can: StoreCapabilities = self._store.capabilities
        return replace(can, batch=False)

    def load(self, key: str) -> Versioned | None:
        found: Versioned | None = self._store.load(key)
        return found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        steps, answer = self._deaths.commit(self._store, key, data, expect, gc_at), None
        try:
            while True:
                call: Callable[[], Any] = steps.send(answer)
                answer = call()
        except StopIteration as done:
            committed: Version | Conflict = done.value
            return committed

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        page: Sequence[tuple[str, Versioned]] = self._store.scan(after, limit)
        return page

    def sweep(self, before: datetime, *, limit: int) -> int:
        gone: int = self._store.sweep(before, limit=limit)
        return gone

    def close(self) -> None:
        self._store.close()


class AsyncDeadlyStore:
    """`DeadlyStore`, awaited."""

    def __init__(self, store: Any, deaths: Deaths) -> None:
        self._store = store
        self._deaths = deaths

    @property
    def capabilities(self) -> StoreCapabilities:
        can: StoreCapabilities = self._store.capabilities
        return replace(can, batch=False)

    async def load(self, key: str) -> Versioned | None:
        found: Versioned | None = await self._store.load(key)
        return found

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        steps, answer = self._deaths.commit(self._store, key, data, expect, gc_at), None
        try:
            while True:
                call: Callable[[], Any] = steps.send(answer)
                answer = await call()
        except StopIteration as done:
            committed: Version | Conflict = done.value
            return committed

    async def sweep(self, before: datetime, *, limit: int) -> int:
        gone: int = await self._store.sweep(before, limit=limit)
        return gone

    async def close(self) -> None:
        await self._store.close()


def deadly(store: Any, deaths: Deaths) -> Any:
    """The store of either colour."""
    return (AsyncDeadlyStore if is_awaiting(store, "commit") else DeadlyStore)(store, deaths)
