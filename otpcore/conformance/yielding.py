"""Stores that give way to the other callers before every operation, so that a race that can be lost is lost.

Under the interpreter's lock a storm of threads over a store in memory sees nothing: each thread runs to its end.
With a pause between the load and the commit of each caller, the others get in.

Rules of this file: the inner store does the work and its answers are not touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from threading import Event
from typing import cast

from otpcore.errors import StoreError
from otpcore.ports import (
    AsyncBatches,
    AsyncScans,
    AsyncStore,
    Batches,
    CommitRequest,
    Conflict,
    Scans,
    Store,
    StoreCapabilities,
    Version,
    Versioned,
)

__all__ = ["PAUSE_S", "AsyncYieldingStore", "YieldingStore"]

PAUSE_S = 0.001
"""Length of a pause; of 20 storms over a store that loses updates, 20 were caught with it and none without."""


class YieldingStore:
    """A `Store` that lets other threads run before each load and commit of the inner store.

    Args:
        inner: the store that does the work.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._never = Event()

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store."""
        return self._inner.capabilities

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        self._give_way()
        return self._inner.load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        self._give_way()
        return self._inner.commit(key, data, expect=expect, gc_at=gc_at)

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`; the inner store must have it."""
        self._give_way()
        return cast("Batches", self._inner).load_many(keys)

    def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`; the inner store must have it."""
        self._give_way()
        return cast("Batches", self._inner).commit_many(commits)

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        self._give_way()
        return self._inner.sweep(before, limit=limit)

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`; the inner store must have it."""
        return cast("Scans", self._inner).scan(after, limit)

    def close(self) -> None:
        """Close the inner store."""
        self._inner.close()

    def _give_way(self) -> None:
        self._never.wait(PAUSE_S)  # an event that is never set: waits, and hands the interpreter's lock on


class AsyncYieldingStore:
    """An `AsyncStore` that lets other tasks run before each operation of the inner store.

    Args:
        inner: the store that does the work; a blocking one must not wait for anything (the memory store).
    """

    def __init__(self, inner: Store | AsyncStore) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store."""
        return self._inner.capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        await asyncio.sleep(PAUSE_S)
        found = self._inner.load(key)
        return found if found is None or isinstance(found, Versioned) else await found

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        await asyncio.sleep(PAUSE_S)
        answer = self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        return answer if isinstance(answer, (str, Conflict)) else await answer

    async def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`; the inner store must have it."""
        await asyncio.sleep(PAUSE_S)
        found = cast("Batches | AsyncBatches", self._inner).load_many(keys)
        return found if isinstance(found, Sequence) else await found

    async def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`; the inner store must have it."""
        await asyncio.sleep(PAUSE_S)
        answers = cast("Batches | AsyncBatches", self._inner).commit_many(commits)
        return answers if isinstance(answers, Sequence) else await answers

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        await asyncio.sleep(PAUSE_S)
        count = self._inner.sweep(before, limit=limit)
        return count if isinstance(count, int) else await count

    async def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`; the inner store must have it."""
        page = cast("Scans | AsyncScans", self._inner).scan(after, limit)
        return page if isinstance(page, Sequence) else await page

    async def close(self) -> None:
        """Close the inner store."""
        closing = self._inner.close()
        if closing is not None:
            await closing
