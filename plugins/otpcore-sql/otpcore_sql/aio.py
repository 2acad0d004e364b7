"""The awaiting store, over PostgreSQL: `otpcore_sql.store`, awaited.

Rules of this file: who waits for whom, and which connection they use; what is asked is in `flows`. One store serves one
event loop.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any, TypeVar

import psycopg

from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, StoreCapabilities, StoreRemark, Version, Versioned
from otpcore_sql import flows
from otpcore_sql.connections import ALL_TAKEN, LEFT
from otpcore_sql.dialect import Clash
from otpcore_sql.flows import Flow
from otpcore_sql.migrating import migrate
from otpcore_sql.postgresql import PostgreSQL
from otpcore_sql.rows import change_of, micros
from otpcore_sql.store import CLOSED, NOT_ASKED, PREPARING
from otpcore_sql.wire import awaited_exchange, unreachable

__all__ = ["AsyncSQLStore"]

T = TypeVar("T")


class AsyncSQLStore:
    """`SQLStore`, awaited, for PostgreSQL alone.

    Args:
        dialect: the database.
        connections: of this process, at the most.
    """

    def __init__(self, dialect: PostgreSQL, *, connections: int) -> None:
        self._dialect = dialect
        self._limit = connections
        self._begin()
        self._closed = False
        self._ready = False
        _OPEN.add(self)

    def _begin(self) -> None:
        self._room = asyncio.Semaphore(self._limit)
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._preparing = asyncio.Lock()

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return self._dialect.capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        return await self._run(flows.load(self._dialect, key))

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        return await self._run(flows.commit(self._dialect, change_of(key, data, expect, gc_at)))

    async def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`."""
        return await self._run(flows.load_many(self._dialect, keys))

    async def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`."""
        changes = [change_of(one.key, one.data, one.expect, one.gc_at) for one in commits]
        return await self._run(flows.commit_many(self._dialect, changes))

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `SQLStore.sweep`."""
        return await self._run(flows.sweep(self._dialect, micros(before), limit))

    async def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`."""
        return await self._run(flows.scan(self._dialect, after, limit))

    async def examine(self) -> Sequence[StoreRemark]:
        """See `Examines.examine`."""
        return await self._run(flows.examine(self._dialect))

    async def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    # --- connections -----------------------------------------------------------------------------

    async def _run(self, flow: Flow[T]) -> T:
        """Drive a flow over one connection, which is thrown away when an answer did not come."""
        if self._closed:
            raise StoreUnavailable(CLOSED)
        if not self._ready:
            await self._prepare()
        timeout_s, prepare = self._dialect.timeout_s, self._dialect.prepare
        async with self._within(self._room, ALL_TAKEN):
            connection, sound, clashes = await self._connection(), True, 0
            step: Any = flow.send
            given: Any = None
            try:
                while True:
                    try:
                        statement, params = step(given)
                    except StopIteration as done:
                        answer: T = done.value
                        return answer
                    try:
                        if not sound:
                            raise StoreUnavailable(NOT_ASKED)  # noqa: TRY301 # the flow hears of it as of any other
                        given = await awaited_exchange(connection, statement, params, timeout_s, prepare=prepare)
                        step = flow.send
                    except StoreError as error:
                        sound = sound and not isinstance(error, CommitUnknown)
                        step, given = flow.throw, error
                        if isinstance(error, Clash):
                            clashes += 1
                            await asyncio.sleep(flows.pause_s(clashes))
                    except BaseException:  # who gives up leaves an answer on the connection
                        sound = False
                        raise
            finally:
                if sound and not self._closed:
                    self._idle.append(connection)
                else:
                    await connection.close()

    async def _connection(self) -> psycopg.AsyncConnection[Any]:
        """A connection on which nothing is known to be wrong."""
        while self._idle:
            connection = self._idle.pop()
            if not self._dialect.is_stale(connection):
                return connection
            await connection.close()
        try:
            return await psycopg.AsyncConnection.connect(**self._dialect.connecting)
        except (psycopg.Error, OSError) as error:
            raise unreachable(error) from error

    @asynccontextmanager
    async def _within(self, waited_for: asyncio.Semaphore | asyncio.Lock, otherwise: str) -> AsyncGenerator[None]:
        """Have it, or be told when it does not come free in time."""
        try:
            async with asyncio.timeout(self._dialect.timeout_s) if waited_for.locked() else nullcontext():
                await waited_for.acquire()
        except TimeoutError:
            raise StoreUnavailable(otherwise) from None
        try:
            yield
        finally:
            waited_for.release()

    async def _prepare(self) -> None:
        async with self._within(self._preparing, PREPARING):
            if not self._ready:
                await asyncio.to_thread(migrate, self._dialect)
                self._ready = True

    def after_fork(self) -> None:
        """In a child: connections are the parent's, and so are the tasks that have them."""
        LEFT.extend(self._idle)
        self._begin()


_OPEN: weakref.WeakSet[AsyncSQLStore] = weakref.WeakSet()


def _in_child() -> None:
    for store in list(_OPEN):
        store.after_fork()


os.register_at_fork(after_in_child=_in_child)
