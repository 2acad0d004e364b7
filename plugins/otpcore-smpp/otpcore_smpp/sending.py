"""Sending over the link of the running event loop: what both colours do.

Rules of this file: the order of things, no decisions; values are translated in `messages`, waits are kept in `session`.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Final

from otpcore.ports import Accepted, Failure, SendRequest
from otpcore_smpp.handing import Hand, Receipts
from otpcore_smpp.link import CLOSED, Link
from otpcore_smpp.messages import in_doubt, parts_of, told
from otpcore_smpp.receipts import Seal
from otpcore_smpp.settings import SmppSettings

__all__ = ["MARGIN", "Sender"]

MARGIN: Final = 0.05
"""Part of a call's time that is kept for coming back."""


class Sender:
    """A link, opened by the first send on its event loop and kept until `close`; another loop gets another link.

    Args:
        settings: where the SMSC is, and as whom to bind.
        tls: how the link is encrypted; None: not.
        seal: of the provider.

    Attributes:
        hand: see `otpcore_smpp.handing.Receipts`.
    """

    def __init__(self, settings: SmppSettings, tls: ssl.SSLContext | None, seal: Seal) -> None:
        self.hand: Hand | None = None
        self._settings = settings
        self._tls = tls
        self._seal = seal
        self._link: Link | None = None
        self._receipts: Receipts | None = None
        self._closed = False

    async def send(self, request: SendRequest, deadline: float) -> Accepted | Failure:
        """Submit the message once.

        Args:
            request: as the core gave it.
            deadline: on the loop's clock.
        """
        bodies = parts_of(request, self._settings, datetime.now(UTC))
        if isinstance(bodies, Failure):
            return bodies
        if self._closed:
            return CLOSED
        session = await self._here().session(deadline)
        if isinstance(session, Failure):
            return session
        answer: Accepted | Failure = CLOSED
        for number, body in enumerate(bodies, 1):
            answer = told(await session.submit(body, deadline), self._settings, number)
            if isinstance(answer, Failure):
                return answer if number == 1 else in_doubt(answer)
        return answer

    def _here(self) -> Link:
        loop = asyncio.get_running_loop()
        if self._link is None or self._link.loop is not loop or self._link.given_up:
            self._receipts = Receipts(self._seal, self._settings, lambda: self.hand)
            self._link = Link(self._settings, self._tls, self._receipts.delivered)
        return self._link

    async def close(self) -> None:
        """Unbind. Calling it twice is harmless."""
        self._closed = True
        link, self._link = self._link, None
        receipts, self._receipts = self._receipts, None
        if link is not None and link.loop is asyncio.get_running_loop() and not link.given_up:
            await link.close()
            if receipts is not None:
                await receipts.close()
