"""The awaiting store: `otpcore_redis.wire` and `otpcore_redis.store`, awaited.

Rules of this file: as of those. One store serves one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from redis import exceptions

from otpcore.errors import StoreError, StoreUnavailable
from otpcore.ports import (
    CommitRequest,
    Conflict,
    Durability,
    StoreCapabilities,
    StoreRemark,
    Version,
    Versioned,
)
from otpcore_redis.examining import examination
from otpcore_redis.records import Records
from otpcore_redis.routes import Answer, Command, Node, Parcel, Route, Steps
from otpcore_redis.wire import CLOSED, filled, is_demoted, packed, unanswered, unreachable

__all__ = ["AsyncRedisStore"]

T = TypeVar("T")


class AsyncWire:
    """`otpcore_redis.wire.Wire`, awaited."""

    def __init__(self, pool_of: Callable[[Node], Any]) -> None:
        self._pool_of = pool_of
        self._pools: dict[Node, Any] = {}
        self._closed = False

    async def run(self, steps: Steps[T]) -> T:
        """See `Wire.run`."""
        if self._closed:
            raise StoreUnavailable(CLOSED)
        answers: Any = None
        while True:
            try:
                parcels = steps.send(answers)
            except StopIteration as end:
                found: T = end.value
                return found
            answers = await self._carry(parcels)

    async def close(self) -> None:
        """See `Wire.close`."""
        self._closed = True
        for pool in list(self._pools.values()):
            await pool.disconnect()

    async def _carry(self, parcels: Sequence[Parcel]) -> list[list[Answer]]:
        errands = [_errand(self._pool(node), commands) for node, commands in parcels]
        return [await errands[0]] if len(errands) == 1 else await asyncio.gather(*errands)

    def _pool(self, node: Node) -> Any:
        pool = self._pools.get(node)
        if pool is None:
            pool = self._pools[node] = self._pool_of(node)
        return pool


async def _errand(pool: Any, commands: Sequence[Command]) -> list[Answer]:
    """One server's part of a trip."""
    try:
        connection = await pool.get_connection()
    except (exceptions.RedisError, OSError) as error:
        return filled([], commands, unreachable(error))
    answers: list[Answer] = []
    broken = True
    try:
        await connection.send_packed_command(packed(commands), check_health=False)
        for _ in commands:
            try:
                answers.append(await connection.read_response(disconnect_on_error=False))
            except (exceptions.ResponseError, exceptions.BusyLoadingError) as refused:
                answers.append(refused)
        broken = is_demoted(answers)
    except (exceptions.RedisError, OSError) as error:
        answers = filled(answers, commands, unanswered(error))
    finally:
        if broken:
            await connection.disconnect(nowait=True)
        await pool.release(connection)  # before anything that waits: who gives up may do so again
        if broken:
            with suppress(exceptions.RedisError, OSError):
                await pool.disconnect(inuse_connections=False)
    return answers


class AsyncRedisStore:
    """`RedisStore`, awaited; the arguments are the same."""

    def __init__(
        self,
        pool_of: Callable[[Node], Any],
        route: Route,
        *,
        prefix: str = "otpcore:",
        durability: Durability = Durability.PROCESS,
    ) -> None:
        self._wire = AsyncWire(pool_of)
        self._route = route
        self._records = Records(route, prefix)
        self._capabilities = StoreCapabilities(durability=durability, multi_process=True, shared=True, batch=True)

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return self._capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        (found,) = await self.load_many((key,))
        if isinstance(found, StoreError):
            raise found
        return found

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        (answer,) = await self.commit_many((CommitRequest(key, data, expect, gc_at),))
        if isinstance(answer, StoreError):
            raise answer
        return answer

    async def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `RedisStore.load_many`."""
        return await self._wire.run(self._records.load(keys))

    async def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `RedisStore.commit_many`."""
        return await self._wire.run(self._records.commit(commits))

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `RedisStore.sweep`."""
        return await self._wire.run(self._records.sweep(before, limit))

    async def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `RedisStore.scan`."""
        return await self._wire.run(self._records.scan(after, limit))

    async def examine(self) -> Sequence[StoreRemark]:
        """See `Examines.examine`."""
        return await self._wire.run(examination(self._route, self._capabilities.durability))

    async def close(self) -> None:
        """See `Store.close`."""
        await self._wire.close()
