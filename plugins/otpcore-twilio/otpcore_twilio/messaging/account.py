"""What both colours of the Messaging provider are made of.

Rules of this file: as for `otpcore_twilio.account`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from otpcore.ports import (
    CodeOwner,
    DeliveryEvent,
    Failure,
    InboundRequest,
    Outcome,
    ProviderCapabilities,
    SendRequest,
)
from otpcore_twilio.account import Account
from otpcore_twilio.messaging import translate
from otpcore_twilio.messaging.settings import TwilioMessagingSettings
from otpcore_twilio.receipts import events_of
from otpcore_twilio.settings import Origin

__all__ = ["MessagingAccount"]

T = TypeVar("T")


class MessagingAccount(Account[TwilioMessagingSettings, T]):
    """One account and the sender of its messages.

    Args:
        settings: account, credentials, Messaging Service or sender.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def __init__(self, settings: TwilioMessagingSettings) -> None:
        settings.credentials()  # what is wrong with them is told before what is wrong with the rest
        origin = Origin.parse(settings.origin, "api")
        local = origin.loopback and origin.scheme == "http"
        capabilities = ProviderCapabilities(
            frozenset({CodeOwner.CORE}),
            frozenset({"sms"}),
            simulated=local,
            stands_in=local,
            extra_names=frozenset(translate.OF_MESSAGES),
        )
        super().__init__(settings, origin, capabilities, public_url=settings.receipts_at())

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`: status callbacks and Event Streams, once their signature fits."""
        return events_of(self._signatures.judge(request), service_sid="")

    def _parameters(self, request: SendRequest) -> dict[str, Any] | Failure:
        return translate.create_parameters(request, self._settings, datetime.now(UTC))

    def _feedback(self, handle: str, outcome: Outcome, timeout_s: float) -> str | None:
        """What to say of a message; None where Twilio was not told to expect it, or cannot be asked."""
        askable = self._settings.provide_feedback and translate.MESSAGE_SID.fullmatch(handle) and timeout_s > 0
        return translate.OUTCOMES[outcome] if askable else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.messaging_service_sid or self._settings.account_sid})"
