"""The Twilio provider against the provider conformance kit, in both colours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import ClassVar

from pydantic import SecretStr

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.ports import DeliveryState, InboundRequest
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings

TOKEN = "t" * 32
SERVICE = "VA" + "1" * 32
PUBLIC = "https://otp.example.com"


def settings_for(origin: str) -> TwilioSettings:
    return TwilioSettings(
        account_sid="AC" + "0" * 32,
        auth_token=SecretStr(TOKEN),
        service_sid=SERVICE,
        origin=origin,
        public_url=PUBLIC,
        custom_code_enabled=True,
    )


class TestTwilio(ProviderContract):
    handle: ClassVar[str] = "VE" + "a" * 32
    own_words: ClassVar[bool] = True
    reconciled_field: ClassVar[str] = "conversion_status"
    reconciled_value: ClassVar[object] = "converted"

    def make(self, origin: str) -> TwilioProvider:
        return TwilioProvider(settings_for(origin))

    def make_async(self, origin: str) -> AsyncTwilioProvider:
        return AsyncTwilioProvider(settings_for(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        resource = {"sid": self.handle, "service_sid": SERVICE, "to": self.recipient, "channel": "sms"}
        if request.path.endswith("/Verifications"):
            return WireAnswer.of_json(201, resource | {"status": "pending", "valid": False})
        if "/Attempts" in request.path:
            attempt = {"sid": "VL" + "0" * 32, "verification_sid": self.handle, "service_sid": SERVICE}
            return WireAnswer.of_json(
                200, {"attempts": [attempt | {"conversion_status": "converted"}], "meta": {"key": "attempts"}}
            )
        if request.path.endswith(self.handle):
            return WireAnswer.of_json(200, resource | {"status": request.form["Status"]})
        right = request.form.get("Code") == self.code
        return WireAnswer.of_json(200, resource | {"status": "approved" if right else "pending", "valid": right})

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        data = {
            "service_sid": SERVICE,
            "verification_sid": self.handle,
            "to": self.recipient,
            "dlr_status": state.name,
            "error_code": "30003" if state is DeliveryState.UNDELIVERED else "",
            "created_at": "2026-11-22T12:00:00.000Z",
        }
        event = {
            "specversion": "1.0",
            "type": f"com.twilio.accountsecurity.verify.attempt-dlr.{state.value}",
            "id": f"EZ{hashlib.sha256(state.value.encode()).hexdigest()[:32]}",
            "data": data,
        }
        body = json.dumps([event]).encode().ljust(size)
        url = f"/twilio?bodySHA256={hashlib.sha256(body).hexdigest()}"
        signature = base64.b64encode(hmac.digest(TOKEN.encode(), f"{PUBLIC}{url}".encode(), "sha1")).decode()
        return InboundRequest("POST", url, {"Content-Type": "application/json", "X-Twilio-Signature": signature}, body)

    def refusal(self, status: int) -> WireAnswer:
        message = f"Invalid parameter `To`: {self.recipient}"
        return WireAnswer.of_json(status, {"code": 60200, "message": message, "status": status})

    def unauthorised(self) -> WireAnswer:
        return WireAnswer.of_json(401, {"code": 20003, "message": "Authenticate", "status": 401, "detail": ""})
