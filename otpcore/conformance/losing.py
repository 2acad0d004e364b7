"""Stores whose commits go unanswered by a plan: applied or not, nobody is told.

Rules of this file: the inner store does the work and its answers are not touched; batches are not offered.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum

from otpcore.errors import CommitUnknown
from otpcore.ports import AsyncStore, Conflict, Store, StoreCapabilities, Version, Versioned

__all__ = ["AsyncLosingStore", "Fate", "LosingStore"]


class Fate(Enum):
    """What becomes of a commit."""

    ANSWERED = "answered"
    APPLIED = "applied, and nobody is told"
    LOST = "not applied, and nobody is told"


class LosingStore:
    """A `Store` over another, some of whose commits raise CommitUnknown.

    Args:
        inner: the store that does the work; it is not closed with this one.
        fates: of the commits, in their order; those after the last are answered.
    """

    def __init__(self, inner: Store, fates: Iterable[Fate]) -> None:
        self._inner = inner
        self._fates = iter(fates)

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store."""
        return self._inner.capabilities

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        return self._inner.load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        fate = next(self._fates, Fate.ANSWERED)
        if fate is Fate.LOST:
            raise CommitUnknown
        answer = self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        if fate is Fate.APPLIED:
            raise CommitUnknown
        return answer

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        return self._inner.sweep(before, limit=limit)

    def close(self) -> None:
        """Leave the inner store open."""


class AsyncLosingStore:
    """`LosingStore`, awaited.

    Args:
        inner: as for `LosingStore`.
        fates: as for `LosingStore`.
    """

    def __init__(self, inner: AsyncStore, fates: Iterable[Fate]) -> None:
        self._inner = inner
        self._fates = iter(fates)

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store."""
        return self._inner.capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        return await self._inner.load(key)

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        fate = next(self._fates, Fate.ANSWERED)
        if fate is Fate.LOST:
            raise CommitUnknown
        answer = await self._inner.commit(key, data, expect=expect, gc_at=gc_at)
        if fate is Fate.APPLIED:
            raise CommitUnknown
        return answer

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        return await self._inner.sweep(before, limit=limit)

    async def close(self) -> None:
        """Leave the inner store open."""
