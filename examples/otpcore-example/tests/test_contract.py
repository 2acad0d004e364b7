"""The provider contract: each test is one requirement, and its docstring is the sentence."""

from __future__ import annotations

from otpcore_example import ExampleApi, ExampleSettings

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.ports import AsyncProvider, Provider
from otpcore.providers.http import awaited, blocking


class TestExample(ProviderContract):
    handle = "msg_0001"

    def api(self, origin: str) -> ExampleApi:
        return ExampleApi(ExampleSettings.model_validate({"origin": origin, "key": "k" * 32}))

    def make(self, origin: str) -> Provider:
        return blocking(self.api(origin))

    def make_async(self, origin: str) -> AsyncProvider:
        return awaited(self.api(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        """The vendor, when all is well."""
        return WireAnswer.of_json(201, {"id": self.handle})

    def refusal(self, status: int) -> WireAnswer:
        """The vendor, when it says no; like many it echoes the number, which must show nowhere."""
        return WireAnswer.of_json(status, {"error": "bad_number", "number": self.recipient})

    def unauthorised(self) -> WireAnswer:
        """The vendor, when the key is wrong."""
        return WireAnswer.of_json(401, {"error": "bad_key"})
