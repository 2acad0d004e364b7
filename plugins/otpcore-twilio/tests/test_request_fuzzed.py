"""P6 for Verify: ten thousand hostile values, down to the bytes; Twilio reads what was meant, or nothing is sent."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from otpcore.ports import Accepted, SendEffect, SendRequest
from otpcore.providers.transport.requests import Wire
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings, aio_transport, transport

PHONE = "+12025550123"
CASES = 1_000
"""Of five values each, in either colour: ten thousand."""
ANSWER = json.dumps({"sid": "VE" + "a" * 32, "to": PHONE, "channel": "sms", "status": "pending"}).encode()
PIECES = (
    *("&To=%2B1", "=", ";", "+", " ", "%", "%0d%0aX: 1", "%00", "'", '"', '","to":"', "\\", "\\u0000", "/../", "?#"),
    *("{{code}}", "${x}", "<b>", "é", "\u20ac", "\u202e", "\U0001f600", "\u0627", "918273", "a", "\u00a0", "\ufeff"),
)
BREAKS = ("\r\n", "\n", "\r", "\x00", "\x1b", "\x85", "\ud800")
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., TwilioSettings]
Read = dict[str, Any]


def values_of(dice: random.Random) -> list[str]:
    """Five, of which a sixth of the cases has one with a break."""
    values = ["".join(dice.choices(PIECES, k=dice.randrange(1, 6)))[:32] or "x" for _ in range(5)]
    if dice.random() < 1 / 6:
        values[dice.randrange(5)] += dice.choice(BREAKS) + "x"
    return values


def meant_by(values: list[str]) -> Read:
    name, tag, text, substitution, source = values
    return {
        "To": PHONE,
        "Channel": "sms",
        "CustomFriendlyName": name,
        "Tags": {tag: text},
        "TemplateCustomSubstitutions": {"first": substitution},
        "RateLimits": {"by_source": source},
    }


def send_of(make: MakeSend, values: list[str]) -> SendRequest:
    meant = meant_by(values)
    named = ("Tags", "TemplateCustomSubstitutions")
    extra = {name: json.dumps(meant[name], ensure_ascii=False) for name in named}
    return make(source=values[-1], extra=extra | {"CustomFriendlyName": values[0]})


def read(body: bytes) -> Read:
    """What Twilio reads of a form; a name that comes twice, or a text that is no JSON, is an error."""
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    found: Read = dict(pairs)
    assert len(found) == len(pairs), "a name came twice"
    return found | {name: json.loads(found[name]) for name in ("Tags", "TemplateCustomSubstitutions", "RateLimits")}


def taken(bodies: list[bytes]) -> tuple[bytes, ...]:
    """What has come since, which is forgotten."""
    found = tuple(bodies)
    bodies.clear()
    return found


def blocking(settings: TwilioSettings, requests: list[SendRequest], patch: pytest.MonkeyPatch) -> list[Any]:
    bodies: list[bytes] = []

    def exchange(_wire: object, attempt: Any, request: Any) -> tuple[int, bytes, dict[str, str]]:
        bodies.append(request.body.encode() if isinstance(request.body, str) else request.body)
        attempt.answered(201, None)
        return 201, ANSWER, {}

    patch.setattr(Wire, "exchange", exchange)
    provider = TwilioProvider(settings)
    return [(provider.send(request), taken(bodies)) for request in requests]


def awaited(settings: TwilioSettings, requests: list[SendRequest], patch: pytest.MonkeyPatch) -> list[Any]:
    bodies: list[bytes] = []

    @asynccontextmanager
    async def exchange(*_: object, data: bytes, **__: object) -> AsyncGenerator[Any]:
        bodies.append(data)
        yield SimpleNamespace(status=201, headers={}, content=SimpleNamespace(iter_any=answered))

    async def answered() -> Any:
        yield ANSWER

    async def session(_: object) -> Any:
        return SimpleNamespace(request=exchange)

    async def all_of() -> list[Any]:
        provider = AsyncTwilioProvider(settings)
        return [(await provider.send(request), taken(bodies)) for request in requests]

    patch.setattr(aio_transport.AsyncDeadlineHttpClient, "_open_session", session)
    return asyncio.run(all_of())


def misread(answers: list[Any], meant: list[list[str]]) -> list[list[str]]:
    """Those whose form says anything else, and those that were refused and sent."""
    wrong: list[list[str]] = []
    for (outcome, bodies), values in zip(answers, meant, strict=True):
        if isinstance(outcome, Accepted):
            if [read(body) for body in bodies] != [meant_by(values)] or any(map(is_broken, values)):
                wrong.append(values)
        elif bodies or outcome.effect is not SendEffect.NOT_SENT:
            wrong.append(values)
    return wrong


def is_broken(value: str) -> bool:
    return any(each in value for each in BREAKS)


@pytest.mark.parametrize("perform", [blocking, awaited])
def test_twilio_reads_what_was_meant_and_nothing_else(
    perform: Callable[..., list[Any]], settings_for: MakeSettings, a_send: MakeSend, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(20261130)
    meant = [values_of(dice) for _ in range(CASES)]
    settings = settings_for("https://verify.example", rate_limits=("by_source",))
    answers = perform(settings, [send_of(a_send, values) for values in meant], monkeypatch)
    assert sum(isinstance(outcome, Accepted) for outcome, _ in answers) > CASES / 2, "most were refused"
    assert misread(answers, meant) == []


@pytest.mark.parametrize("perform", [blocking, awaited])
@pytest.mark.parametrize("place", [transport, aio_transport])
def test_a_form_that_is_put_together_by_hand_is_noticed(
    perform: Callable[..., list[Any]],
    place: Any,
    settings_for: MakeSettings,
    a_send: MakeSend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted defect, in either transport: values are concatenated."""

    def by_hand(data: dict[str, str], **_: object) -> str:
        return "&".join(f"{name}={value.replace('+', '%2B').replace(' ', '+')}" for name, value in data.items())

    monkeypatch.setattr(place, "urlencode", by_hand)
    values = ["ACME", "t", "1", "x", "1&To=%2B15005550001"]
    settings = settings_for("https://verify.example", rate_limits=("by_source",))
    answers = perform(settings, [send_of(a_send, values)], monkeypatch)
    planted = (perform is blocking) == (place is transport)
    try:
        noticed = misread(answers, [values]) == [values]
    except (AssertionError, ValueError):
        noticed = True
    assert noticed is planted
