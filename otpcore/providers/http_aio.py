"""The awaited wire under a REST provider; see `http_transport`. The deadline is the task's.

Rules of this file: those of `http_transport`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpcore

from otpcore.providers.http_attempt import (
    CONNECTIONS,
    IDLE_S,
    LARGEST_ANSWER,
    NoAnswer,
    current_attempt,
    quieten,
    stream_arguments,
    under_way,
    whole_answer,
)
from otpcore.providers.http_values import Encoded, HttpResponse

__all__ = ["AsyncWire", "NoAnswer"]


class AsyncWire:
    """`Wire`, awaited: a pool for each event loop that uses it, and none after a fork."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._owner = 0
        self._pools: dict[asyncio.AbstractEventLoop, tuple[httpcore.AsyncConnectionPool, AsyncGenerator[None]]] = {}

    async def exchange(self, encoded: Encoded, timeout_s: float) -> HttpResponse:
        """See `Wire.exchange`. A cancelled call closes its connection; it may have sent."""
        with under_way(timeout_s):
            async with asyncio.timeout(timeout_s):
                pool = await self._open(secure=encoded.secure)
                async with pool.stream(**stream_arguments(encoded)) as response:
                    return whole_answer(response, await _read(response.aiter_stream()))

    async def _open(self, *, secure: bool) -> httpcore.AsyncConnectionPool:
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self._pools = {}
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            quieten()
            self._pools = {each: kept for each, kept in self._pools.items() if not each.is_closed()}
            pool = httpcore.AsyncConnectionPool(
                ssl_context=self._tls or (httpcore.default_ssl_context() if secure else None),
                max_connections=CONNECTIONS,
                keepalive_expiry=IDLE_S,
                network_backend=_AsyncBackend(),
            )
            keeper = _keep(pool)
            self._pools[loop] = pool, keeper
            await anext(keeper)
        return self._pools[loop][0]

    async def close(self) -> None:
        """Close the connections of this loop. A later exchange opens others."""
        _, keeper = self._pools.pop(asyncio.get_running_loop(), (None, None))
        if keeper is not None and self._owner == os.getpid():
            await keeper.aclose()


async def _read(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise OverflowError
    return bytes(body)


async def _keep(pool: httpcore.AsyncConnectionPool) -> AsyncGenerator[None]:
    """Holds a pool open until the loop shuts its generators down, as `asyncio.run` does before it closes the loop.

    A pool that outlives its loop can no longer close its sockets.
    """
    try:
        yield
    finally:
        await pool.aclose()


class _AsyncBackend(httpcore.AnyIOBackend):
    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await super().connect_tcp(*args, **kwargs))


class _AsyncStream(httpcore.AsyncNetworkStream):
    """A stream that notes on the attempt that bytes may leave; the deadline is the task's."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # its signature
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # its signature
        current_attempt().sent = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
