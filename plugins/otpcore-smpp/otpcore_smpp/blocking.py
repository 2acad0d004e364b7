"""`SmppProvider`: codes over an SMPP link, blocking.

Rules of this file: the link lives on an event loop in one thread of the provider's own, begun by the first send and
ended by `close`; a forked child begins its own. What is sent and when is decided in `sending` and below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Final, TypeVar

from otpcore.ports import Accepted, Failure, FailureKind, InboundRequest, SendEffect, SendRequest
from otpcore_smpp.account import Account
from otpcore_smpp.link import CLOSED
from otpcore_smpp.sending import MARGIN, Sender
from otpcore_smpp.session import DELIVERERS
from otpcore_smpp.settings import SmppSettings

__all__ = ["SmppProvider"]

log = logging.getLogger("otpcore_smpp")

T = TypeVar("T")

CLOSING_S: Final = 10.0

_live: weakref.WeakSet[SmppProvider] = weakref.WeakSet()
_left: list[object] = []
"""Loops, threads and pools of a parent: kept in the child, which must not end what it has not begun."""


class _Runner:
    """An event loop in a thread of its own, and the threads that hand receipts over."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._hands = ThreadPoolExecutor(DELIVERERS, thread_name_prefix="otpcore-smpp-receipts")
        self._thread = threading.Thread(target=self._loop.run_forever, name="otpcore-smpp", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[object, object, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def hand(self, take: Callable[[InboundRequest], object], request: InboundRequest) -> object:
        return await self._loop.run_in_executor(self._hands, take, request)

    def stop(self) -> None:
        """End loop and thread, whatever hangs on them. What the application still holds is not waited for."""
        with contextlib.suppress(TimeoutError):  # who does not let himself be ended is left behind with the loop
            self.call(self._end_others()).result(CLOSING_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._hands.shutdown(wait=False, cancel_futures=True)
        self._thread.join(CLOSING_S)
        if not self._thread.is_alive():
            self._loop.close()

    @staticmethod
    async def _end_others() -> None:
        """Whoever waits for a send is told."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class SmppProvider(Account):
    """Codes over a link to an SMSC.

    Implements `Provider` and `ReadsReceipts`. Safe for threads; a forked child opens a link of its own.

    Args:
        settings: where the SMSC is, and as whom to bind.

    Raises:
        ConfigurationError: `ca_file` cannot be read.
    """

    def __init__(self, settings: SmppSettings) -> None:
        super().__init__(settings)
        self._take: Callable[[InboundRequest], object] | None = None
        self._closed = False
        self._begin()
        _live.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._runner: _Runner | None = None
        self._sender = Sender(self._settings, self._tls, self._seal)
        self._sender.hand = None if self._take is None else self._hand

    def deliver_to(self, take: Callable[[InboundRequest], object]) -> None:
        """Say who takes the receipts that come over the link: `lambda it: engine.receipt("smpp", it)`.

        A receipt is answered when `take` has answered with `Received`; else the SMSC is asked to deliver it again.
        Until this is called, receipts are answered and dropped.

        Args:
            take: called on threads of the provider, a few at one time, in any order, perhaps twice for one receipt.
        """
        self._take = take
        self._sender.hand = self._hand

    async def _hand(self, request: InboundRequest) -> object:
        take, runner = self._take, self._runner
        if take is None or runner is None:
            raise RuntimeError("The provider is being closed.")
        return await runner.hand(take, request)

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Submit the message once. Without a link it is refused: nothing is kept for later."""
        timeout_s = min(request.timeout_s, self._settings.timeout_s)
        deadline = time.monotonic() + timeout_s * (1 - MARGIN)  # the loop's clock
        with self._lock:
            if self._closed:
                return CLOSED
            if self._runner is None:
                self._runner = _Runner()
            call = self._runner.call(self._sender.send(request, deadline))
        try:
            return call.result(max(0.0, deadline - time.monotonic()) + timeout_s * MARGIN)
        except TimeoutError:
            call.cancel()  # what is not written by now never is: its deadline has passed
            return Failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN, "The link's thread did not answer in time.")
        except CancelledError:
            return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, "The provider was closed during the send.")

    def close(self) -> None:
        """Unbind, and end the thread; what is sent afterwards is refused. Calling it twice is harmless.

        A receipt that the application still holds is not waited for: the SMSC delivers it again.
        """
        with self._lock:
            self._closed = True
            runner, self._runner = self._runner, None
        if runner is not None:
            try:
                runner.call(self._sender.close()).result(CLOSING_S)
            except TimeoutError:
                log.warning("SMPP link: it did not end in time, and is cut")
            finally:
                runner.stop()

    def forked(self) -> None:
        """In a child: leave the parent's thread, loop and link alone."""
        _left.append((self._runner, self._sender))
        self._begin()


def _in_child() -> None:
    for provider in list(_live):
        provider.forked()


os.register_at_fork(after_in_child=_in_child)
