"""What both providers are made of: the settings, the SDK's client, and what they can do.

Rules of this file: nothing is sent here. The SDK is imported at first use.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from otpcore.ports import CodeOwner, ProviderCapabilities
from otpcore.providers.loading import loading
from otpcore.providers.transport import Attempt
from otpcore_aws.settings import AccountSettings

__all__ = ["Account"]

S = TypeVar("S", bound=AccountSettings)


class Account(Generic[S]):
    """One account in one region, and the SDK's client for one service of it.

    Args:
        settings: region, credentials, senders.

    Raises:
        ConfigurationError: something is missing or misshapen; names it.
    """

    service: ClassVar[str]
    extra_names: ClassVar[frozenset[str]]

    def __init__(self, settings: S) -> None:
        settings.require()
        self._settings = settings
        self._client: Any = None
        self._capabilities = ProviderCapabilities(
            frozenset({CodeOwner.CORE}),
            frozenset({"sms"}),
            simulated=settings.stands_in,
            stands_in=settings.stands_in,
            extra_names=self.extra_names,
        )

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        return self._capabilities

    @property
    def native_client(self) -> Any:
        """boto3's client of the service, made at first use; its calls keep the deadline of the settings."""
        client = self._client
        if client is None:
            with loading():
                if self._client is None:
                    from otpcore_aws.client import open_client  # noqa: PLC0415  # brings the SDK, 400 ms

                    self._client = open_client(self.service, self._settings)
                client = self._client
        return client

    def _attempt(self, timeout_s: float) -> Attempt:
        return Attempt.lasting(min(timeout_s, self._settings.timeout_s))

    def close(self) -> None:
        """See `Provider.close`."""
        if self._client is not None:
            self._client.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.region})"
