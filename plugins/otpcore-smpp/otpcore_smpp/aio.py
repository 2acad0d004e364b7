"""`AsyncSmppProvider`: codes over an SMPP link, awaited.

Rules of this file: see `sending`, which both colours drive. The blocking twin in `blocking` has the same methods in the
same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from otpcore.ports import Accepted, Failure, InboundRequest, SendRequest
from otpcore_smpp.account import Account
from otpcore_smpp.sending import MARGIN, Sender
from otpcore_smpp.settings import SmppSettings

__all__ = ["AsyncSmppProvider"]


class AsyncSmppProvider(Account):
    """Codes over a link to an SMSC.

    Implements `AsyncProvider` and `ReadsReceipts`. The link is opened by the first send, on its event loop, and is
    kept until `close`; another loop, and a forked child, open one of their own. `close` ends those of all loops.

    Args:
        settings: where the SMSC is, and as whom to bind.

    Raises:
        ConfigurationError: `ca_file` cannot be read.
    """

    def __init__(self, settings: SmppSettings) -> None:
        super().__init__(settings)
        self._sender = Sender(settings, self._tls, self._seal)

    def deliver_to(self, take: Callable[[InboundRequest], Awaitable[object]]) -> None:
        """Say who takes the receipts that come over the link: `lambda it: engine.receipt("smpp", it)`.

        A receipt is answered when `take` has answered with `Received`; else the SMSC is asked to deliver it again.
        Until this is called, receipts are answered and dropped.

        Args:
            take: awaited on the link's event loop, a few at one time, in any order, perhaps twice for one receipt.
        """
        self._sender.hand = take

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """Submit the message once. Without a link it is refused: nothing is kept for later."""
        timeout_s = min(request.timeout_s, self._settings.timeout_s)
        return await self._sender.send(request, asyncio.get_running_loop().time() + timeout_s * (1 - MARGIN))

    async def close(self) -> None:
        """Unbind, on every loop; what is sent afterwards is refused. Calling it twice is harmless."""
        await self._sender.close()
