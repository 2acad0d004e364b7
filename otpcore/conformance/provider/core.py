"""What the core makes of a provider: the same tests of a whole engine over it, in both colours.

Rules of this file: as for `otpcore.conformance.provider.contract`. The engine is the real one over a store in memory;
its clock is given, so that nobody waits for a lease.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from otpcore.conformance.provider.checks import Checks, usual_channel
from otpcore.conformance.provider.driven import Colour
from otpcore.conformance.provider.requirement import Claim, needs
from otpcore.conformance.provider.vendor import SERVE, Vendor
from otpcore.engine import AsyncEngine
from otpcore.model import SendState
from otpcore.ports import DeliveryState
from otpcore.receipts import Received
from otpcore.results import Sent, Wait
from otpcore.stores.memory import MemoryStore

__all__ = ["CoreChecks"]

KEY = "b0a5f3a2-6f0e-4c8e-9a0e-3f1d2c4b5a69"
A_MOMENT = timedelta(seconds=1)
LONGER_THAN_A_LEASE = timedelta(seconds=240)


class Desk:
    """An engine over one provider, in a loop of its own; use as a context manager.

    Args:
        provider: awaited.
        patience_s: for an operation of the engine.

    Attributes:
        ended: set when the newest operation is over; a cancelled one, when it has let go of what it held.
    """

    def __init__(self, provider: Any, patience_s: float) -> None:
        self.now = datetime.now(UTC)
        self.provider = provider
        self.ended = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._patience_s = patience_s
        self.channel = usual_channel(provider.capabilities.channels)
        self.engine = AsyncEngine(MemoryStore(), provider, timeout_s=10.0, clock=lambda: self.now)

    def begin(self, operation: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Start an operation."""
        self.ended = ended = threading.Event()

        async def watched() -> Any:
            try:
                return await operation
            finally:
                ended.set()

        return asyncio.run_coroutine_threadsafe(watched(), self._loop)

    def wait(self, operation: Coroutine[Any, Any, Any]) -> Any:
        """The result of an operation."""
        return self.begin(operation).result(self._patience_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.wait(self.engine.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class CoreChecks(Checks):
    """The part of the provider kit that is about a provider in its engine."""

    def _desk(self, colour: Colour, server: Vendor) -> Desk:
        made = self.make(server.origin) if colour == "blocking" else self.make_async(server.origin)
        return Desk(made, self.patience_s)

    def _start(self, desk: Desk, key: str | None = None) -> Coroutine[Any, Any, Any]:
        return desk.engine.start(self.recipient, channel=desk.channel, idempotency_key=key)

    def test_a_cancelled_send_is_unknown_and_keeps_its_step(self, colour: Colour, server: Vendor) -> None:
        """The message may be on its way: the ladder's step stays taken, and the record says that nobody knows."""
        with self._desk(colour, server) as desk:
            server.play("stall")
            call = desk.begin(self._start(desk, KEY))
            assert server.wait_for_requests(1, self.patience_s)
            call.cancel()
            assert desk.ended.wait(self.patience_s), "the cancelled call does not end"
            server.play(SERVE)
            again = desk.wait(self._start(desk))
            assert isinstance(again, Wait), f"the step of a cancelled send was given back: {again}"
            desk.now += LONGER_THAN_A_LEASE
            told = desk.wait(self._start(desk, KEY))
            assert isinstance(told, Sent), told
            assert (told.replayed, told.state) == (True, SendState.UNKNOWN), told
            assert len(server.requests) == 1, server.requests
            server.release()

    @needs(Claim.RECEIPTS)
    def test_a_receipt_is_taken_once(self, colour: Colour, server: Vendor) -> None:
        """Told again, or replayed by somebody, it changes nothing."""
        with self._desk(colour, server) as desk:
            genuine = self.receipt(DeliveryState.DELIVERED)  # in-band, only the provider that got it believes it
            told = [event.at for event in desk.provider.parse_receipt(genuine) if event.at is not None]
            desk.now = min(told, default=desk.now) - A_MOMENT  # what is older than its message is none of its own
            sent = desk.wait(self._start(desk))
            assert isinstance(sent, Sent), sent
            desk.now += 2 * A_MOMENT
            first, second = (desk.wait(desk.engine.receipt(None, genuine)) for _ in range(2))
            assert isinstance(first, Received), first
            assert first.applied == 1, first
            assert isinstance(second, Received), second
            assert (second.applied, second.replayed) == (0, first.applied + first.ignored), second
