"""What the tests of the Twilio provider share: settings for an origin, requests, and one provider of each colour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from otpcore import AsyncEngine, Engine
from otpcore.ports import Accepted, CheckAnswer, CheckRequest, Failure, SendRequest
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings
from otpcore_twilio.emulator import Emulator, serve

PEPPER = b"a pepper of at least thirty-two bytes"
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


class Desk:
    """An engine of one colour in front of an emulator whose clock stands, and is the engine's too.

    Every method of the engine is a method here, blocking in both colours.

    Args:
        emulator: what it sends through.
        awaiting: the colour.
        changes: of the settings; `engine` holds what the engine is given besides.
    """

    def __init__(self, emulator: Emulator, *, awaiting: bool, engine: dict[str, Any] | None = None, **changes: Any):
        self.emulator = emulator
        given: dict[str, Any] = {
            "account_sid": emulator.account_sid,
            "auth_token": SecretStr(emulator.auth_token),
            "service_sid": emulator.service_sid,
            "origin": emulator.url,
        }
        self.settings = TwilioSettings(**(given | changes))
        self.provider = (AsyncTwilioProvider if awaiting else TwilioProvider)(self.settings)
        self.store = MemoryStore()
        more = {"pepper": PEPPER, "clock": emulator.clock.now} | (engine or {})
        colour: Any = AsyncEngine if awaiting else Engine
        self._engine = colour(self.store, self.provider, **more)
        self._runner = asyncio.Runner() if awaiting else None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *values, **named: self.run(lambda: getattr(self._engine, name)(*values, **named))

    def run(self, call: Callable[[], Any]) -> Any:
        """The result of a call of the engine or of the provider."""
        if self._runner is None:
            return call()

        async def awaited() -> Any:
            return await call()

        return self._runner.run(awaited())

    def codes(self, to: str = PHONE) -> list[str]:
        """Of the messages to a number, oldest first."""
        return [message.code for message in self.emulator.inbox(to)]

    def shut(self) -> None:
        """Close the engine."""
        self.close()
        if self._runner is not None:
            self._runner.close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A fresh one, whose clock stands at a whole second."""
    began = datetime.now(UTC).replace(microsecond=0)
    with serve(clock=lambda: began) as running:
        yield running


@pytest.fixture(params=["blocking", "awaited"])
def desk(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Callable[..., Desk]]:
    """Makes desks of either colour."""
    made: list[Desk] = []

    def make(**changes: Any) -> Desk:
        made.append(Desk(emulator, awaiting=request.param == "awaited", **changes))
        return made[-1]

    yield make
    for one in made:
        one.shut()


@pytest.fixture
def service(emulator: Emulator) -> Callable[..., None]:
    """Changes the emulated service, as its owner does at Twilio."""

    def change(**changes: bool) -> None:
        with emulator.account.lock:
            for name, value in changes.items():
                setattr(emulator.account.world.services[emulator.service_sid], name, value)

    return change
