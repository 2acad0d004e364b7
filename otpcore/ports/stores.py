"""The protocols of a store, in both colours.

Rules of this file: protocols only; the values are in `otpcore.contract`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from otpcore.contract import CommitRequest, Conflict, StoreCapabilities, StoreRemark, Version, Versioned
from otpcore.errors import StoreError

__all__ = [
    "AsyncBatches",
    "AsyncExamines",
    "AsyncScans",
    "AsyncStore",
    "Batches",
    "Examines",
    "Scans",
    "Store",
]


@runtime_checkable
class Store(Protocol):
    """Versioned records under opaque keys. Every method is atomic per key and linearizable.

    A key is 1 to 200 printable ASCII characters; what is none is refused or kept apart, never taken for another key.
    A store counts nothing, decides nothing and knows nothing of codes. Safe to call from several threads.
    """

    @property
    def capabilities(self) -> StoreCapabilities:
        """What this store promises; constant for the life of the object."""
        ...

    def load(self, key: str) -> Versioned | None:
        """The record as it stands, by a strong read; None when absent.

        Raises:
            StoreUnavailable: the store did not answer.
            StoreFormatError: what is stored cannot be read.
        """
        ...

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """Replace exactly the state `expect`, or nothing.

        Args:
            key: opaque.
            data: the new bytes; None deletes (deleting what is absent as expected succeeds).
            expect: the version to replace; None means "the key is absent".
            gc_at: after this instant the store may drop the record in `sweep`. Garbage collection
                only: `load` returns the record until it is really gone.

        Returns:
            The new version, or `Conflict` with the record that stands.

        Raises:
            StoreUnavailable: certainly not applied.
            CommitUnknown: may be applied.
            StoreFull: no room for a new record; certainly not applied.
        """
        ...

    def sweep(self, before: datetime, *, limit: int) -> int:
        """Delete at most `limit` records whose `gc_at` is before `before`; return how many went."""
        ...

    def close(self) -> None:
        """Release files and connections. Calling it twice is harmless."""
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """`Store`, awaited."""

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        ...

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        ...

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        ...

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        ...

    async def close(self) -> None:
        """See `Store.close`."""
        ...


@runtime_checkable
class Scans(Protocol):
    """A store that lets an operator walk its records (doctor, export)."""

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """At most `limit` records with a key greater than `after`, in key order; not a snapshot."""
        ...


@runtime_checkable
class AsyncScans(Protocol):
    """`Scans`, awaited."""

    async def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`."""
        ...


@runtime_checkable
class Batches(Protocol):
    """A store that takes several keys on one trip (capability `batch`). The engine puts calls together for it.

    A key stands at most once in a batch. Every item is answered, in order, and by itself: one that is refused or
    fails leaves the others as they are, and its error is its answer. What is raised holds for all of them.
    """

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """`Store.load` of each key; not one snapshot."""
        ...

    def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """`Store.commit` of each; each is atomic, the batch is not."""
        ...


@runtime_checkable
class AsyncBatches(Protocol):
    """`Batches`, awaited."""

    async def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`."""
        ...

    async def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`."""
        ...


@runtime_checkable
class Examines(Protocol):
    """A store that can tell an operator what its server's settings mean for the records (`otpcore doctor`)."""

    def examine(self) -> Sequence[StoreRemark]:
        """Ask the server; changes nothing. Raises StoreUnavailable."""
        ...


@runtime_checkable
class AsyncExamines(Protocol):
    """`Examines`, awaited."""

    async def examine(self) -> Sequence[StoreRemark]:
        """See `Examines.examine`."""
        ...
