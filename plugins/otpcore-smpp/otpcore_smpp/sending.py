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
    """A link for each event loop, opened by the first send on it and kept until `close`, or until the loop is closed.

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
        self._links: dict[asyncio.AbstractEventLoop, Link] = {}
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
        if self._is_closed():
            return CLOSED
        link = self._here()
        if self._is_closed():  # by another thread, meanwhile
            await link.close()
            return CLOSED
        session = await link.session(deadline)
        if isinstance(session, Failure):
            return session
        answer: Accepted | Failure = CLOSED
        for number, body in enumerate(bodies, 1):
            answer = told(await session.submit(body, deadline), self._settings, number)
            if isinstance(answer, Failure):
                return answer if number == 1 else in_doubt(answer)
        return answer

    def _is_closed(self) -> bool:
        return self._closed

    def _here(self) -> Link:
        loop = asyncio.get_running_loop()
        link = self._links.get(loop)
        if link is None or link.given_up:
            for each in list(self._links):  # one by one: other threads add theirs meanwhile
                if each.is_closed() and (over := self._links.pop(each, None)) is not None:
                    over.cut()
            receipts = Receipts(self._seal, self._settings, lambda: self.hand)
            link = self._links[loop] = Link(self._settings, self._tls, receipts)
        return link

    async def close(self) -> None:
        """Unbind, on every loop. Calling it twice is harmless."""
        self._closed = True
        await asyncio.gather(*(link.close() for link in list(self._links.values())))
        self._links.clear()
