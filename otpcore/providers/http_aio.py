"""The awaited wire under a REST provider; see `http_transport`. The deadline is the task's.

Rules of this file: those of `http_transport`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any

import httpcore

from otpcore.providers.http_attempt import (
    IDLE_S,
    NoAnswer,
    asking,
    closing,
    current_attempt,
    quieten,
    stream_arguments,
    whole_answer,
)
from otpcore.providers.http_pool import AsyncPool
from otpcore.providers.http_values import Encoded, HttpResponse
from otpcore.providers.transport import LARGEST_ANSWER

__all__ = ["AsyncWire", "NoAnswer"]

_Kept = tuple[AsyncPool, AsyncGenerator[None]]


class AsyncWire:
    """`Wire`, awaited: a pool for each event loop that uses it, and none after a fork."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        # By process: what a fork inherited is the parent's, and is neither used nor closed here.
        self._pools: dict[int, dict[asyncio.AbstractEventLoop, _Kept]] = {}

    async def exchange(self, encoded: Encoded, timeout_s: float) -> HttpResponse:
        """See `Wire.exchange`. A cancelled call closes its connection; it may have sent."""
        with asking(timeout_s):
            async with asyncio.timeout(timeout_s):
                pool = await self._open(secure=encoded.secure)
                async with pool.stream(**stream_arguments(encoded)) as response:
                    return whole_answer(response, await _read(response.aiter_stream()))

    async def _open(self, *, secure: bool) -> AsyncPool:
        pools = self._pools.setdefault(os.getpid(), {})
        loop = asyncio.get_running_loop()
        if (kept := pools.get(loop)) is None:
            quieten()
            for each in list(pools):  # one by one: other threads add theirs meanwhile
                if each.is_closed():
                    pools.pop(each, None)
            pool = AsyncPool(
                partial(
                    httpcore.AsyncHTTPConnection,
                    ssl_context=self._tls or (httpcore.default_ssl_context() if secure else None),
                    keepalive_expiry=IDLE_S,
                    network_backend=_AsyncBackend(),
                )
            )
            kept = pools[loop] = pool, _keep(pool)
            await anext(kept[1])
        return kept[0]

    async def close(self) -> None:
        """Close the connections of this loop. A later exchange opens others."""
        kept = self._pools.get(os.getpid(), {}).pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept[1].aclose()


async def _read(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise OverflowError
    return bytes(body)


async def _keep(pool: AsyncPool) -> AsyncGenerator[None]:
    """Holds a pool open until the loop shuts its generators down, as `asyncio.run` does before it closes the loop.

    A pool that outlives its loop can no longer close its sockets.
    """
    try:
        yield
    finally:
        with closing():
            await pool.aclose()


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._backend: Any = httpcore.AnyIOBackend()

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await self._backend.connect_tcp(*args, **kwargs))


class _AsyncStream(httpcore.AsyncNetworkStream):
    """A stream that notes on the attempt that bytes may leave; the deadline is the task's."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # its signature
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # its signature
        current_attempt().maybe_sent = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        try:
            return _AsyncStream(await self._stream.start_tls(*args, **kwargs))
        except BaseException:  # httpcore closes after an error, but not after a cancellation, as by a deadline
            await self.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
