"""The awaiting store: `otpcore_redis.store`, awaited.

Rules of this file: what is decided is in `script` and `wire`; here is who waits for whom. One store serves one event
loop.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from redis import exceptions
from redis.asyncio.connection import ConnectionPool

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.ports import Conflict, Durability, StoreCapabilities, Version, Versioned
from otpcore_redis import script
from otpcore_redis.store import PAGE, NoScript
from otpcore_redis.wire import Answer, Command, refusal, unanswered, unreachable

__all__ = ["AsyncRedisStore"]

LARGEST = 128
"""Commands of one trip."""


class _Combiner:
    """Sends commands together when they come together; who comes alone goes at once."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._waiting: list[tuple[Command, asyncio.Future[Answer]]] = []
        self._trip: asyncio.Task[None] | None = None
        self._busy = False

    async def call(self, command: Command) -> Answer:
        """The answer to one command; raises what its trip raised."""
        if not self._busy:
            self._busy = True
            try:
                (answer,) = await exchange(self._pool, (command,))
            finally:
                self._next()
            return answer
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        return await future

    def _next(self) -> None:
        """All who wait go on one trip, which nobody who gives up can stop."""
        self._waiting = [each for each in self._waiting if not each[1].done()]
        batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        self._busy = bool(batch)
        self._trip = asyncio.get_running_loop().create_task(self._travel(batch)) if batch else None

    async def _travel(self, batch: list[tuple[Command, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await exchange(self._pool, [command for command, _ in batch])
        except BaseException as error:  # each caller hears of it, and judges
            for _, future in batch:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else CommitUnknown())
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        finally:
            self._next()


async def exchange(pool: ConnectionPool, commands: Sequence[Command]) -> list[Answer]:
    """`otpcore_redis.wire.exchange`, awaited."""
    from_pool: Any = pool  # its methods have no types
    try:
        connection: Any = await from_pool.get_connection()
    except (exceptions.RedisError, OSError) as error:
        raise unreachable(error) from error
    answers: list[Answer] = []
    try:
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        for _ in commands:
            try:
                answers.append(await connection.read_response())
            except exceptions.ResponseError as refused:
                answers.append(refused)
    except (exceptions.RedisError, OSError) as error:
        await connection.disconnect(nowait=True)
        raise unanswered(error) from error
    except BaseException:
        await connection.disconnect(nowait=True)  # an answer that nobody read would be the next caller's
        raise
    finally:
        await from_pool.release(connection)
    return answers


class AsyncRedisStore:
    """`RedisStore`, awaited.

    Args:
        pool: of connections that decode nothing and retry nothing; closed with the store.
        prefix: at the head of every key.
        durability: what an acknowledged commit survives, as the server's settings make it.
    """

    def __init__(
        self, pool: ConnectionPool, *, prefix: str = "otpcore:", durability: Durability = Durability.PROCESS
    ) -> None:
        self._pool = pool
        self._prefix = prefix
        self._capabilities = StoreCapabilities(durability=durability, multi_process=True, shared=True)
        self._closed = False
        self._combiner = _Combiner(pool)

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return self._capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        try:
            answer = await self._ask((b"GET", self._prefix + key))
        except CommitUnknown as error:
            raise StoreUnavailable(str(error)) from error.__cause__
        return script.read(answer)

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        version = script.made()
        given = script.arguments(data, expect, version, gc_at, datetime.now(UTC))
        place = self._prefix + key
        try:
            answer = await self._ask((b"EVALSHA", script.CAS_SHA, b"1", place, *given))
        except NoScript:
            answer = await self._ask((b"EVAL", script.CAS, b"1", place, *given))
        return script.answered(answer, version)

    async def sweep(self, before: datetime, *, limit: int) -> int:
        """See `RedisStore.sweep`."""
        gone, due = 0, script.due(before)
        async for keys in self._pages():
            room = limit - gone
            if room <= 0:
                break
            if keys:
                gone += sum(await self._read([(b"EVAL", script.COLLECT, b"1", key, due) for key in keys[:room]]))
        return gone

    async def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `RedisStore.scan`."""
        prefix = self._prefix.encode()
        keys = {key[len(prefix) :].decode() async for page in self._pages() for key in page}
        wanted = heapq.nsmallest(limit, (key for key in keys if key > after))
        answers = await self._read([(b"GET", self._prefix + key) for key in wanted]) if wanted else []
        found = [(key, script.read(value)) for key, value in zip(wanted, answers, strict=True)]
        return [(key, record) for key, record in found if record is not None]

    async def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        await self._pool.disconnect()

    async def _pages(self) -> AsyncIterator[list[bytes]]:
        cursor = b"0"
        while True:
            pattern = self._prefix + "*"
            ((cursor, keys),) = await self._read([(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % PAGE)])
            yield keys
            if cursor == b"0":
                return

    async def _ask(self, command: Command) -> Answer:
        self._require_open()
        answer = await self._combiner.call(command)
        if isinstance(answer, exceptions.NoScriptError):
            raise NoScript
        if isinstance(answer, exceptions.ResponseError):
            raise refusal(answer) from answer
        return answer

    async def _read(self, commands: Sequence[Command]) -> list[Answer]:
        self._require_open()
        try:
            answers = await exchange(self._pool, commands)
        except CommitUnknown as error:
            raise StoreUnavailable(str(error)) from error.__cause__
        for answer in answers:
            if isinstance(answer, exceptions.ResponseError):
                raise refusal(answer) from answer
        return answers

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("This store was closed; build a new one.")
