"""What reaches the wire and the logs: one request, its form as meant, nothing of a person where others read."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import pytest

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.ports import Accepted, Failure, Outcome, SendEffect, SendRequest
from otpcore_twilio import AsyncTwilioMessagingProvider, TwilioMessagingProvider, TwilioMessagingSettings
from otpcore_twilio.emulator import Fault, Scenario, serve
from otpcore_twilio.messaging import translate

PHONE = "+12025550123"
SID = "SM" + "a" * 32
ROUNDS, EACH = 50, 100
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., TwilioMessagingSettings]
Sender = Callable[[TwilioMessagingSettings, list[SendRequest]], list[Any]]

PIECES = (
    *("&To=%2B15005550001", "&Body=x", "=", "+", "%0d%0aX-Injected: 1", "%00", "\r\n", "\n", "\t", "{code}", "<b>"),
    *(
        "'",
        '"',
        "\\",
        "\u20ac",
        "\U0001f600",
        "\u0627\u0644",
        "\u202e",
        "\x7f",
        "\x1b[31m",
        ";",
        "?#",
        "/../",
        "918273",
    ),
)


@pytest.fixture(params=["blocking", "awaited"])
def send_all(request: pytest.FixtureRequest) -> Sender:
    """Sends one after the other with one provider, which is then closed."""

    def blocking(settings: TwilioMessagingSettings, requests: list[SendRequest]) -> list[Any]:
        provider = TwilioMessagingProvider(settings)
        answers = [provider.send(one) for one in requests]
        provider.close()
        return answers

    async def awaited(settings: TwilioMessagingSettings, requests: list[SendRequest]) -> list[Any]:
        provider = AsyncTwilioMessagingProvider(settings)
        answers = [await provider.send(one) for one in requests]
        await provider.close()
        return answers

    if request.param == "blocking":
        return blocking
    return lambda settings, requests: asyncio.run(awaited(settings, requests))


def taken(_request: WireRequest) -> WireAnswer:
    return WireAnswer.of_json(201, {"sid": SID, "status": "queued", "num_segments": "1"})


def a_text(chance: random.Random) -> str:
    letters = "".join(chr(chance.choice((chance.randrange(32, 127), chance.randrange(0xA0, 0xD7FF)))) for _ in range(8))
    return "".join(chance.choice((*PIECES, letters)) for _ in range(chance.randrange(1, 12))) + "918273"


def a_sender(chance: random.Random) -> str:
    letters = "".join(chance.choice("abcXYZ019 &+_-") for _ in range(chance.randrange(0, 10)))
    number = f"+1202555{chance.randrange(100, 200):04}"
    return chance.choice((number, str(chance.randrange(100, 10**8)), f"A{letters}"))


def misread(bodies: list[bytes], meant: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those (sender, text) whose form says anything else, or anything more than it should."""
    names = ["Body", "From", "To", "ValidityPeriod"]
    wrong: list[tuple[str, str]] = []
    for body, (sender, text) in zip(bodies, meant, strict=True):
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        said = form.get("From"), form.get("Body"), form.get("To")
        if sorted(name for name, _ in pairs) != names or said != (sender, text, PHONE):
            wrong.append((sender, text))
    return wrong


def test_whatever_text_and_sender_hold_twilio_reads_what_was_meant(
    messages_at: MakeSettings, a_message: MakeSend, send_all: Sender
) -> None:
    """P6: 5,000 pairs of each colour, over the wire."""
    chance = random.Random(20261130)
    with MisbehavingServer(taken) as server:
        meant: list[tuple[str, str]] = []
        for _ in range(ROUNDS):
            sender, texts = a_sender(chance), [a_text(chance) for _ in range(EACH)]
            meant += [(sender, text) for text in texts]
            answers = send_all(messages_at(server.origin, sender=sender), [a_message(text) for text in texts])
            assert all(isinstance(one, Accepted) for one in answers)
        bodies = [request.body for request in server.requests]
    assert len(bodies) == ROUNDS * EACH
    assert misread(bodies, meant) == []


def test_a_text_that_adds_a_parameter_is_noticed() -> None:
    """Planted defect: a form that is put together by hand."""
    sender, text = "ACME", "918273&To=%2B15005550001"
    by_hand = f"To={quote_plus(PHONE)}&ValidityPeriod=300&From={sender}&Body={text}".encode()
    encoded = f"To={quote_plus(PHONE)}&ValidityPeriod=300&From={sender}&Body={quote_plus(text)}".encode()
    assert misread([encoded, by_hand], [(sender, text)] * 2) == [(sender, text)]


@pytest.mark.parametrize("outcome", [Fault.RESET, Fault.TRUNCATED, Fault.GARBAGE, 500, 503, 429])
def test_a_send_is_one_request_whatever_happens_to_it(
    messages_at: MakeSettings, a_message: MakeSend, send_all: Sender, outcome: Any
) -> None:
    with serve() as emulator:
        emulator.faults.add(Scenario(outcome=outcome, operation="create_message", processed=isinstance(outcome, Fault)))
        changes = {"account_sid": emulator.account_sid, "auth_token": emulator.auth_token}
        (answer,) = send_all(messages_at(emulator.url, **changes), [a_message()])
        sent = len(emulator.inbox())
    assert isinstance(answer, Failure)
    assert answer.effect is (SendEffect.NOT_SENT if outcome == 429 else SendEffect.UNKNOWN)
    assert sent == int(isinstance(outcome, Fault)), "one at most, whatever its answer"


class Listener(logging.Handler):
    """Keeps what every logger writes."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()} {record.args!r}")


@contextmanager
def heard() -> Generator[Listener]:
    """Every logger, at its lowest level."""
    root, listener = logging.getLogger(), Listener()
    before = root.level
    root.addHandler(listener)
    root.setLevel(logging.NOTSET)
    try:
        yield listener
    finally:
        root.setLevel(before)
        root.removeHandler(listener)


CANARIES = ("918273", "2025550123", "canary")


def shown_in(lines: list[str]) -> list[str]:
    return [canary for canary in CANARIES if any(canary in line for line in lines)]


def test_nothing_of_a_person_is_logged_or_shown(
    messages_at: MakeSettings, a_message: MakeSend, send_all: Sender
) -> None:
    with heard() as listener, serve() as emulator:
        changes = {"account_sid": emulator.account_sid, "auth_token": emulator.auth_token, "provide_feedback": True}
        settings = messages_at(emulator.url, **changes)
        requests = [a_message("918273 canary"), a_message("918273 canary", recipient="+15005550001")]
        accepted, refused = send_all(settings, requests)
        provider = TwilioMessagingProvider(settings)
        assert accepted.handle is not None
        assert provider.report_outcome(accepted.handle, Outcome.APPROVED, 5.0)
        provider.close()
        assert emulator.inbox()[0].text == "918273 canary"
    listener.lines += [repr(accepted), repr(refused), repr(provider), repr(requests[0]), repr(settings)]
    assert shown_in(listener.lines) == []
    assert not any(str(changes["auth_token"]) in line for line in listener.lines)


def test_a_provider_that_logs_its_parameters_is_noticed(messages_at: MakeSettings, a_message: MakeSend) -> None:
    """Planted defect: the call, with what it is given, at DEBUG."""
    with heard() as listener:
        found = translate.create_parameters(
            a_message("918273 canary"), messages_at("https://api.twilio.com"), datetime.now(UTC) - timedelta(seconds=1)
        )
        logging.getLogger("planted").debug("messages.create %s", found)
    assert shown_in(listener.lines) == list(CANARIES)
