"""Answers that go wrong below HTTP: never, reset, or cut off.

An ASGI application cannot reach its connection; the uvicorn protocol here puts it into the scope under
`TRANSPORT`. Rule of this file: the only place that touches a transport.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from otpcore_twilio.emulator.magic import Fault

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["FaultyResponse", "OpenProtocol"]

TRANSPORT: Final = "otpcore.transport"
"""Key of the scope's extensions; the value is the asyncio transport."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing sends RST, not FIN."""


class OpenProtocol(H11Protocol):
    """HTTP/1.1 for uvicorn that lets the application reach the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wrap the application so that its scope names this connection."""
        super().connection_made(transport)
        self.access_log = False  # a path can hold a number; uvicorn's own setting acts on global loggers
        application = cast("ASGIApp", self.app)

        async def reaching(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await application(scope, receive, send)

        self.app = cast("Any", reaching)


class FaultyResponse(Response):
    """Carries out a fault instead of answering.

    Args:
        fault: any but GARBAGE, which is an ordinary answer.
        proper: what a TRUNCATED answer begins.
    """

    def __init__(self, fault: Fault, proper: Response) -> None:
        super().__init__(proper.body, proper.status_code, media_type="application/json")
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Spoil the answer, then wait until the client has left."""
        transport: asyncio.Transport | None = scope.get("extensions", {}).get(TRANSPORT)
        if transport is None:
            raise RuntimeError("this fault needs the connection: serve the application with OpenProtocol")
        if self._fault is Fault.RESET:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        elif self._fault is Fault.TRUNCATED:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            half = bytes(self.body[: len(self.body) // 2])
            await send({"type": "http.response.body", "body": half, "more_body": True})
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass
