"""What both colours of a provider are made of: the settings, the SDK's client, and what the account can do.

`Account` is what Verify and Programmable Messaging have in common, `VerifyAccount` is Verify's.

Rules of this file: nothing is sent here; the methods that send are in `verify` and `aio`. The SDK is imported at
first use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Generic, TypeVar

from otpcore.ports import (
    CodeOwner,
    DeliveryEvent,
    InboundRequest,
    ProviderCapabilities,
    ProviderLimit,
    ResendSemantics,
)
from otpcore.providers.loading import loading
from otpcore.providers.transport import Attempt, under_way
from otpcore_twilio.parameters import OF_SENDS
from otpcore_twilio.receipts import events_of
from otpcore_twilio.settings import AccountSettings, Origin, TwilioSettings, secret_of
from otpcore_twilio.signature import Signatures
from otpcore_twilio.translate import VERIFICATION_SID

__all__ = ["LOGGED", "Account", "VerifyAccount"]

WINDOW = timedelta(seconds=600)
"""Life of a verification, and the window of its sends, from the first one (Verify documentation, November 2026)."""

MAX_SENDS = 5
"""Sends to one number in the window, the sixth is error 60203 (the same source)."""

LOGGED = 20
"""Attempts of one verification that are asked for, in one page; it has at most five."""

S = TypeVar("S", bound=AccountSettings)
T = TypeVar("T")


def capabilities_of(settings: TwilioSettings, origin: Origin) -> ProviderCapabilities:
    """What an instance with these settings can do."""
    owners = {CodeOwner.PROVIDER, CodeOwner.CORE} if settings.custom_code_enabled else {CodeOwner.PROVIDER}
    return ProviderCapabilities(
        frozenset(owners),
        frozenset(settings.channels),
        resend=ResendSemantics.SAME_CODE,
        limit=ProviderLimit(MAX_SENDS, WINDOW),
        code_lifetime=WINDOW,
        check_by_recipient=True,
        simulated=origin.loopback and origin.scheme == "http",
        stands_in=origin.loopback and origin.scheme == "http",
        scope=settings.service_sid,
        extra_names=frozenset(OF_SENDS),
    )


class Account(ABC, Generic[S, T]):
    """One account and the SDK's client for it, over a transport `T`.

    Args:
        settings: account, credentials, and what the provider needs beside.
        origin: where its product is.
        capabilities: what the provider can do.
        public_url: under which Twilio reaches this application's receipts; "" where it does not.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def __init__(self, settings: S, origin: Origin, capabilities: ProviderCapabilities, *, public_url: str) -> None:
        self._credentials = settings.credentials()
        self._origin = origin
        self._settings = settings
        self._capabilities = capabilities
        self._signatures = Signatures(public_url, secret_of(settings.auth_token), secret_of(settings.webhook_secret))
        self._client: Any = None
        self._transport: T | None = None

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        return self._capabilities

    @property
    def native_client(self) -> Any:
        """The `twilio.rest.Client`, made at first use; its calls keep the deadline of the settings."""
        if self._client is not None:
            return self._client
        with loading():
            if self._client is None:
                from twilio.rest import Client  # type: ignore[import-untyped]  # noqa: PLC0415  # no types; 230 ms, at first use

                given = self._credentials
                transport: Any = self._make_transport(self._origin, self._settings.timeout_s)
                self._transport = transport
                self._client = Client(given.username, given.password, given.account_sid, http_client=transport)
            return self._client

    @abstractmethod
    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`."""

    @abstractmethod
    def _make_transport(self, origin: Origin, timeout_s: float) -> T:
        """The colour's own."""

    def _attempt(self, timeout_s: float) -> AbstractContextManager[Attempt]:
        return under_way(Attempt.lasting(min(timeout_s, self._settings.timeout_s)))


class VerifyAccount(Account[TwilioSettings, T]):
    """One Verify service of one account.

    Args:
        settings: account, service, credentials.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def __init__(self, settings: TwilioSettings) -> None:
        settings.credentials()  # what is wrong with them is told before what is wrong with the rest
        origin = Origin.parse(settings.origin)
        super().__init__(settings, origin, capabilities_of(settings, origin), public_url=settings.public_url)

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`: Event Streams and status callbacks, once their signature fits."""
        return events_of(self._signatures.judge(request), self._settings.service_sid)

    def _service(self) -> Any:
        return self.native_client.verify.v2.services(self._settings.service_sid)

    def _is_askable(self, handle: str, timeout_s: float) -> bool:
        """Whether a handle may go into a path, and there is time to ask."""
        return VERIFICATION_SID.fullmatch(handle) is not None and timeout_s > 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.service_sid})"
