"""What the tests of the Twilio provider share: settings for an origin, requests, and one provider of each colour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from otpcore.ports import Accepted, CheckAnswer, CheckRequest, Failure, SendRequest
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings

PHONE = "+12025550123"


class Ask(Protocol):
    """Performs calls one after the other with one provider, which is then closed."""

    def __call__(self, settings: TwilioSettings, *requests: SendRequest | CheckRequest | str) -> list[Any]: ...


@pytest.fixture
def settings_for() -> Callable[..., TwilioSettings]:
    def make(origin: str, **changes: Any) -> TwilioSettings:
        given: dict[str, Any] = {
            "account_sid": "AC" + "0" * 32,
            "auth_token": SecretStr("t" * 32),
            "service_sid": "VA" + "1" * 32,
            "origin": origin,
        }
        return TwilioSettings(**(given | changes))

    return make


@pytest.fixture
def a_send() -> Callable[..., SendRequest]:
    def make(recipient: str = PHONE, **changes: Any) -> SendRequest:
        given: dict[str, Any] = {
            "send_id": "s1",
            "channel": "sms",
            "purpose": "login",
            "code": None,
            "handle": None,
            "expires_at": datetime.now(UTC) + timedelta(seconds=300),
            "timeout_s": 5.0,
        }
        return SendRequest(recipient=recipient, **(given | changes))

    return make


@pytest.fixture(params=["blocking", "awaited"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """In either colour. A text among the requests is a handle to cancel."""

    def blocking(settings: TwilioSettings, *requests: SendRequest | CheckRequest | str) -> list[Any]:
        provider = TwilioProvider(settings)
        answers: list[Accepted | Failure | CheckAnswer | bool] = []
        for one in requests:
            if isinstance(one, SendRequest):
                answers.append(provider.send(one))
            elif isinstance(one, CheckRequest):
                answers.append(provider.check(one))
            else:
                answers.append(provider.cancel(one, 5.0))
        provider.close()
        return answers

    async def awaited(settings: TwilioSettings, *requests: SendRequest | CheckRequest | str) -> list[Any]:
        provider = AsyncTwilioProvider(settings)
        answers: list[Accepted | Failure | CheckAnswer | bool] = []
        for one in requests:
            if isinstance(one, SendRequest):
                answers.append(await provider.send(one))
            elif isinstance(one, CheckRequest):
                answers.append(await provider.check(one))
            else:
                answers.append(await provider.cancel(one, 5.0))
        await provider.close()
        return answers

    if request.param == "blocking":
        return blocking
    return lambda settings, *requests: asyncio.run(awaited(settings, *requests))
