"""Broken ways to send by SMPP, kept so that the tests are seen to catch them.

Rules of this file: each class has one fault and is otherwise as good as it can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from aiosmpplib import (  # type: ignore[import-untyped]  # carries no types
    ESME,
    NPI,
    TON,
    PhoneNumber,
    SmppMessage,
    SubmitSm,
    SubmitSmResp,
)
from aiosmpplib.hook import AbstractHook  # type: ignore[import-untyped]  # carries no types

from otpcore.ports import Accepted, CodeOwner, Failure, FailureKind, ProviderCapabilities, SendEffect, SendRequest
from otpcore_smpp import SmppSettings

__all__ = ["LibraryProvider"]


class _Hook(AbstractHook):  # type: ignore[misc]  # its base carries no types
    """Gives answers to those who wait for them."""

    def __init__(self) -> None:
        self.waiting: dict[str, asyncio.Future[SubmitSmResp]] = {}

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None: ...

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        if isinstance(smpp_message, SubmitSmResp) and smpp_message.log_id in self.waiting:
            self.waiting[smpp_message.log_id].set_result(smpp_message)

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:
        if isinstance(smpp_message, SubmitSm):
            self.waiting[smpp_message.log_id].set_exception(error)


class _Esme(ESME):  # type: ignore[misc]  # its base carries no types
    """Keeps its connections, which it does not close itself."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.opened: list[asyncio.StreamWriter] = []

    async def connect(self) -> None:
        await super().connect()
        if self._writer is not None:
            self.opened.append(self._writer)


class LibraryProvider:
    """aiosmpplib's own queue, with a future and a deadline for each message, as its examples have it.

    The fault: without a link a message waits in the queue, and is sent when there is one.
    """

    def __init__(self, settings: SmppSettings, handler: logging.Handler | None = None, **options: Any) -> None:
        self.capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))
        self._hook = _Hook()
        self.esme = _Esme(
            settings.host,
            settings.port,
            settings.system_id,
            settings.password.get_secret_value(),
            hook=self._hook,
            log_handler=handler or logging.NullHandler(),
            **options,
        )
        self.running: asyncio.Task[None] | None = None

    async def send(self, request: SendRequest) -> Accepted | Failure:
        if self.running is None:
            self.running = asyncio.create_task(self.esme.start())
        message = SubmitSm(
            short_message=request.message.text if request.message else f"{request.code}",
            source=PhoneNumber("Otpcore", TON.ALPHANUMERIC, NPI.UNKNOWN),
            destination=PhoneNumber(request.recipient[1:], TON.INTERNATIONAL, NPI.ISDN),
            log_id=request.send_id,
        )
        answer = self._hook.waiting[request.send_id] = asyncio.get_running_loop().create_future()
        await self.esme.broker.enqueue(message)
        try:
            response = await asyncio.wait_for(answer, request.timeout_s)
        except TimeoutError:
            return Failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN)
        except OSError:
            return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN)
        finally:
            del self._hook.waiting[request.send_id]
        return Accepted(response.message_id)

    async def close(self) -> None:
        if self.running is not None:
            self.running.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self.running
        for writer in self.esme.opened:
            writer.transport.abort()
