"""P6: ten thousand hostile values for each preset: what the vendor reads is what was meant, or nothing is sent."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from otpcore.conformance.provider import WireRequest
from otpcore.conformance.provider.http_vendor import names_and_values
from otpcore.ports import MessageText, SendRequest
from otpcore.providers.http import HttpRequest, UnfitRequest
from otpcore_http import PRESETS, Mapped, mapped, preset

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TO, SEND, SENDER, TEXT = "+12025550123", "0198b5a4-4c3e-7000-8000-000000000001", "Example", "918273 is your code."
URL = "https://otp.example.com/receipts/vendor"
CASES = 10_000
PIECES = [
    *("&to=%2B1", "=", ";", "+", " ", "%", "%0d%0aX: 1", "%00", "%n", "%s", "'", '"', '","to":"', "\\", "\\u0000", "/"),
    *(
        "../",
        "?",
        "#",
        "{code}",
        "{text}",
        "{code.__class__}",
        "{{7*7}}",
        "${x}",
        "<b>",
        "é",
        "€",
        "\u202e",
        "\U0001f600",
    ),
    *("\u0627", "918273", "a", "Z", "&", "text=", "\u00a0", "\ufeff"),
]
BREAKS = ["\r\n", "\n", "\r", "\x00", "\x1b", "\x85", "\u2028"]

READ: Mapping[str, Mapping[str, str]] = {
    "africastalking": {"to": "body/to", "text": "body/message", "sender": "body/from"},
    "android-gateway": {"to": "body/phoneNumbers/0", "text": "body/textMessage/text", "send_id": "body/id"},
    "kannel": {"to": "query/to", "text": "query/text", "sender": "query/from"},
    "46elks": {"to": "body/to", "text": "body/message", "sender": "body/from"},
}
"""Under which names a vendor reads a value."""


gateway_of = cache(preset)


def api_of(name: str, sender: str = SENDER, kind: type[Mapped] | None = None) -> Mapped:
    gateway = gateway_of(name)
    secrets = {each: f"secret-of-{each}-long" for each in gateway.secrets}
    made = mapped(gateway, secrets, sender=sender, receipt_url=URL, clock=lambda: NOW)
    return made if kind is None else kind(gateway, secrets, sender, URL, lambda: NOW)


def read(api: Mapped, values: Mapping[str, str]) -> dict[str, str] | None:
    """What the vendor reads, by name; None where nothing is sent."""
    words = MessageText(values["text"], 1, "kit", "en")
    ends = NOW + timedelta(minutes=5)
    request = SendRequest(values["send_id"], values["to"], "sms", "login", "918273", None, ends, 1.0, message=words)
    try:
        asked = api.request(request)
        assert isinstance(asked, HttpRequest)
        sent = asked.encode(values["text"])
    except UnfitRequest:
        return None
    headers = {name.decode().lower(): value.decode() for name, value in sent.headers}
    found = names_and_values(WireRequest(sent.method, sent.target.decode(), headers, sent.body))
    assert len(dict(found)) == len(found), "a name came twice"
    return dict(found)


def hold(name: str, cases: int = CASES, kind: type[Mapped] | None = None) -> int:
    """How many were sent; raises AssertionError where the vendor reads anything else than was meant."""
    dice = random.Random(name)
    plain = {"to": TO, "text": TEXT, "send_id": SEND, "sender": SENDER}
    expected = read(api_of(name, kind=kind), plain)
    assert expected is not None
    moving = {"query/coding", "query/dlr-url", "body/whendelivered", "path/0", *READ[name].values()}
    sent = 0
    for number in range(cases):
        field = dice.choice(["text", "text", "to", "send_id", "sender"])
        value = "".join(dice.choices(PIECES + BREAKS * (number % 2), k=dice.randrange(1, 6)))
        values = plain | {field: value}
        found = read(api_of(name, values["sender"], kind), values)
        if found is None:
            assert field != "text" or not value.isprintable(), (field, value)
            continue
        sent += 1
        assert {*found} == {*expected}, (field, value)
        for each, place in READ[name].items():
            assert found[place] == values[each], (field, value)
        assert {k: v for k, v in found.items() if k not in moving} == {
            k: v for k, v in expected.items() if k not in moving
        }, (field, value)
    return sent


@pytest.mark.parametrize("name", PRESETS)
def test_the_vendor_reads_what_was_meant_and_nothing_else(name: str) -> None:
    assert hold(name) > CASES // 2


class Concatenating(Mapped):
    """Writes values into a structure."""

    def request(self, request: SendRequest) -> HttpRequest:
        text = request.message.text if request.message else ""
        if self.gateway.json_ is not None:
            document = f'{{"id": "{request.send_id}", "textMessage": {{"text": "{text}"}}, "phoneNumbers": '
            body = f'{document}["{request.recipient}"]}}'.encode()
            kind = "application/json"
        else:
            body = f"to={request.recipient.replace('+', '%2B')}&message={text}&from={self._sender}".encode()
            kind = "application/x-www-form-urlencoded"
        return HttpRequest("POST", self.gateway.url, {"Content-Type": kind}, content=body)


@pytest.mark.parametrize("name", ["africastalking", "android-gateway", "46elks"])
def test_a_mapper_that_concatenates_is_seen(name: str) -> None:
    with pytest.raises((AssertionError, json.JSONDecodeError)):
        hold(name, 200, Concatenating)


def test_the_way_into_a_path_is_encoded_whole() -> None:
    gateway = preset(
        "46elks",
        {
            "url": "https://api.pigeon.example/v1/{username}/{send_id}/",
            "receipts": None,
            "secrets": ["username", "password"],
        },
    )
    api = mapped(gateway, {"username": "a/../b?c#d%2f", "password": "p"}, sender="x", clock=lambda: NOW)
    request = SendRequest("é/1", TO, "sms", "login", "918273", None, NOW, 1.0)
    asked: Any = api.request(request)
    assert asked.encode().target == b"/v1/a%2F..%2Fb%3Fc%23d%252f/%C3%A9%2F1/"
