"""Engine, TinyDB, provider, official SDK and emulator together, in both colours, over real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from otpcore import Approved, AsyncEngine, Engine, Refused, SendState, Sent
from otpcore.ports import DeliveryState
from otpcore.receipts import Received
from otpcore.results import Refusal, Wait, Wrong
from otpcore.stores.tinydb import TinyDBStore
from otpcore_twilio import AsyncTwilioMessagingProvider, TwilioMessagingProvider, TwilioMessagingSettings
from otpcore_twilio.emulator import Emulator, serve

if TYPE_CHECKING:
    from tests.messaging.conftest import Receiver

PEPPER = b"a pepper of at least thirty-two bytes"
PHONE = "+12025550123"


class Shop:
    """An engine of one colour over a file, in front of an emulator whose clock stands, and is the engine's too."""

    def __init__(self, emulator: Emulator, file: Path, *, awaiting: bool, **changes: Any) -> None:
        self.emulator = emulator
        given: dict[str, Any] = {
            "account_sid": emulator.account_sid,
            "auth_token": SecretStr(emulator.auth_token),
            "sender": "+12025550100",
            "origin": emulator.url,
        }
        settings = TwilioMessagingSettings(**(given | changes))
        self.provider = (AsyncTwilioMessagingProvider if awaiting else TwilioMessagingProvider)(settings)
        self.store = TinyDBStore(file)
        colour: Any = AsyncEngine if awaiting else Engine
        self._engine = colour(self.store, self.provider, pepper=PEPPER, clock=emulator.clock.now)
        self._runner = asyncio.Runner() if awaiting else None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            if self._runner is None:
                return getattr(self._engine, name)(*values, **named)

            async def awaited() -> Any:
                return await getattr(self._engine, name)(*values, **named)

            return self._runner.run(awaited())

        return call

    def states(self) -> list[str]:
        """What the file says of the sends, in the order of its keys."""
        kept = "\n".join(entry.data.decode() for _, entry in self.store.scan("", 1000))
        return re.findall(r'"state":"(\w+)"', kept)

    def shut(self) -> None:
        self.close()
        if self._runner is not None:
            self._runner.close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    began = datetime.now(UTC).replace(microsecond=0)
    with serve(clock=lambda: began) as running:
        yield running


@pytest.fixture(params=["blocking", "awaited"])
def shop(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    made: list[Shop] = []

    def make(**changes: Any) -> Shop:
        made.append(Shop(emulator, tmp_path / "shop.json", awaiting=request.param == "awaited", **changes))
        return made[-1]

    yield make
    for one in made:
        one.shut()


def outcomes(emulator: Emulator) -> list[str | None]:
    with emulator.account.lock:
        return [text.outcome for text in emulator.account.world.held.texts.values()]


def test_a_person_signs_up(shop: Callable[..., Shop], emulator: Emulator, receiver: Receiver) -> None:
    """Start, an early resend, a resend, a wrong code, the right one out of the inbox; receipts and feedback."""
    here = shop(status_callback=f"{receiver.origin}/receipts/twilio", provide_feedback=True)
    sent = here.start(PHONE)
    assert isinstance(sent, Sent)
    native: Any = sent.native
    assert native.sid == emulator.inbox(PHONE)[0].sid
    token = sent.session.token

    early = here.resend(token, PHONE)
    assert isinstance(early, Wait)
    assert len(emulator.inbox(PHONE)) == 1
    emulator.advance(120)
    again = here.resend(token, PHONE)
    assert isinstance(again, Sent)
    first, second = (message.code for message in emulator.inbox(PHONE))
    assert first != second

    emulator.callbacks.wait()
    assert [callback.status for callback in emulator.callbacks.sent()] == ["sent", "delivered"] * 2
    told = [here.receipt("default", request) for request in receiver.kept]
    assert all(isinstance(one, Received) for one in told)
    assert told[-1] == Received(1, 0), "the newest message is known to have arrived"
    assert here.receipt(None, receiver.kept[-1]) == Received(0, 0, 1), "a repetition is refused"
    assert SendState.DELIVERED.value in here.states()

    assert isinstance(here.check(token, first), Wrong)
    assert outcomes(emulator) == [None, None]
    assert isinstance(here.check(token, emulator.latest_code(PHONE)), Approved)
    assert outcomes(emulator)[-1] == "confirmed"
    assert emulator.inbox(PHONE)[-1].text.count(second) >= 1


def test_a_message_that_does_not_arrive_is_known(
    shop: Callable[..., Shop], emulator: Emulator, receiver: Receiver
) -> None:
    here = shop(status_callback=f"{receiver.origin}/receipts/twilio")
    sent = here.start("+15005553006", region="US")
    assert isinstance(sent, Sent)
    emulator.callbacks.wait()
    events = [event for request in receiver.kept for event in here.provider.parse_receipt(request)]
    assert [(event.state, event.provider_code) for event in events] == [
        (DeliveryState.SENT, None),
        (DeliveryState.UNDELIVERED, "30006"),
    ]
    assert [here.receipt(None, request) for request in receiver.kept][-1] == Received(1, 0)
    assert SendState.UNDELIVERED.value in here.states()


def test_a_forged_receipt_changes_nothing(shop: Callable[..., Shop], emulator: Emulator, receiver: Receiver) -> None:
    here = shop(status_callback=f"{receiver.origin}/receipts/twilio")
    here.start(PHONE)
    emulator.callbacks.wait()
    genuine = receiver.kept[-1]
    forged = type(genuine)(genuine.method, genuine.url, genuine.headers, genuine.body.replace(b"delivered", b"failed"))
    refused = here.receipt(None, forged)
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.INVALID_RECEIPT
    assert SendState.UNDELIVERED.value not in here.states()


def test_a_cancelled_session_is_unconfirmed_and_without_feedback_nobody_is_told(
    shop: Callable[..., Shop], emulator: Emulator
) -> None:
    here = shop(provide_feedback=True)
    here.cancel(here.start(PHONE).session.token)
    assert outcomes(emulator) == ["unconfirmed"]


def test_without_provide_feedback_nobody_is_told(shop: Callable[..., Shop], emulator: Emulator) -> None:
    here = shop()
    token = here.start(PHONE).session.token
    assert isinstance(here.check(token, emulator.latest_code(PHONE)), Approved)
    assert outcomes(emulator) == [None]


def test_a_number_that_opted_out_is_refused_and_another_one_is_not(
    shop: Callable[..., Shop], emulator: Emulator
) -> None:
    here = shop(messaging_service_sid=emulator.messaging_service_sid, sender="")
    refused = here.start("+15005550004")
    assert isinstance(refused, Refused)
    assert isinstance(here.start(PHONE), Sent)
    with emulator.account.lock:
        (text,) = emulator.account.world.held.texts.values()
    assert (text.sender, text.service_sid) == (None, emulator.messaging_service_sid)


def test_what_the_core_words_is_what_the_person_reads(shop: Callable[..., Shop], emulator: Emulator) -> None:
    here = shop()
    for locale in ("en", "fr", "de"):
        emulator.advance(700)
        assert isinstance(here.start(PHONE, locale=locale), Sent)
    texts = [message.text for message in emulator.inbox(PHONE)]
    assert all(message.code and message.code in message.text for message in emulator.inbox(PHONE))
    assert len({re.sub(r"[0-9]+", "", text) for text in texts}) > 1
