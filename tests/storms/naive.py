"""The control of every storm: any store, without its guard.

On a busy machine the first of many may have written before the next one has looked, and nothing is lost then. A storm
of callers who look first can therefore be made to meet: its commits wait until two have seen the same.

Rules of this file: check, then increment; the store behind it does the work.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from otpcore.contract import Conflict, StoreCapabilities, Version, Versioned
from otpcore.engine.terms import is_awaiting
from otpcore.stores.memory import MemoryStore

__all__ = ["AsyncNaiveStore", "NaiveStore", "naive_memory", "without_guard"]


PATIENCE_S: Final = 60.0


class _Meeting:
    """Two loads come before any commit, once that is asked for."""

    def __init__(self, event: threading.Event | asyncio.Event) -> None:
        self._event = event
        self._event.set()
        self._missing = 0

    def ask(self) -> None:
        """From now on."""
        self._missing = 2
        self._event.clear()

    def loaded(self) -> None:
        """One more has seen what stands."""
        self._missing -= 1
        if self._missing <= 0:
            self._event.set()


class NaiveStore:
    """It writes whatever stands, the expected state or another."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._met = threading.Event()
        self.meeting = _Meeting(self._met)

    @property
    def capabilities(self) -> StoreCapabilities:
        can: StoreCapabilities = self._inner.capabilities
        return replace(can, batch=False)

    def load(self, key: str) -> Versioned | None:
        found: Versioned | None = self._inner.load(key)
        self.meeting.loaded()
        return found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        self._met.wait(PATIENCE_S)
        answer: Version | Conflict = self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        while isinstance(answer, Conflict):
            stands = answer.current.version if answer.current else None
            answer = self._inner.commit(key, data, expect=stands, gc_at=gc_at)
        return answer

    def sweep(self, before: datetime, *, limit: int) -> int:
        gone: int = self._inner.sweep(before, limit=limit)
        return gone

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        page: Sequence[tuple[str, Versioned]] = self._inner.scan(after, limit)
        return page

    def close(self) -> None:
        self._inner.close()


class AsyncNaiveStore:
    """`NaiveStore`, awaited."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._met = asyncio.Event()
        self.meeting = _Meeting(self._met)

    @property
    def capabilities(self) -> StoreCapabilities:
        can: StoreCapabilities = self._inner.capabilities
        return replace(can, batch=False)

    async def load(self, key: str) -> Versioned | None:
        found: Versioned | None = await self._inner.load(key)
        self.meeting.loaded()
        return found

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        if not self._met.is_set():
            await asyncio.wait_for(self._met.wait(), PATIENCE_S)
        answer: Version | Conflict = await self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        while isinstance(answer, Conflict):
            stands = answer.current.version if answer.current else None
            answer = await self._inner.commit(key, data, expect=stands, gc_at=gc_at)
        return answer

    async def sweep(self, before: datetime, *, limit: int) -> int:
        gone: int = await self._inner.sweep(before, limit=limit)
        return gone

    async def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        page: Sequence[tuple[str, Versioned]] = await self._inner.scan(after, limit)
        return page

    async def close(self) -> None:
        await self._inner.close()


def without_guard(store: Any) -> Any:
    """The control over a store of either colour."""
    return AsyncNaiveStore(store) if is_awaiting(store, "commit") else NaiveStore(store)


def naive_memory() -> NaiveStore:
    """In the place of `MemoryStore`."""
    return NaiveStore(MemoryStore())
