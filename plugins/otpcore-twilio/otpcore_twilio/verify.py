"""`TwilioProvider`: Twilio Verify, blocking.

Rules of this file: the order of things, no decisions; values are translated in `translate`, waits are kept in
`transport`. The SDK is imported at first use. The awaited twin in `aio` has the same methods in the same order.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CodeOwner,
    Failure,
    ProviderCapabilities,
    ProviderLimit,
    ResendSemantics,
    SendRequest,
)
from otpcore_twilio import translate
from otpcore_twilio.attempt import Attempt, under_way
from otpcore_twilio.settings import Origin, TwilioSettings

if TYPE_CHECKING:
    from otpcore_twilio.transport import DeadlineHttpClient

__all__ = ["TwilioProvider", "capabilities_of"]

WINDOW = timedelta(seconds=600)
"""Life of a verification, and the window of its sends, from the first one (Verify documentation, November 2026)."""

MAX_SENDS = 5
"""Sends to one number in the window, the sixth is error 60203 (the same source)."""


def capabilities_of(settings: TwilioSettings, origin: Origin) -> ProviderCapabilities:
    """What an instance with these settings can do."""
    owners = {CodeOwner.PROVIDER, CodeOwner.CORE} if settings.custom_code_enabled else {CodeOwner.PROVIDER}
    return ProviderCapabilities(
        frozenset(owners),
        frozenset({"sms", "call", "whatsapp"}),
        resend=ResendSemantics.SAME_CODE,
        limit=ProviderLimit(MAX_SENDS, WINDOW),
        code_lifetime=WINDOW,
        check_by_recipient=True,
        simulated=origin.loopback and origin.scheme == "http",
        stands_in=origin.loopback and origin.scheme == "http",
        scope=settings.service_sid,
    )


class TwilioProvider:
    """Twilio Verify.

    Implements `Provider`, `Checks`, `Cancels` and `HasNativeClient`. Safe for threads; a forked child opens its
    own connections.

    Args:
        settings: account, service, credentials.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def __init__(self, settings: TwilioSettings) -> None:
        self._credentials = settings.credentials()
        self._origin = Origin.parse(settings.origin)
        self._settings = settings
        self._capabilities = capabilities_of(settings, self._origin)
        self._lock = threading.Lock()
        self._client: Any = None
        self._transport: DeadlineHttpClient | None = None

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        return self._capabilities

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

    @property
    def native_client(self) -> Any:
        """The `twilio.rest.Client`, made at first use; its calls keep the deadline of the settings."""
        with self._lock:
            if self._client is None:
                from twilio.rest import Client  # type: ignore[import-untyped]  # noqa: PLC0415  # no types; 230 ms, at first use

                from otpcore_twilio.transport import DeadlineHttpClient  # noqa: PLC0415  # brings the SDK

                given = self._credentials
                self._transport = DeadlineHttpClient(self._origin, self._settings.timeout_s)
                self._client = Client(given.username, given.password, given.account_sid, http_client=self._transport)
            return self._client

    def _service(self) -> Any:
        return self.native_client.verify.v2.services(self._settings.service_sid)

    def _attempt(self, timeout_s: float) -> Any:
        return under_way(Attempt.lasting(min(timeout_s, self._settings.timeout_s)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.service_sid})"
