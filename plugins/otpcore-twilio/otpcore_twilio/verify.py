"""`TwilioProvider`: Twilio Verify, blocking.

Rules of this file: the order of things, no decisions; values are translated in `translate`, waits are kept in
`transport`. The SDK is imported at first use. The awaited twin in `aio` has the same methods in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otpcore.ports import Accepted, CheckAnswer, CheckRequest, Failure, Outcome, SendRequest
from otpcore_twilio import translate
from otpcore_twilio.account import LOGGED, VerifyAccount
from otpcore_twilio.settings import Origin

if TYPE_CHECKING:
    from otpcore_twilio.transport import DeadlineHttpClient

__all__ = ["TwilioProvider"]


class TwilioProvider(VerifyAccount["DeadlineHttpClient"]):
    """Twilio Verify.

    Implements `Provider`, `Checks`, `Cancels`, `ReconcilesCheck`, `TakesFeedback`, `ReadsReceipts` and
    `HasNativeClient`. Safe for threads; a forked child opens its own connections.

    Args:
        settings: account, service, credentials.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Create the verification of a number, or send its code again where one is live.

        A code of the core goes out only in a verification of its own: the one before is ended first.
        """
        parameters = translate.create_parameters(request, self._settings)
        if isinstance(parameters, Failure):
            return parameters
        with self._attempt(request.timeout_s) as attempt:
            if request.code is not None and request.handle is not None:
                self.cancel(request.handle, attempt.left_s / 2)
            try:
                verification = self._service().verifications.create(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return translate.send_failure(error, attempt)
            if older := translate.older_verification(verification, request):
                self.cancel(older, attempt.left_s)
        return translate.accepted(verification, request)

    def check(self, request: CheckRequest) -> CheckAnswer:
        """Try a code: by the verification's SID, or by number where no SID is known."""
        parameters = translate.check_parameters(request, self._settings)
        if isinstance(parameters, CheckAnswer):
            return parameters
        with self._attempt(request.timeout_s) as attempt:
            try:
                check = self._service().verification_checks.create(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return translate.check_failure(error, attempt)
        return translate.check_answer(check, request)

    def cancel(self, handle: str, timeout_s: float) -> bool:
        """End a verification, so that its code is void and the next send starts afresh."""
        return self._update(handle, "canceled", timeout_s)

    def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """Tell Twilio what became of a code that the core made."""
        return self._settings.custom_code_enabled and self._update(handle, outcome.value, timeout_s)

    def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        """Ask the log of attempts whether a verification was approved; it knows no payments, so of those never."""
        if not self._is_askable(handle, timeout_s) or self._settings.psd2_enabled:
            return None
        service_sid = self._settings.service_sid
        with self._attempt(timeout_s):
            try:
                attempts = self.native_client.verify.v2.verification_attempts.list(
                    verify_service_sid=service_sid, verification_sid=handle, limit=LOGGED, page_size=LOGGED
                )
            except Exception:  # noqa: BLE001  # "cannot say" is None
                return None
        return translate.converted(attempts, handle, service_sid)

    def _update(self, handle: str, status: str, timeout_s: float) -> bool:
        if not self._is_askable(handle, timeout_s):
            return False
        with self._attempt(timeout_s):
            try:
                verification = self._service().verifications(handle).update(status=status)
            except Exception:  # noqa: BLE001  # "nobody knows" is False
                return False
        return translate.has_status(verification, handle, status)

    def close(self) -> None:
        """See `Provider.close`."""
        if self._transport is not None:
            self._transport.close()

    def _make_transport(self, origin: Origin, timeout_s: float) -> DeadlineHttpClient:
        from otpcore_twilio.transport import DeadlineHttpClient  # noqa: PLC0415  # brings the SDK

        return DeadlineHttpClient(origin, timeout_s)
