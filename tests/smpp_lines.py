"""Drives an SMPP provider of one colour from a test's thread, and makes what it is driven with.

Rules of this file: no waiting but for what is asked; what is made here is closed by its `with` block.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import SecretStr

from otpcore.ports import Accepted, Failure, InboundRequest, MessageText, SendRequest
from otpcore_smpp import AsyncSmppProvider, SmppProvider, SmppSettings

__all__ = ["CODE", "COLOURS", "PATIENCE_S", "PHONE", "Line", "request_of", "settings_of"]

COLOURS = ("blocking", "awaited")
PHONE = "+12025550123"
CODE = "918273"
PATIENCE_S = 20.0


def settings_of(port: int, **changes: Any) -> SmppSettings:
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "tls": False,
        "system_id": "otpcore",
        "password": SecretStr("s3cr3t"),
        "source": "Otpcore",
        "reconnect_first_s": 0.05,
        "reconnect_longest_s": 0.1,
    }
    return SmppSettings(**(given | changes))


def request_of(text: str | None = f"{CODE} is your code.", recipient: str = PHONE, **changes: Any) -> SendRequest:
    given: dict[str, Any] = {
        "send_id": "0198b5a4-4c3e-7000-8000-000000000001",
        "channel": "sms",
        "purpose": "login",
        "code": CODE,
        "handle": None,
        "expires_at": datetime.now(UTC) + timedelta(seconds=300),
        "timeout_s": 10.0,
        "message": None if text is None else MessageText(text, 1, "plain", "en"),
    }
    return SendRequest(recipient=recipient, **(given | changes))


class Line:
    """A provider of one colour, used from the test's thread; closed at the end.

    Args:
        colour: "blocking" or "awaited".
        settings: of the provider.
        make: the awaited provider; the plugin's own by default.
    """

    def __init__(self, colour: str, settings: SmppSettings, make: Callable[..., Any] = AsyncSmppProvider) -> None:
        self.colour = colour
        self._pool = ThreadPoolExecutor(64)
        self.provider: Any
        if colour == "blocking":
            self.loop = None
            self.provider = SmppProvider(settings)
        else:
            self.loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self.loop.run_forever)
            self._thread.start()
            self.provider = make(settings)

    def begin(self, request: SendRequest) -> Future[Any]:
        if self.loop is None:
            return self._pool.submit(self.provider.send, request)
        return asyncio.run_coroutine_threadsafe(self.provider.send(request), self.loop)

    def send(self, request: SendRequest | None = None) -> Accepted | Failure:
        answer: Accepted | Failure = self.begin(request or request_of()).result(PATIENCE_S)
        return answer

    def deliver_to(self, take: Callable[[InboundRequest], Any]) -> None:
        """`take` is a plain function in both colours; the awaited one runs it on the loop."""

        async def taken(request: InboundRequest) -> Any:
            return take(request)

        self.provider.deliver_to(take if self.loop is None else taken)

    def close(self) -> None:
        if self.loop is None:
            self.provider.close()
        else:
            asyncio.run_coroutine_threadsafe(self.provider.close(), self.loop).result(PATIENCE_S)

    def tasks(self) -> int:
        """Tasks that are alive on an awaited provider's loop."""
        assert self.loop is not None

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return asyncio.run_coroutine_threadsafe(count(), self.loop).result(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()
        self._pool.shutdown()
