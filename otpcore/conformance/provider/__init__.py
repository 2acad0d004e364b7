"""The conformance kit for providers: subclass `ProviderContract` and run pytest."""

from otpcore.conformance.provider.checks import Checks
from otpcore.conformance.provider.contract import ProviderContract
from otpcore.conformance.provider.http_vendor import CERTIFICATE, HttpVendor
from otpcore.conformance.provider.misbehaving import MisbehavingServer, Scenario, WireAnswer, WireRequest
from otpcore.conformance.provider.vendor import SERVE, Ending, Vendor

__all__ = [
    "CERTIFICATE",
    "SERVE",
    "Checks",
    "Ending",
    "HttpVendor",
    "MisbehavingServer",
    "ProviderContract",
    "Scenario",
    "Vendor",
    "WireAnswer",
    "WireRequest",
]
