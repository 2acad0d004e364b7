"""The Twilio provider against the provider conformance kit, in both colours."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings


def settings_for(origin: str) -> TwilioSettings:
    return TwilioSettings(
        account_sid="AC" + "0" * 32, auth_token=SecretStr("t" * 32), service_sid="VA" + "1" * 32, origin=origin
    )


class TestTwilio(ProviderContract):
    handle: ClassVar[str] = "VE" + "a" * 32

    def make(self, origin: str) -> TwilioProvider:
        return TwilioProvider(settings_for(origin))

    def make_async(self, origin: str) -> AsyncTwilioProvider:
        return AsyncTwilioProvider(settings_for(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        resource = {"sid": self.handle, "service_sid": "VA" + "1" * 32, "to": self.recipient, "channel": "sms"}
        if request.path.endswith("/Verifications"):
            return WireAnswer.of_json(201, resource | {"status": "pending", "valid": False})
        right = request.form.get("Code") == self.code
        return WireAnswer.of_json(200, resource | {"status": "approved" if right else "pending", "valid": right})

    def refusal(self, status: int) -> WireAnswer:
        message = f"Invalid parameter `To`: {self.recipient}"
        return WireAnswer.of_json(status, {"code": 60200, "message": message, "status": status})

    def unauthorised(self) -> WireAnswer:
        return WireAnswer.of_json(401, {"code": 20003, "message": "Authenticate", "status": 401, "detail": ""})
