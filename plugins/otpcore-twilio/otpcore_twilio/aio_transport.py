"""The SDK's awaited transport, made to keep a deadline and to send once.

The SDK's own ignores its timeout, posts again on a 500 when retries are asked for, and passes its credentials in a way
that aiohttp has deprecated. aiohttp's total timeout covers look-up, connect, headers and body.

Rules of this file: one request in, one on the wire; no retry, no redirect, no cookie, nothing logged. It imports
the SDK and is itself imported at the first use of a provider.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from twilio.http.async_http_client import AsyncTwilioHttpClient  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.http.response import Response  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore.providers.transport import LARGEST_ANSWER, Attempt, WireFailure
from otpcore_twilio.settings import Origin

__all__ = ["AsyncDeadlineHttpClient"]

_Kept = tuple[aiohttp.ClientSession, AsyncGenerator[None]]

NO_ROUNDING = 3_600
"""aiohttp rounds timeouts above its threshold (5 s) up to whole seconds; a deadline is not rounded."""


class AsyncDeadlineHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]  # the SDK carries no types
    """`AsyncTwilioHttpClient` with a deadline; one pool for each event loop that uses it, and none after a fork.

    Args:
        origin: where Verify is.
        timeout_s: for calls that come without an attempt, through the native client.
    """

    def __init__(self, origin: Origin, timeout_s: float) -> None:
        super().__init__(pool_connections=False)  # pyright: ignore[reportUnknownMemberType]  # no types in the SDK
        self._origin = origin
        self._timeout_s = timeout_s
        # By process: what a fork inherited is the parent's, and is neither used nor closed here.
        self._sessions: dict[int, dict[asyncio.AbstractEventLoop, _Kept]] = {}

    async def request(  # the SDK's signature
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the SDK's signature
        allow_redirects: bool = False,  # noqa: ARG002  # the SDK's signature; none are followed
    ) -> Any:
        """Perform one request.

        Returns:
            The SDK's response: status, text and headers.

        Raises:
            WireFailure: no answer that was read whole; the attempt knows how far it got.
        """
        attempt = Attempt.current(timeout or self._timeout_s)
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = aiohttp.encode_basic_auth(*auth)
        body = json.dumps(data) if "json" in sent.get("Content-Type", "") else urlencode(data or {}, doseq=True)
        try:
            session = await self._open_session()
            async with session.request(
                method.upper(),
                self._origin.place(url),
                params=params,
                data=body.encode() if data else None,
                headers=sent,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=attempt.remaining_s(), ceil_threshold=NO_ROUNDING),
                trace_request_ctx=attempt,
            ) as response:
                text = await _read(response)
                attempt.answered(response.status, response.headers.get("Retry-After"))
                return Response(response.status, text, response.headers)
        except Exception as error:
            raise WireFailure("no usable answer") from error

    async def _open_session(self) -> aiohttp.ClientSession:
        """The session of this process and loop."""
        sessions = self._sessions.setdefault(os.getpid(), {})
        loop = asyncio.get_running_loop()
        session, _ = sessions.get(loop, (None, None))
        if session is None or session.closed:
            for each in list(sessions):  # one by one: other threads add theirs meanwhile
                if each.is_closed():
                    sessions.pop(each, None)
            session = aiohttp.ClientSession(
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_trace()],
                trust_env=not self._origin.loopback,
            )
            # aiohttp asks again when a used connection breaks under a GET, and has no public switch for it
            session._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            keeper = _keep(session)
            await anext(keeper)
            sessions[loop] = session, keeper
        return session

    async def close(self) -> None:
        """Close the pool of this loop. A later call opens another."""
        _, keeper = self._sessions.get(os.getpid(), {}).pop(asyncio.get_running_loop(), (None, None))
        if keeper is not None:
            await keeper.aclose()


async def _keep(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    """Holds a session open until the loop shuts its generators down, as `asyncio.run` does before it closes the loop.

    A session that outlives its loop can no longer close its sockets.
    """
    try:
        yield
    finally:
        await session.close()


async def _read(response: aiohttp.ClientResponse) -> str:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise OverflowError("the response is larger than any of Twilio's")
    return body.decode("utf-8", "replace")


def _trace() -> aiohttp.TraceConfig:
    """Notes on the attempt that a connection is ready: from there on bytes may leave."""
    trace: aiohttp.TraceConfig = aiohttp.TraceConfig()

    async def ready(_session: object, context: Any, _parameters: object) -> None:
        attempt: Attempt = context.trace_request_ctx
        attempt.maybe_sent = True

    trace.on_connection_create_end.append(ready)
    trace.on_connection_reuseconn.append(ready)
    return trace
