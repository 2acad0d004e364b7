"""An operation that raises is told too: one event for each call, whatever the store or the caller does to it."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from otpcore import AsyncEngine, ByRecipient, Engine, Sent
from otpcore.contract import CodeOwner, ProviderCapabilities
from otpcore.engine.answers import wall_clock
from otpcore.errors import (
    CommitUnknown,
    ConfigurationError,
    InvalidIdempotencyKey,
    StoreError,
    StoreFull,
    StoreUnavailable,
    UnknownPurpose,
)
from otpcore.events import Event
from otpcore.hookspecs import hookimpl
from otpcore.plugins import Plugins
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import COLOURS, NUMBER, Driven, driven
from tests.faults.failing import FailingStore

OTHER = "+12025550124"
WORDS = f"no such host for {NUMBER}, code 123456"
ERRORS = [StoreUnavailable(WORDS), CommitUnknown(WORDS), StoreFull(WORDS), OSError(WORDS), ValueError(WORDS)]
CALLS = range(1, 7)
"""More than an operation makes of the store."""
FACTS = re.compile(r"send\.\w+|check\.answered|outcome\.reported|refund|lock|erase")
each_colour = pytest.mark.parametrize("colour", COLOURS)


def each_operation(token: str, code: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Every operation, by token and by recipient."""
    return [
        ("start", (NUMBER,)),
        ("start", (OTHER,)),
        ("resend", (token, NUMBER)),
        ("check", (token, "000000" if code != "000000" else "111111")),
        ("check", (token, code)),
        ("check", (ByRecipient(NUMBER), code)),
        ("status", (token,)),
        ("cancel", (token,)),
        ("cancel", (ByRecipient(NUMBER),)),
        ("unlock", (NUMBER,)),
        ("forget", (NUMBER,)),
    ]


def answer_of(life: Driven, operation: str, given: tuple[Any, ...]) -> str:
    """The class of what an operation answered or raised, as events have it."""
    try:
        return type(life.call(operation, *given)).__name__.lower()
    except StoreError as error:
        return type(error).__name__.lower()


def told(lines: list[str]) -> list[str]:
    """The names of the events that tell of an operation."""
    return [name for line in lines if not FACTS.fullmatch(name := json.loads(line)["event"])]


@each_colour
@pytest.mark.parametrize("owner", list(CodeOwner))
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_store_that_fails_at_any_of_its_calls_leaves_one_event_for_each_operation(
    colour: str, owner: CodeOwner, error: Exception, lines: list[str]
) -> None:
    """L6: events = operations, and each tells what its caller was told."""
    seen: Counter[str] = Counter()
    for call in CALLS:
        store = FailingStore()
        life = driven(colour, Exchange(owner=owner), store=store)
        sent = life.call("start", NUMBER)
        assert isinstance(sent, Sent)
        token = sent.session.token or ""
        for operation, given in each_operation(token, life.vendor.exchange.code_for(NUMBER)):
            lines.clear()
            store.told(down_from=call, error=error)
            outcome = answer_of(life, operation, given)
            assert told(lines) == [f"{operation}.{outcome}"]
            seen[outcome] += 1
            assert NUMBER[1:] not in "".join(lines), "the words of an error are not told"
    assert {type(error).__name__.lower(), "commitunknown", "storeunavailable"} & seen.keys(), "nothing failed"
    assert sum(seen.values()) == len(CALLS) * 11


@each_colour
@pytest.mark.parametrize(
    ("operation", "given", "tail"),
    [
        ("start", (NUMBER,), "…23"),
        ("forget", (NUMBER,), "…23"),
        ("cancel", (ByRecipient(NUMBER),), "…23"),
        ("status", ("token",), None),
    ],
)
def test_the_event_of_a_failure_says_whose_it_was(
    colour: str, operation: str, given: tuple[Any, ...], tail: str | None, lines: list[str]
) -> None:
    """Under the same pseudonym as an answer, so that an operator finds both."""
    store = FailingStore()
    life = driven(colour, Exchange(), store=store)
    token = life.call("start", NUMBER).session.token
    [whose] = {json.loads(line)["recipient"] for line in lines}
    lines.clear()
    store.told(down_from=1)
    with pytest.raises(StoreUnavailable):
        life.call(operation, *(token if each == "token" else each for each in given))
    [event] = [json.loads(line) for line in lines]
    assert event["event"] == f"{operation}.storeunavailable"
    assert event["recipient"] == whose
    assert event.get("tail") == tail
    assert (token or "")[-24:] not in lines[0]


@each_colour
def test_a_call_that_cannot_be_right_is_told_and_not_quoted(colour: str, lines: list[str]) -> None:
    life = driven(colour, Exchange())
    with pytest.raises(UnknownPurpose):
        life.call("start", "12", purpose=NUMBER)
    with pytest.raises(InvalidIdempotencyKey):
        life.call("start", NUMBER, idempotency_key="123456")
    with pytest.raises(TypeError):
        life.call("start", NUMBER, purpose=["login"])
    assert told(lines) == ["start.unknownpurpose", "start.invalididempotencykey", "start.typeerror"]
    assert NUMBER[1:] not in "".join(lines)
    assert "123456" not in "".join(lines)
    assert [json.loads(line).get("purpose") for line in lines] == [None, "login", None]


class Scoped:
    """What shares its verifications with whoever uses the same account."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def capabilities(self) -> ProviderCapabilities:
        mine: ProviderCapabilities = self._inner.capabilities
        return replace(mine, scope="VA1")


@each_colour
def test_an_engine_that_cannot_begin_tells_of_the_operation_that_found_out(colour: str, lines: list[str]) -> None:
    """What is done once, before the first operation, fails that one."""
    store, exchange = FailingStore(), Exchange(owner=CodeOwner.PROVIDER)

    def scoped(**given: Any) -> Driven:
        plain = AsyncFakeProvider if colour == "awaiting" else FakeProvider
        return driven(colour, exchange, store=store, vendor=Scoped(plain(exchange=exchange)), **given)

    life = scoped()
    store.told(down_from=1)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            life.call("start", NUMBER)
    store.told()
    life.call("start", NUMBER)
    with pytest.raises(ConfigurationError):
        scoped(tenant="another").call("status", "otps_")
    assert told(lines) == ["start.storeunavailable"] * 2 + ["start.sent", "status.configurationerror"]


# --- what interrupts, and what fails while telling ----------------------------------------------


def test_an_operation_whose_task_is_cancelled_is_told(lines: list[str]) -> None:
    """The caller went away while the provider was asked: the step is taken, and somebody must know."""

    class Slow(AsyncFakeProvider):
        async def send(self, request: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()

    asked = asyncio.Event()

    async def run() -> None:
        engine = AsyncEngine(MemoryStore(), Slow())
        task = asyncio.create_task(engine.start(NUMBER))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert told(lines) == ["start.cancellederror"]


def test_an_operation_that_is_interrupted_is_told(lines: list[str]) -> None:
    class Stopped(FakeProvider):
        def send(self, request: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Engine(MemoryStore(), Stopped()).start(NUMBER)
    assert told(lines) == ["start.keyboardinterrupt"]


@each_colour
def test_a_clock_that_fails_is_not_covered_up(colour: str, lines: list[str]) -> None:
    """Nothing can be told without an instant; the caller still learns what happened."""

    class Stopping:
        left = 1

        def __call__(self) -> datetime:
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("no clock")
            return wall_clock()

    store = FailingStore()
    life = driven(colour, Exchange(), store=store, clock=Stopping())
    store.told(down_from=1)
    with pytest.raises(StoreUnavailable):
        life.call("start", NUMBER)
    assert lines == []


@each_colour
def test_observers_are_told_of_a_failure_and_cannot_change_it(colour: str) -> None:
    class Observer:
        def __init__(self) -> None:
            self.events: list[Event] = []

        @hookimpl
        def otpcore_observe(self, event: Event) -> None:
            self.events.append(event)
            raise RuntimeError("an observer's own")

    observer, plugins, store = Observer(), Plugins(), FailingStore()
    plugins.register(observer, name="listener")
    life = driven(colour, Exchange(), store=store, plugins=plugins)
    store.told(down_from=1)
    with pytest.raises(StoreUnavailable):
        life.call("start", NUMBER)
    [event] = observer.events
    assert (event.name, event.purpose, event.recipient_tail, event.detail) == (
        "start.storeunavailable",
        "login",
        "…23",
        {},
    )
