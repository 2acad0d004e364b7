"""The fake of the Android gateway and what it is asked, held to a description of its API.

The description is written here from the vendor's pages (docs.sms-gate.app, features/sending-messages, features/webhooks
and features/status-tracking, read 2026-11-30), and is closed: what it does not name is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from pydantic import SecretStr

from otpcore.ports import Accepted, MessageText, SendRequest
from otpcore.providers.http import blocking
from otpcore_http import AndroidGatewaySettings, build, mapped, preset
from otpcore_http.fakes import AndroidGateway, Answer, Asked, serve

STATES = ["Pending", "Processed", "Sent", "Delivered", "Failed"]
HOST = "https://api.sms-gate.app"
TO = "+12025550123"


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
ERROR = {"application/json": {"schema": closed(["message"], message=TEXT)}}
NUMBER = {"type": "string", "pattern": r"^\+[1-9][0-9]{6,14}$"}
MESSAGE = closed(
    ["textMessage", "phoneNumbers"],
    id={"type": "string", "maxLength": 36},
    deviceId=TEXT,
    textMessage=closed(["text"], text=TEXT),
    phoneNumbers={"type": "array", "items": NUMBER, "minItems": 1},
    simNumber={"type": "integer", "minimum": 1, "maximum": 3},
    ttl={"type": "integer", "minimum": 5},
    withDeliveryReport={"type": "boolean"},
    priority={"type": "integer", "minimum": -128, "maximum": 127},
    isEncrypted={"type": "boolean"},
)
STATE = closed(
    ["id", "state", "recipients"],
    id=TEXT,
    deviceId=TEXT,
    state={"type": "string", "enum": STATES},
    isHashed={"type": "boolean"},
    isEncrypted={"type": "boolean"},
    recipients={
        "type": "array",
        "items": closed(["phoneNumber", "state"], phoneNumber=TEXT, state={"enum": STATES}, error=TEXT),
    },
    states={"type": "object", "additionalProperties": {"type": "string", "format": "date-time"}},
)
DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "SMS Gateway for Android, messages", "version": "1"},
    "servers": [{"url": HOST}],
    "paths": {
        "/3rdparty/v1/messages": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": MESSAGE}}},
                "security": [{"basic": []}],
                "responses": {
                    "202": {"description": "enqueued", "content": {"application/json": {"schema": STATE}}},
                    **{code: {"description": "refused", "content": ERROR} for code in ("400", "401", "409", "429")},
                },
            }
        }
    },
    "components": {"securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
}


class Held(AndroidGateway):
    """The fake, each exchange of which is held to the description."""

    specification = OpenAPI.from_dict(DESCRIPTION)

    def __init__(self, *credentials: str) -> None:
        super().__init__(*credentials)
        self.broken: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        answer = super().answer(asked)
        authorization = {"Authorization": asked.headers.get("authorization", "")}
        request = MockRequest(HOST, "post", asked.path, headers=authorization, data=asked.body)
        response = MockResponse(answer.body, answer.status)
        try:
            self.specification.validate_request(request)
            self.specification.validate_response(request, response)
        except OpenAPIError as error:
            self.broken.append(f"{error!r} {error.__cause__!r}")
        return answer


@pytest.fixture
def held() -> Iterator[tuple[Held, str]]:
    fake = Held("otp", "secret", "key")
    with serve(fake) as origin:
        yield fake, f"{origin}/3rdparty/v1/messages"


def a_send(number: int) -> SendRequest:
    ends = datetime.now(UTC) + timedelta(minutes=5)
    words = MessageText("918273 is your code.\n\n@example.com #918273", 1, "kit", "en")
    send_id = f"0198b5a4-4c3e-7000-8000-{number:012}"
    return SendRequest(send_id, TO, "sms", "login", "918273", None, ends, 20.0, message=words)


def test_every_exchange_is_as_the_vendor_describes_it(held: tuple[Held, str]) -> None:
    fake, url = held
    for password in ("secret", "wrong"):
        settings = AndroidGatewaySettings(username=SecretStr("otp"), password=SecretStr(password), url=url)
        provider = build(settings)
        outcomes = [provider.send(a_send(number)) for number in (1, 1, 2)]
        fake.refuse[TO] = 429
        outcomes.append(provider.send(a_send(3)))
        fake.refuse.clear()
        provider.close()
        assert [isinstance(each, Accepted) for each in outcomes] == [password == "secret"] * 3 + [False]
    assert fake.broken == []


@pytest.mark.parametrize(
    "document",
    [
        {"textMessage": {"text": "{text}"}, "phoneNumbers": ["{recipient}"], "ttl": "in {ttl_s}"},
        {"textMessage": {"text": "{text}"}, "phoneNumbers": "{recipient}"},
        {"textMessage": {"text": "{text}"}, "phoneNumbers": ["{recipient}"], "priority": 128},
        {"message": "{text}", "phoneNumbers": ["{recipient}"]},
    ],
)
def test_a_request_that_the_vendor_does_not_describe_is_seen(held: tuple[Held, str], document: Any) -> None:
    fake, url = held
    gateway = preset("android-gateway", {"url": url, "json": document | {"id": "{send_id}"}})
    provider = blocking(mapped(gateway, {"username": "otp", "password": "secret"}))
    provider.send(a_send(1))
    provider.close()
    assert fake.broken
