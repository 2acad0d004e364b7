"""`VonageProvider`: Vonage Verify v2, blocking. Vonage's SDK has no awaited client, so there is no awaited twin.

Rules of this file: the order of things, no decisions; values are translated in `translate`, waits are kept in
`transport`. The SDK is imported at first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CodeOwner,
    DeliveryEvent,
    Failure,
    InboundRequest,
    Outcome,
    ProviderCapabilities,
    ProviderLimit,
    ResendSemantics,
    SendRequest,
)
from otpcore.providers.loading import loading
from otpcore.providers.transport import Origin, under_way
from otpcore_vonage import translate
from otpcore_vonage.attempt import Attempt
from otpcore_vonage.receipts import Callbacks
from otpcore_vonage.settings import VonageSettings, secret_of

if TYPE_CHECKING:
    from otpcore_vonage.transport import DeadlineHttpClient

__all__ = ["VonageProvider"]


def capabilities_of(settings: VonageSettings, origin: Origin) -> ProviderCapabilities:
    """What an instance with these settings can do.

    A code lives as long as the longest workflow, in which each step is one message; the first is the one that was
    asked for, and the others Vonage may send by itself.
    """
    owners = {CodeOwner.PROVIDER, CodeOwner.CORE} if settings.custom_code_enabled else {CodeOwner.PROVIDER}
    life = timedelta(seconds=settings.steps * settings.channel_timeout_s)
    return ProviderCapabilities(
        frozenset(owners),
        frozenset(settings.channels),
        resend=ResendSemantics.SAME_CODE,
        limit=ProviderLimit(settings.steps, life),
        code_lifetime=life,
        code_digits=(settings.code_length, settings.code_length),
        simulated=origin.loopback and origin.scheme == "http",
        stands_in=origin.loopback and origin.scheme == "http",
        scope=f"vonage:{settings.api_key or settings.application_id}",
        extra_sends=settings.steps - 1,
        extra_names=frozenset(translate.EXTRA),
    )


class VonageProvider:
    """Vonage Verify v2.

    Implements `Provider`, `Checks`, `Cancels`, `TakesFeedback`, `ReadsReceipts` and `HasNativeClient`. Safe for
    threads; a forked child opens its own connections.

    Args:
        settings: application or account, brand, workflow.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def __init__(self, settings: VonageSettings) -> None:
        self._credentials = settings.credentials()
        self._origin = Origin.parse(settings.origin)
        self._settings = settings
        self._capabilities = capabilities_of(settings, self._origin)
        self._callbacks = Callbacks(secret_of(settings.signature_secret), settings.application_id, settings.api_key)
        self._client: Any = None
        self._transport: DeadlineHttpClient | None = None

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        return self._capabilities

    @property
    def native_client(self) -> Any:
        """The `vonage_verify.Verify`, made at first use; its calls keep the deadline of the settings."""
        if self._client is not None:
            return self._client
        with loading():
            if self._client is None:
                from otpcore_vonage.models import client_over  # noqa: PLC0415  # brings the SDK
                from otpcore_vonage.transport import DeadlineHttpClient  # noqa: PLC0415  # as above

                self._transport = DeadlineHttpClient(self._credentials, self._origin, self._settings.timeout_s)
                self._client = client_over(self._transport)
            return self._client

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Start a verification, or move a live one on to its next channel.

        A code of the core goes out only in a verification of its own: the one before is ended first. Where Vonage
        says that the number has a live verification, that one is adopted (see `docs/providers/vonage.md`).
        """
        fields = translate.new_request(request, self._settings)
        if isinstance(fields, Failure):
            return fields
        with self._attempt(request.timeout_s) as attempt:
            handle = request.handle if translate.REQUEST_ID.fullmatch(request.handle or "") else None
            if handle is not None and request.code is not None:
                self.cancel(handle, attempt.left_s / 2)
            elif handle is not None:
                moved = self._move_on(handle, attempt)
                if moved is not None:
                    return moved
            return self._start(request, fields, attempt)

    def _start(self, request: SendRequest, fields: dict[str, Any], whole: Attempt) -> Accepted | Failure:
        with under_way(Attempt(whole.ends_at)) as attempt:
            try:
                client = self.native_client  # loads the SDK, and keeps forks off meanwhile
                from otpcore_vonage.models import verify_request  # noqa: PLC0415  # loaded by now

                response = client.start_verification(verify_request(fields))
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                if attempt.status == translate.CONFLICT:
                    return self._met(error, request, attempt)
                return translate.send_failure(error, attempt)
        return translate.accepted(response)

    def _met(self, error: Exception, request: SendRequest, attempt: Attempt) -> Accepted | Failure:
        """A live verification of this number is in the way: adopt it, or end it where it cannot hold our code."""
        owner, live = translate.owner_of(request), translate.adopted(attempt)
        if live is not None and self._settings.adopts:
            if owner is CodeOwner.PROVIDER:
                return Accepted(live, error)
            self.cancel(live, attempt.left_s)
        return translate.held_elsewhere(error, attempt, owner=owner)

    def _move_on(self, handle: str, whole: Attempt) -> Accepted | Failure | None:
        """Send on the next channel; None where Vonage does not know the verification any more."""
        with under_way(Attempt(whole.ends_at)) as attempt:
            try:
                self.native_client.trigger_next_workflow(handle)
            except Exception as error:  # noqa: BLE001  # as above
                return None if attempt.status == translate.NOT_FOUND else translate.send_failure(error, attempt)
        return Accepted(handle)

    def check(self, request: CheckRequest) -> CheckAnswer:
        """Try a code of a verification, by its id."""
        problem = translate.check_problem(request)
        if problem is not None:
            return problem
        with self._attempt(request.timeout_s) as attempt:
            try:
                response = self.native_client.check_code(request.handle, request.code)
            except Exception as error:  # noqa: BLE001  # as above
                return translate.check_failure(error, attempt)
            return translate.check_answer(response, request, attempt)

    def cancel(self, handle: str, timeout_s: float) -> bool:
        """End a verification, so that its code is void and no further step is taken."""
        if not translate.REQUEST_ID.fullmatch(handle) or timeout_s <= 0:
            return False
        with self._attempt(timeout_s) as attempt:
            try:
                self.native_client.cancel_verification(handle)
            except Exception:  # noqa: BLE001  # "nobody knows" is False
                return False
            return attempt.status == translate.NO_CONTENT

    def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:  # noqa: ARG002  # both end it
        """End the verification of a code that the core made, or Vonage would go on to the next channel."""
        return self._settings.custom_code_enabled and self.cancel(handle, timeout_s)

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`: event and summary callbacks, once their signature fits."""
        return self._callbacks.read(request)

    def close(self) -> None:
        """See `Provider.close`."""
        if self._transport is not None:
            self._transport.close()

    def _attempt(self, timeout_s: float) -> AbstractContextManager[Attempt]:
        return under_way(Attempt.lasting(min(timeout_s, self._settings.timeout_s)))

    def __repr__(self) -> str:
        return f"VonageProvider({self._settings.application_id or self._settings.api_key})"
