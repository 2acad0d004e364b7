"""P6 for Vonage: ten thousand hostile values, down to the bytes; Vonage reads what was meant, or nothing is sent."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.ports import Accepted, SendEffect, SendRequest
from otpcore.providers.transport.requests import Wire
from otpcore_vonage import VonageProvider, VonageSettings
from otpcore_vonage.translate import LOCALES

CASES = 2_000
"""Of five values each."""
REQUEST_ID = "c11236f4-00bf-4b89-84ba-88b25df97315"
PHONE = "+12025550123"
FAIR = ("a", "Z", "918273", "-", "_", ".", "=", "&to=1", "%00", "%0d", "+", "'", "<b>", "?#", ";", '"', '","code":"1')
FOREIGN = ("é", "\u20ac", "\u202e", "\U0001f600", "\u0627", "\u00a0", "\ufeff", " ")
BREAKS = ("\r\n", "\n", "\r", "\x00", "\x1b", "\\", "{", "$")
ACCOUNT: dict[str, Any] = {
    "origin": "https://api.example",
    "application_id": "",
    "private_key": None,
    "api_key": "abcd1234",
    "api_secret": SecretStr("t" * 16),
    "channels": ("sms", "email"),
}
"""Basic authentication: a JWT for each request would be signed, which takes longest of all."""
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., VonageSettings]


def values_of(dice: random.Random) -> list[str]:
    """Brand, reference, address, an id of India and a locale; an eighth of the cases has one with a break."""

    def made(pieces: tuple[str, ...], most: int) -> str:
        return "".join(dice.choices(pieces, k=dice.randrange(1, 5)))[:most]

    values = [made(FAIR + FOREIGN, 16), made(FAIR, 16), f"{made(FAIR, 40)}@example.org"]
    values += [str(dice.randrange(10**19)), dice.choice((*LOCALES, "xx", "\u0661", "en-us&to=1"))]
    if dice.random() < 1 / 8:
        values[dice.randrange(4)] += dice.choice(BREAKS)
    return values


def send_of(make: MakeSend, values: list[str], *, by_mail: bool) -> SendRequest:
    brand, reference, address, identifier, locale = values
    extra = {"brand": brand, "client_ref": reference}
    if by_mail:
        return make(address, channel="email", locale=locale, extra=extra)
    return make(PHONE, locale=locale, extra=extra | {"entity_id": identifier, "content_id": identifier})


def meant_by(values: list[str], *, by_mail: bool) -> dict[str, Any]:
    brand, reference, address, identifier, locale = values
    ids = {"entity_id": identifier, "content_id": identifier}
    step = {"channel": "email", "to": address} if by_mail else {"channel": "sms", "to": PHONE[1:], **ids}
    meant: dict[str, Any] = {"brand": brand, "client_ref": reference, "workflow": [step], "code_length": 6}
    return meant | {"channel_timeout": 180} | ({"locale": locale} if locale in LOCALES else {})


def read(body: bytes) -> Any:
    """What Vonage reads; a name that comes twice is an error."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), "a name came twice"
        return dict(pairs)

    return json.loads(body, object_pairs_hook=unique)


def misread(outcome: Any, bodies: list[bytes], meant: dict[str, Any]) -> bool:
    """Whether the request says anything else, or was refused and sent."""
    if not isinstance(outcome, Accepted):
        return bool(bodies) or outcome.effect is not SendEffect.NOT_SENT
    found = [read(body) for body in bodies]
    for each in found:
        each.setdefault("locale", meant.get("locale"))  # of a tag that is none of Vonage's, Vonage's own or a near one
    return found != [{"locale": found[0]["locale"], **meant}]


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What would go over the wire; Vonage takes it."""
    kept: list[bytes] = []

    def exchange(_wire: object, attempt: Any, request: Any) -> tuple[int, bytes, dict[str, str]]:
        kept.append(request.body)
        attempt.answered(202, None)
        return 202, json.dumps({"request_id": REQUEST_ID}).encode(), {"Content-Type": "application/json"}

    monkeypatch.setattr(Wire, "exchange", exchange)
    return kept


def test_vonage_reads_what_was_meant_and_nothing_else(
    bodies: list[bytes], settings_for: MakeSettings, a_send: MakeSend
) -> None:
    dice, sent = random.Random(20261130), 0
    provider = VonageProvider(settings_for(**ACCOUNT))
    for number in range(CASES):
        values, by_mail = values_of(dice), bool(number % 2)
        bodies.clear()
        outcome = provider.send(send_of(a_send, values, by_mail=by_mail))
        sent += isinstance(outcome, Accepted)
        assert not misread(outcome, bodies, meant_by(values, by_mail=by_mail)), values
    assert sent > CASES / 2, "most were refused"
