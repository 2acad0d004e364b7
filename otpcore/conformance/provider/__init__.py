"""The conformance kit for providers that speak HTTP: subclass `ProviderContract` and run pytest."""

from otpcore.conformance.provider.contract import ProviderContract
from otpcore.conformance.provider.misbehaving import MisbehavingServer, Scenario, WireAnswer, WireRequest

__all__ = ["MisbehavingServer", "ProviderContract", "Scenario", "WireAnswer", "WireRequest"]
