"""`AwsProvider`: End User Messaging SMS (`SendTextMessage`), blocking.

Rules of this file: the order of things, no decisions; values are made in `parameters` and read in `translate`, waits
are kept in `transport`. The SDK is imported at first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from otpcore.ports import Accepted, DeliveryEvent, Failure, InboundRequest, Outcome, SendRequest
from otpcore.providers.transport import under_way
from otpcore_aws import translate
from otpcore_aws.account import Account
from otpcore_aws.parameters import TEXT_EXTRA, text_parameters
from otpcore_aws.receipts import events_of
from otpcore_aws.settings import AwsSettings
from otpcore_aws.signature import Signatures

__all__ = ["AwsProvider"]


class AwsProvider(Account[AwsSettings]):
    """AWS End User Messaging SMS.

    Implements `Provider`, `TakesFeedback`, `ReadsReceipts` and `HasNativeClient`. Safe for threads; a forked child
    opens its own connections.

    Args:
        settings: region, credentials, senders.

    Raises:
        ConfigurationError: something is missing or misshapen; names it.
    """

    service: ClassVar[str] = "pinpoint-sms-voice-v2"
    extra_names = frozenset(TEXT_EXTRA)

    def __init__(self, settings: AwsSettings) -> None:
        super().__init__(settings)
        self._signatures = Signatures(settings.receipt_topic, settings.receipt_certificates)

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Hand one message to AWS."""
        parameters = text_parameters(request, self._settings, datetime.now(UTC))
        if isinstance(parameters, Failure):
            return parameters
        with under_way(self._attempt(request.timeout_s)) as attempt:
            try:
                answer = self.native_client.send_text_message(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return translate.send_failure(error, attempt)
        return translate.accepted(answer, attempt)

    def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """Tell AWS whether the code of a message arrived; only where `message_feedback` is on."""
        asked = self._settings.message_feedback and translate.MESSAGE_ID.fullmatch(handle) and timeout_s > 0
        if not asked:
            return False
        feedback = translate.feedback_of(outcome)
        with under_way(self._attempt(timeout_s)):
            try:
                answer = self.native_client.put_message_feedback(MessageId=handle, MessageFeedbackStatus=feedback)
            except Exception:  # noqa: BLE001  # "nobody knows" is False
                return False
        return translate.is_taken(answer, handle, feedback)

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`: events that came through SNS, once their signature fits."""
        return events_of(self._signatures.judge(request))
