"""`SnsProvider`: Amazon SNS, a message to a number (`Publish`), blocking.

Rules of this file: as for `text`.
"""

from __future__ import annotations

from typing import ClassVar

from otpcore.ports import Accepted, Failure, SendRequest
from otpcore.providers.transport import under_way
from otpcore_aws import translate
from otpcore_aws.account import Account
from otpcore_aws.parameters import SNS_EXTRA, publish_parameters
from otpcore_aws.settings import SnsSettings

__all__ = ["SnsProvider"]


class SnsProvider(Account[SnsSettings]):
    """Amazon SNS.

    Implements `Provider` and `HasNativeClient`. SNS takes no end of life, tells of no outcome, and signs no receipts
    (it writes to CloudWatch's logs). Safe for threads; a forked child opens its own connections.

    Args:
        settings: region, credentials, senders.

    Raises:
        ConfigurationError: something is missing or misshapen; names it.
    """

    service: ClassVar[str] = "sns"
    extra_names = frozenset(SNS_EXTRA)

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Hand one message to SNS."""
        parameters = publish_parameters(request, self._settings)
        if isinstance(parameters, Failure):
            return parameters
        with under_way(self._attempt(request.timeout_s)) as attempt:
            try:
                answer = self.native_client.publish(**parameters)
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                return translate.send_failure(error, attempt)
        return translate.accepted(answer, attempt)
