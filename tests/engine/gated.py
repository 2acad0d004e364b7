"""Stores that take batches, whose every trip waits until the test lets it go.

Rules of this file: records are those of a memory store; nothing is decided here but when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from queue import SimpleQueue
from typing import Any

from otpcore.contract import CommitRequest, StoreCapabilities
from otpcore.stores.memory import CAPABILITIES, MemoryStore

__all__ = ["TIMEOUT_S", "AsyncGatedStore", "Gate", "GatedStore", "made"]

TIMEOUT_S = 30.0
"""Only so that a mistake ends."""

BATCHING = replace(CAPABILITIES, batch=True, blocking_io=True)


class Gate:
    """One trip that has come to the store.

    Attributes:
        what: "load", "commit", "load_many" or "commit_many".
        keys: of the trip.
    """

    def __init__(self, what: str, keys: Sequence[str]) -> None:
        self.what = what
        self.keys = list(keys)
        self.fate: SimpleQueue[BaseException | None] = SimpleQueue()

    def open(self, error: BaseException | None = None) -> None:
        """Let the trip go on, or fail."""
        self.fate.put(error)


def made(inner: MemoryStore, commits: Sequence[CommitRequest]) -> list[Any]:
    """The answers of a batch."""
    return [inner.commit(each.key, each.data, expect=each.expect, gc_at=each.gc_at) for each in commits]


class GatedStore:
    """Blocking: each trip is put into `trips`, and waits there. `free` lets all trips go at once."""

    capabilities: StoreCapabilities = BATCHING

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.trips: SimpleQueue[Gate] = SimpleQueue()
        self.made: Callable[[Sequence[CommitRequest]], list[Any]] = partial(made, self.inner)
        self.free = False

    def next(self) -> Gate:
        """The next trip that has come."""
        return self.trips.get(timeout=TIMEOUT_S)

    def load(self, key: str) -> Any:
        return self._pass("load", [key], lambda: self.inner.load(key))

    def commit(self, key: str, data: bytes | None, **given: Any) -> Any:
        return self._pass("commit", [key], lambda: self.inner.commit(key, data, **given))

    def load_many(self, keys: Sequence[str]) -> Any:
        return self._pass("load_many", keys, lambda: [self.inner.load(key) for key in keys])

    def commit_many(self, commits: Sequence[CommitRequest]) -> Any:
        return self._pass("commit_many", [each.key for each in commits], lambda: self.made(commits))

    def sweep(self, before: datetime, *, limit: int) -> int:
        return self.inner.sweep(before, limit=limit)

    def close(self) -> None:
        self.inner.close()

    def _pass(self, what: str, keys: Sequence[str], work: Callable[[], Any]) -> Any:
        gate = Gate(what, keys)
        self.trips.put(gate)
        error = None if self.free else gate.fate.get(timeout=TIMEOUT_S)
        if error is not None:
            raise error
        return work()


class AsyncGatedStore:
    """Awaited: each trip is appended to `trips`, and waits until its `fate` is set."""

    capabilities: StoreCapabilities = BATCHING

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.trips: list[tuple[str, list[str], asyncio.Future[None]]] = []
        self.made: Callable[[Sequence[CommitRequest]], list[Any]] = partial(made, self.inner)

    async def load(self, key: str) -> Any:
        await self._pass("load", [key])
        return self.inner.load(key)

    async def commit(self, key: str, data: bytes | None, **given: Any) -> Any:
        await self._pass("commit", [key])
        return self.inner.commit(key, data, **given)

    async def load_many(self, keys: Sequence[str]) -> Any:
        await self._pass("load_many", keys)
        return [self.inner.load(key) for key in keys]

    async def commit_many(self, commits: Sequence[CommitRequest]) -> Any:
        await self._pass("commit_many", [each.key for each in commits])
        return self.made(commits)

    async def sweep(self, before: datetime, *, limit: int) -> int:
        return self.inner.sweep(before, limit=limit)

    async def close(self) -> None:
        self.inner.close()

    async def _pass(self, what: str, keys: Sequence[str]) -> None:
        fate = asyncio.get_running_loop().create_future()
        self.trips.append((what, list(keys), fate))
        await fate
