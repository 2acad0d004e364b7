"""`AsyncTwilioMessagingProvider`: Programmable Messaging, awaited.

Rules of this file: as for `otpcore_twilio.aio`. The blocking twin is `sync`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otpcore.ports import Accepted, Failure, Outcome, SendRequest
from otpcore_twilio.messaging import translate
from otpcore_twilio.messaging.account import MessagingAccount
from otpcore_twilio.messaging.errors import row_for
from otpcore_twilio.settings import Origin
from otpcore_twilio.translate import send_failure

if TYPE_CHECKING:
    from otpcore_twilio.aio_transport import AsyncDeadlineHttpClient

__all__ = ["AsyncTwilioMessagingProvider"]


class AsyncTwilioMessagingProvider(MessagingAccount["AsyncDeadlineHttpClient"]):
    """Programmable Messaging.

    Implements `AsyncProvider`, `AsyncTakesFeedback`, `ReadsReceipts` and `HasNativeClient`. One instance serves any
    number of event loops; a forked child opens its own connections.

    Args:
        settings: account, credentials, Messaging Service or sender.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """Send the core's words, once; Twilio drops the message when its code has ended."""
        parameters = self._parameters(request)
        if isinstance(parameters, Failure):
            return parameters
        with self._attempt(request.timeout_s) as attempt:
            try:
                message = await self.native_client.messages.create_async(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return send_failure(error, attempt, row_for)
        return translate.accepted(message)

    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """Tell Twilio what became of the code in a message."""
        told = self._feedback(handle, outcome, timeout_s)
        if told is None:
            return False
        with self._attempt(timeout_s):
            try:
                feedback = await self.native_client.messages(handle).feedback.create_async(outcome=told)
            except Exception:  # noqa: BLE001  # "nobody knows" is False
                return False
        return translate.has_outcome(feedback, handle, told)

    async def close(self) -> None:
        """See `AsyncProvider.close`."""
        if self._transport is not None:
            await self._transport.close()

    def _make_transport(self, origin: Origin, timeout_s: float) -> AsyncDeadlineHttpClient:
        from otpcore_twilio.aio_transport import AsyncDeadlineHttpClient  # noqa: PLC0415  # brings the SDK

        return AsyncDeadlineHttpClient(origin, timeout_s)
