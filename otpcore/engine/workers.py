"""Blocking stores and providers behind the awaiting engine.

A bounded number of threads for each store, and for each provider's sends, checks and reports by themselves, so that
sends that hang never hold up a store, another provider, a check or an approval. Work that is still queued when its
caller gives up is taken back: nothing was sent.

Rules of this file: adapters only. Threads start at first use, and anew in a forked child.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar, cast

from otpcore.contract import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CommitRequest,
    Conflict,
    Failure,
    ProviderCapabilities,
    SendRequest,
    StoreCapabilities,
    Version,
    Versioned,
)
from otpcore.engine.aio_combining import AsyncCombinedStore
from otpcore.engine.bounding import REPORTS, NotStarted, patience
from otpcore.engine.combining import takes_batches
from otpcore.engine.terms import is_awaiting
from otpcore.errors import StoreError
from otpcore.ports import AsyncProvider, AsyncStore, Batches, Provider, Store
from otpcore.receipts import DeliveryEvent, InboundRequest, Outcome

__all__ = ["AwaitedProvider", "AwaitedStore", "DirectStore", "Workers", "awaited_provider", "awaited_store"]

T = TypeVar("T")

STORE_THREADS: Final = 8
LATE_S: Final = 0.5
"""A provider keeps its deadline itself; so much later nobody waits for its worker any more."""


class Workers:
    """A bounded pool of threads that outlives a fork."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    async def run(self, call: Callable[[], T], *, timeout_s: float | None = None, patience_s: float | None = None) -> T:
        """Make the call on a worker.

        Args:
            call: blocks.
            timeout_s: from now; None: however long it takes.
            patience_s: of these, for a worker to become free; None: all.

        Raises:
            NotStarted: after `patience_s`, or when the pool was closed, it was still queued; it never runs.
            TimeoutError: after `timeout_s` it had not returned; it may still run.
        """
        if self._pool is None or self._pid != os.getpid():
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=f"otpcore-{self._name}")
            self._pid = os.getpid()
        future = self._pool.submit(call)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(_heard)
        try:
            first_s = timeout_s if patience_s is None else patience_s
            done, _ = await asyncio.wait({waiting}, timeout=first_s)
            if not done and timeout_s is not None and first_s is not None and not future.cancel():
                done, _ = await asyncio.wait({waiting}, timeout=timeout_s - first_s)
        except asyncio.CancelledError:
            future.cancel()  # taken back if it is still queued; a call under way has an unknown outcome
            raise
        if done and not waiting.cancelled():
            return waiting.result()
        if future.cancel():
            raise NotStarted
        raise TimeoutError

    def close(self) -> None:
        """Let running calls end; take no new ones."""
        if self._pool is not None and self._pid == os.getpid():
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None


def _heard(future: asyncio.Future[Any]) -> None:
    """Nobody may be waiting any more; an exception of an abandoned call is no event of its own."""
    if not future.cancelled():
        future.exception()


class AwaitedStore:
    """A blocking store, awaited through worker threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._workers = Workers("store", STORE_THREADS)

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the store behind it."""
        return self._store.capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        return await self._workers.run(partial(self._store.load, key))

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        return await self._workers.run(partial(self._store.commit, key, data, expect=expect, gc_at=gc_at))

    async def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`; the store behind it must have it."""
        return await self._workers.run(partial(cast("Batches", self._store).load_many, keys))

    async def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`; the store behind it must have it."""
        return await self._workers.run(partial(cast("Batches", self._store).commit_many, commits))

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        return await self._workers.run(partial(self._store.sweep, before, limit=limit))

    async def close(self) -> None:
        """See `Store.close`."""
        self._workers.close()
        self._store.close()


class DirectStore:
    """A store without blocking I/O, called where it stands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the store behind it."""
        return self._store.capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        return self._store.load(key)

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        return self._store.commit(key, data, expect=expect, gc_at=gc_at)

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`."""
        return self._store.sweep(before, limit=limit)

    async def close(self) -> None:
        """See `Store.close`."""
        self._store.close()


class AwaitedProvider:
    """A blocking provider, awaited through worker threads; it has the optional methods that the other has.

    A thread that does not return at its deadline keeps its place: each method raises NotStarted when none is left.

    Args:
        provider: blocks.
        threads: for its sends, and as many for its checks.
    """

    def __init__(self, provider: Provider, threads: int) -> None:
        self._provider: Any = provider
        self._sends = Workers("send", threads)
        self._checks = Workers("check", threads)
        self._reports = Workers("report", REPORTS)

    @property
    def capabilities(self) -> ProviderCapabilities:
        """Those of the provider behind it."""
        can: ProviderCapabilities = self._provider.capabilities
        return can

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        return await _by(self._sends, partial(self._provider.send, request), request.timeout_s)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        return await _by(self._checks, partial(self._provider.check, request), request.timeout_s)

    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        """See `ReconcilesCheck.reconcile_check`."""
        return await _by(self._checks, partial(self._provider.reconcile_check, handle, timeout_s), timeout_s)

    async def cancel(self, handle: str, timeout_s: float) -> bool:
        """See `Cancels.cancel`."""
        return await _by(self._checks, partial(self._provider.cancel, handle, timeout_s), timeout_s)

    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """See `TakesFeedback.report_outcome`."""
        return await _by(self._reports, partial(self._provider.report_outcome, handle, outcome, timeout_s), timeout_s)

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`; it waits for nothing, so no worker is needed."""
        events: Sequence[DeliveryEvent] = self._provider.parse_receipt(request)
        return events

    async def close(self) -> None:
        """See `Provider.close`."""
        for workers in (self._sends, self._checks, self._reports):
            workers.close()
        self._provider.close()


async def _by(workers: Workers, call: Callable[[], T], timeout_s: float) -> T:
    return await workers.run(call, timeout_s=timeout_s + LATE_S, patience_s=patience(timeout_s))


def awaited_provider(provider: Provider | AsyncProvider, threads: int) -> AsyncProvider:
    """The provider as the awaiting engine drives it: by workers where it blocks."""
    if is_awaiting(provider, "send"):
        return cast("AsyncProvider", provider)
    return cast("AsyncProvider", AwaitedProvider(cast("Provider", provider), threads))


def awaited_store(store: Store | AsyncStore) -> AsyncStore:
    """The store as the awaiting engine drives it: by workers where it may wait, together where it takes batches."""
    if is_awaiting(store, "commit"):
        awaited = cast("AsyncStore", store)
    elif store.capabilities.blocking_io:
        awaited = AwaitedStore(cast("Store", store))
    else:
        return DirectStore(cast("Store", store))
    return AsyncCombinedStore(awaited) if takes_batches(store) else awaited
