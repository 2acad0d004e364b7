"""The Messaging provider against the provider conformance kit, in both colours."""

from __future__ import annotations

import base64
import hmac
from typing import ClassVar
from urllib.parse import urlencode

from pydantic import SecretStr

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.ports import DeliveryState, InboundRequest
from otpcore_twilio import AsyncTwilioMessagingProvider, TwilioMessagingProvider, TwilioMessagingSettings

TOKEN = "t" * 32
CALLBACK = "https://otp.example.com/receipts/twilio?tenant=7"


def settings_for(origin: str) -> TwilioMessagingSettings:
    return TwilioMessagingSettings(
        account_sid="AC" + "0" * 32,
        auth_token=SecretStr(TOKEN),
        sender="+12025550100",
        origin=origin,
        status_callback=CALLBACK,
        provide_feedback=True,
    )


class TestTwilioMessaging(ProviderContract):
    handle: ClassVar[str] = "SM" + "a" * 32

    def make(self, origin: str) -> TwilioMessagingProvider:
        return TwilioMessagingProvider(settings_for(origin))

    def make_async(self, origin: str) -> AsyncTwilioMessagingProvider:
        return AsyncTwilioMessagingProvider(settings_for(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        if request.path.endswith("/Feedback.json"):
            return WireAnswer.of_json(200, {"message_sid": self.handle, "outcome": request.form["Outcome"]})
        resource = {"sid": self.handle, "to": self.recipient, "status": "queued", "num_segments": "1"}
        return WireAnswer.of_json(201, resource)

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        form = {"MessageSid": self.handle, "MessageStatus": state.value, "To": self.recipient, "From": "+12025550100"}
        if state is DeliveryState.UNDELIVERED:
            form["ErrorCode"] = "30003"
        if size:
            form["Padding"] = "x" * size
        text = CALLBACK + "".join(f"{name}{form[name]}" for name in sorted(form))
        signature = base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha1")).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
        return InboundRequest(
            "POST", CALLBACK.removeprefix("https://otp.example.com"), headers, urlencode(form).encode()
        )

    def refusal(self, status: int) -> WireAnswer:
        message = f"The 'To' number {self.recipient} is not a valid phone number."
        return WireAnswer.of_json(status, {"code": 21211, "message": message, "status": status})

    def unauthorised(self) -> WireAnswer:
        return WireAnswer.of_json(401, {"code": 20003, "message": "Authenticate", "status": 401, "detail": ""})
