"""`AsyncTwilioProvider`: Twilio Verify, awaited.

Rules of this file: the order of things, no decisions; values are translated in `translate`, waits are kept in
`aio_transport`. The SDK is imported at first use. The blocking twin is `verify`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otpcore.ports import Accepted, CheckAnswer, CheckRequest, Failure, Outcome, SendRequest
from otpcore_twilio import translate
from otpcore_twilio.account import LOGGED, VerifyAccount
from otpcore_twilio.settings import Origin

if TYPE_CHECKING:
    from otpcore_twilio.aio_transport import AsyncDeadlineHttpClient

__all__ = ["AsyncTwilioProvider"]


class AsyncTwilioProvider(VerifyAccount["AsyncDeadlineHttpClient"]):
    """Twilio Verify.

    Implements `AsyncProvider`, `AsyncChecks`, `AsyncCancels`, `AsyncReconcilesCheck`, `AsyncTakesFeedback`,
    `ReadsReceipts` and `HasNativeClient`. One instance serves any number of event loops; a forked child opens its own
    connections.

    Args:
        settings: account, service, credentials.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """Create the verification of a number, or send its code again where one is live.

        A code of the core goes out only in a verification of its own: the one before is ended first.
        """
        parameters = translate.create_parameters(request, self._settings)
        if isinstance(parameters, Failure):
            return parameters
        with self._attempt(request.timeout_s) as attempt:
            if request.code is not None and request.handle is not None:
                await self.cancel(request.handle, attempt.left_s / 2)
            try:
                verification = await self._service().verifications.create_async(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return translate.send_failure(error, attempt)
            if older := translate.older_verification(verification, request):
                await self.cancel(older, attempt.left_s)
        return translate.accepted(verification, request)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """Try a code: by the verification's SID, or by number where no SID is known."""
        parameters = translate.check_parameters(request, self._settings)
        if isinstance(parameters, CheckAnswer):
            return parameters
        with self._attempt(request.timeout_s) as attempt:
            try:
                check = await self._service().verification_checks.create_async(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return translate.check_failure(error, attempt)
        return translate.check_answer(check, request)

    async def cancel(self, handle: str, timeout_s: float) -> bool:
        """End a verification, so that its code is void and the next send starts afresh."""
        return await self._update(handle, "canceled", timeout_s)

    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """Tell Twilio what became of a code that the core made."""
        return self._settings.custom_code_enabled and await self._update(handle, outcome.value, timeout_s)

    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        """Ask the log of attempts whether a verification was approved; it knows no payments, so of those never."""
        if not self._is_askable(handle, timeout_s) or self._settings.psd2_enabled:
            return None
        service_sid = self._settings.service_sid
        with self._attempt(timeout_s):
            try:
                attempts = await self.native_client.verify.v2.verification_attempts.list_async(
                    verify_service_sid=service_sid, verification_sid=handle, limit=LOGGED, page_size=LOGGED
                )
            except Exception:  # noqa: BLE001  # "cannot say" is None
                return None
        return translate.converted(attempts, handle, service_sid)

    async def _update(self, handle: str, status: str, timeout_s: float) -> bool:
        if not self._is_askable(handle, timeout_s):
            return False
        with self._attempt(timeout_s):
            try:
                verification = await self._service().verifications(handle).update_async(status=status)
            except Exception:  # noqa: BLE001  # "nobody knows" is False
                return False
        return translate.has_status(verification, handle, status)

    async def close(self) -> None:
        """See `AsyncProvider.close`."""
        if self._transport is not None:
            await self._transport.close()

    def _make_transport(self, origin: Origin, timeout_s: float) -> AsyncDeadlineHttpClient:
        from otpcore_twilio.aio_transport import AsyncDeadlineHttpClient  # noqa: PLC0415  # brings the SDK

        return AsyncDeadlineHttpClient(origin, timeout_s)
