"""AWS End User Messaging SMS, and SNS, for otpcore.

The providers are `AwsProvider` (`aws`) and `SnsProvider` (`aws-sns`): delivery only, the code is the core's. boto3 is
blocking, so they are, and the async engine serves them through its worker threads.

Rules of this file: registration and re-exports; importing it loads neither boto3 nor an HTTP library.
"""

from __future__ import annotations

from collections.abc import Iterable

from otpcore.hookspecs import ProviderType, hookimpl
from otpcore_aws.settings import AwsSettings, SnsSettings
from otpcore_aws.sns import SnsProvider
from otpcore_aws.text import AwsProvider

__all__ = ["AwsProvider", "AwsSettings", "SnsProvider", "SnsSettings"]


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The provider types `aws` and `aws-sns`."""
    return (
        ProviderType("aws", "AWS End User Messaging SMS", AwsSettings, AwsProvider),
        ProviderType("aws-sns", "Amazon SNS, text messages to numbers", SnsSettings, SnsProvider),
    )
