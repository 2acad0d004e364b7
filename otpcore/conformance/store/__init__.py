"""The conformance kit for stores: subclass `StoreContract` and run pytest."""

from otpcore.conformance.store.contract import StoreContract
from otpcore.conformance.store.requirement import Claim, Requirement

__all__ = ["Claim", "Requirement", "StoreContract"]
