"""`TwilioProvider`: Twilio Verify, blocking.

Rules of this file: the order of things, no decisions; values are translated in `translate`, waits are kept in
`transport`. The SDK is imported at first use. The awaited twin in `aio` has the same methods in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otpcore.ports import Accepted, CheckAnswer, CheckRequest, Failure, SendRequest
from otpcore_twilio import translate
from otpcore_twilio.account import Account
from otpcore_twilio.settings import Origin

if TYPE_CHECKING:
    from otpcore_twilio.transport import DeadlineHttpClient

__all__ = ["TwilioProvider"]


class TwilioProvider(Account["DeadlineHttpClient"]):
    """Twilio Verify.

    Implements `Provider`, `Checks`, `Cancels` and `HasNativeClient`. Safe for threads; a forked child opens its
    own connections.

    Args:
        settings: account, service, credentials.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Create the verification of a number, or send its code again where one is live."""
        parameters = translate.create_parameters(request, self._capabilities)
        if isinstance(parameters, Failure):
            return parameters
        with self._attempt(request.timeout_s) as attempt:
            try:
                verification = self._service().verifications.create(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return translate.send_failure(error, attempt)
        return translate.accepted(verification)

    def check(self, request: CheckRequest) -> CheckAnswer:
        """Try a code: by the verification's SID, or by number where no SID is known."""
        parameters = translate.check_parameters(request)
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
        if not translate.VERIFICATION_SID.fullmatch(handle) or timeout_s <= 0:
            return False
        with self._attempt(timeout_s):
            try:
                verification = self._service().verifications(handle).update(status="canceled")
            except Exception:  # noqa: BLE001  # "nobody knows" is False
                return False
        return translate.is_canceled(verification)

    def close(self) -> None:
        """See `Provider.close`."""
        if self._transport is not None:
            self._transport.close()

    def _make_transport(self, origin: Origin, timeout_s: float) -> DeadlineHttpClient:
        from otpcore_twilio.transport import DeadlineHttpClient  # noqa: PLC0415  # brings the SDK

        return DeadlineHttpClient(origin, timeout_s)
