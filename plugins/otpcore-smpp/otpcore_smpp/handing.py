"""A receipt on its way from the link to the application.

Rules of this file: a receipt is answered when the application has taken it, and not before; one that says nothing is
answered at once. Nothing of it is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from otpcore import Received
from otpcore.ports import InboundRequest
from otpcore_smpp.pdu import PduError
from otpcore_smpp.receipts import Seal, events_of
from otpcore_smpp.settings import SmppSettings
from otpcore_smpp.statuses import OK, TRY_LATER

__all__ = ["Hand", "Receipts"]

log = logging.getLogger("otpcore_smpp")

AGAIN_S: Final = (0.2, 1.0, 5.0)
"""Waits after which a receipt that was early is handed over again: it can be faster than the response to its submit_sm,
or than the commit that writes that response down."""

EARLY: Final = 1000
"""Receipts that wait so at one time; more are let go."""


Hand = Callable[[InboundRequest], Awaitable[object]]
"""Gives a receipt to the application; the answer is that of `Engine.receipt`."""


class Receipts:
    """Receipts on their way from the link to the application, on one event loop.

    Args:
        seal: of the provider.
        settings: of the provider.
        hand: see `Hand`; None while nobody asked for receipts, and then they are answered and dropped.
    """

    def __init__(self, seal: Seal, settings: SmppSettings, hand: Callable[[], Hand | None]) -> None:
        self._seal = seal
        self._settings = settings
        self._hand = hand
        self._early: set[asyncio.Task[None]] = set()

    async def delivered(self, body: bytes) -> int:
        """Take a deliver_sm; the status to answer with."""
        hand = self._hand()
        try:
            events = events_of(body, self._settings)
        except PduError:
            log.warning("SMPP link: a deliver_sm that cannot be read was dropped")
            return OK  # it would be as unreadable the next time
        if hand is None or not events:
            return OK
        request = self._seal.sealed(body)
        try:
            result = await hand(request)
        except Exception as error:  # noqa: BLE001  # whatever the application met, the SMSC is to deliver again
            log.warning("SMPP link: a receipt was not taken (%s); it is to come again", type(error).__name__)
            return TRY_LATER
        if not isinstance(result, Received):
            return TRY_LATER
        if result.early and len(self._early) < EARLY:
            task = asyncio.get_running_loop().create_task(self._again(hand, request))
            self._early.add(task)
            task.add_done_callback(self._early.discard)
        return OK

    async def _again(self, hand: Hand, request: InboundRequest) -> None:
        """Hand over what came too early, a few times."""
        for wait_s in AGAIN_S:
            await asyncio.sleep(wait_s)
            try:
                result = await hand(request)
            except Exception as error:  # noqa: BLE001  # the next time may be better
                log.warning("SMPP link: a receipt was not taken (%s)", type(error).__name__)
                continue
            if isinstance(result, Received) and not result.early:
                return

    async def close(self) -> None:
        """Let go of what waits."""
        for task in self._early:
            task.cancel()
        await asyncio.gather(*self._early, return_exceptions=True)
