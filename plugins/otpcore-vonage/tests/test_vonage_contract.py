"""The Vonage provider against the provider conformance kit; its SDK blocks, so the core's workers await it."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from typing import ClassVar

import jwt
from pydantic import SecretStr

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.ports import DeliveryState, InboundRequest
from otpcore_vonage import VonageProvider, VonageSettings

SECRET = "s" * 32
WORDS = {DeliveryState.DELIVERED: "completed", DeliveryState.UNDELIVERED: "failed"}


def settings_for(origin: str) -> VonageSettings:
    return VonageSettings(
        api_key="abcd1234",
        api_secret=SecretStr("t" * 16),
        signature_secret=SecretStr(SECRET),
        brand="ACME",
        custom_code_enabled=True,
        origin=origin,
    )


class TestVonage(ProviderContract):
    handle: ClassVar[str] = "c11236f4-00bf-4b89-84ba-88b25df97315"
    success_value: ClassVar[object] = "completed"
    own_words: ClassVar[bool] = True
    """Vonage writes its own words around a code of the core."""

    def make(self, origin: str) -> VonageProvider:
        return VonageProvider(settings_for(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        if request.method == "DELETE":
            return WireAnswer(204, b"", {})
        if request.path == "/v2/verify":
            return WireAnswer.of_json(202, {"request_id": self.handle})
        if request.json == {"code": self.code}:
            return WireAnswer.of_json(200, {"request_id": self.handle, "status": "completed"})
        return self.refusal(400)

    def refusal(self, status: int) -> WireAnswer:
        detail = f"The value {self.recipient} or {self.code} is invalid"
        return WireAnswer.of_json(status, {"type": "https://developer.vonage.com/api-errors#x", "detail": detail})

    def unauthorised(self) -> WireAnswer:
        return WireAnswer.of_json(401, {"type": "https://developer.vonage.com/api-errors#unauthorized"})

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        event = {
            "request_id": self.handle,
            "type": "event",
            "channel": "sms",
            "status": WORDS[state],
            "triggered_at": datetime.now(UTC).isoformat(),
            "client_ref": self.recipient[1:],
        }
        body = json.dumps(event).encode().ljust(size)
        claims = {"iat": int(time.time()), "jti": "j", "iss": "Vonage", "api_key": "abcd1234"}
        claims["payload_hash"] = hashlib.sha256(body).hexdigest()
        token = jwt.encode(claims, SECRET, "HS256")
        return InboundRequest("POST", "/vonage", {"Authorization": f"Bearer {token}"}, body)
