"""Breakers and bounds as the engines use them, in every colour: routes, what is told, what is given back.

Rules of this file: the breakers' clock is a number that the test sets; the vendors say what they are told to.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore import AsyncEngine, Engine, Refused, SendState, Sent, Undecided, Wrong
from otpcore.contract import (
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    FailureScope,
    SendEffect,
    SendRequest,
)
from otpcore.engine import answers, audit
from otpcore.engine.bounding import WAIT_S, Bounds, Lane, NotStarted, patience
from otpcore.engine.breaking import UNKNOWNS, Breakers
from otpcore.errors import ConfigurationError
from otpcore.hookspecs import Event, hookimpl
from otpcore.plugins import Plugins
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import PEPPER
from tests.numbers import phone

COLOURS = ("blocking", "awaiting", "awaiting a blocking provider")
colours = pytest.mark.parametrize("colour", COLOURS)


class Scene:
    """An engine over the vendors "a" and "b"; `order` holds what "a" says next, "b" always accepts."""

    def __init__(self, colour: str, owner: CodeOwner = CodeOwner.CORE, **given: Any) -> None:
        self.order: list[Any] = []
        self.now, self.wall = 1000.0, datetime(2030, 1, 1, tzinfo=UTC)
        self.events: list[Event] = []
        plugins = Plugins()
        plugins.register(self, name="listener")
        make = AsyncFakeProvider if colour == "awaiting" else FakeProvider
        self.a: Any = make(owner=owner, script=lambda _: self.order.pop(0) if self.order else None)
        self.b = make(owner=owner)
        kind: Any = Engine if colour == "blocking" else AsyncEngine
        given = {"pepper": PEPPER, "plugins": plugins, "clock": lambda: self.wall, **given}
        self.engine = kind(MemoryStore(), {"a": self.a, "b": self.b}, **given)
        self.breakers: Breakers = self.engine._driver.breakers
        self.breakers.clock = lambda: self.now
        self.colour = colour
        self.starts = 0

    @hookimpl
    def otpcore_observe(self, event: Event) -> None:
        if event.name.startswith("breaker."):
            self.events.append(event)

    def call(self, operation: str, *given: Any, **named: Any) -> Any:
        answer = getattr(self.engine, operation)(*given, **named)
        return answer if self.colour == "blocking" else asyncio.run(answer)

    def start(self, said: Any = None) -> str:
        """A start of somebody new; the name of the vendor that was asked."""
        self.order[:] = [] if said is None else [said]
        before = self.a.calls["send"]
        self.starts += 1
        self.call("start", phone(self.starts))
        return "a" if self.a.calls["send"] > before else "b"


@colours
def test_what_times_out_is_spared_until_one_start_has_tried_it_out(colour: str) -> None:
    scene = Scene(colour)
    for _ in range(UNKNOWNS):
        assert scene.start(FailureKind.TIMEOUT) == "a"
    assert [scene.start() for _ in range(3)] == ["b", "b", "b"]
    scene.now += 30
    assert scene.start(FailureKind.TIMEOUT) == "a"
    assert scene.start() == "b"
    scene.now += 30
    assert [scene.start() for _ in range(3)] == ["a", "a", "a"]
    assert [event.name for event in scene.events] == ["breaker.opened", "breaker.closed"]
    scene.call("close")


@colours
def test_a_clock_that_is_set_opens_and_closes_nothing(colour: str) -> None:
    """D9: breakers have a clock that nobody sets."""
    scene = Scene(colour)
    scene.start(FailureKind.QUOTA_EXHAUSTED)
    for step in (timedelta(days=400), -timedelta(days=800)):
        scene.wall += step
        assert scene.start() == "b"


@colours
def test_a_start_that_sends_nothing_gives_its_probe_back(colour: str) -> None:
    scene = Scene(colour)
    scene.start(FailureKind.QUOTA_EXHAUSTED)
    waits = phone(900)
    assert isinstance(scene.call("start", waits), Sent)
    scene.now += 900
    for _ in range(3):
        assert not isinstance(scene.call("start", waits), Sent)  # the ladder says no
    assert scene.start() == "a"


@colours
def test_a_recipients_own_limit_spares_nobody(colour: str) -> None:
    """Who asks for many codes would switch the provider off for everybody in the region."""
    scene = Scene(colour)
    for _ in range(20):
        failure = Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, scope=FailureScope.RECIPIENT)
        assert scene.start(failure) == "a"
    assert scene.events == []


@colours
def test_openings_are_told_to_the_log_and_to_plugins(colour: str, lines: list[str], caplog: Any) -> None:
    scene = Scene(colour)
    with caplog.at_level(logging.WARNING, audit.__name__):
        scene.start(FailureKind.MISCONFIGURED)
    scene.now += 60
    scene.start()
    told = [json.loads(line) for line in lines]
    opened, closed = (each for each in told if each["event"].startswith("breaker."))
    about = {"tenant": "default", "at": "2030-01-01T00:00:00.000+00:00", "provider": "a", "kind": "misconfigured"}
    where = {"channel": "sms", "region": "*"}
    assert opened == {"event": "breaker.opened", **about, **where, "seconds": "60"}
    assert closed == {"event": "breaker.closed", **about, **where}
    assert [event.name for event in scene.events] == ["breaker.opened", "breaker.closed"]
    assert "Provider a is spared until somebody helps: misconfigured" in caplog.text


def test_a_clock_that_fails_takes_no_answer_away() -> None:
    """What was sent is told, whatever becomes of the telling."""
    failure = Failure(FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
    changes = Breakers(lambda: 0.0).heard("a", "sms", "US", failure, began=0.0, timeout_s=8.0)
    told: list[Event] = []

    def fails() -> datetime:
        raise OSError

    audit.tell_breakers(changes, "t", fails, told.append)
    assert told == []


@colours
def test_checks_without_an_answer_spare_the_provider(colour: str) -> None:
    scene = Scene(colour, CodeOwner.PROVIDER)
    tokens = [scene.call("start", phone(800 + n)).session.token for n in range(UNKNOWNS)]
    for token in tokens:
        scene.order[:] = [CheckVerdict.UNKNOWN]
        assert isinstance(scene.call("check", token, "123456"), Undecided)
    assert scene.start() == "b"


@pytest.mark.parametrize(
    "answer",
    [
        Failure("quota", SendEffect.NOT_SENT),  # type: ignore[arg-type]  # what a plugin may get wrong
        Failure(FailureKind.TRANSIENT, "not_sent, surely"),  # type: ignore[arg-type]  # the same
        Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, retry_after=5),  # type: ignore[arg-type]  # the same
        Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, scope=None),  # type: ignore[arg-type]  # the same
    ],
)
def test_a_failure_that_is_none_is_an_unknown_outcome(answer: Any) -> None:
    request = SendRequest("s", phone(0), "sms", "login", None, None, datetime.now(UTC), 8.0)
    made = answers.send_answer(answer, request)
    assert isinstance(made, Failure)
    assert (made.kind, made.effect) == (FailureKind.INTERNAL, SendEffect.UNKNOWN)


class Places:
    """Whoever enters waits for what is left of the deadline, or finds nothing. For both colours."""

    def __init__(self, left: Any) -> None:
        self.left = left

    def enter(self, *_: Any) -> Any:
        if self.left is None:
            raise NotStarted
        return self.left


# --- bounds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [Engine, AsyncEngine])
@pytest.mark.parametrize("bound", [-1, 0, 10_001])
def test_a_bound_that_cannot_be_is_refused(engine: Any, bound: int) -> None:
    with pytest.raises(ConfigurationError, match=f"provider_concurrency is 1 to 10000, not {bound}"):
        engine(MemoryStore(), FakeProvider(), provider_concurrency=bound)


def no_more_than_the_bound() -> None:
    """Of many threads at once, as many as may are inside, and each lane has its own."""
    bounds, inside, most = Bounds(["a"], 3), [0], [0]
    mutex, full, latch = threading.Lock(), threading.Semaphore(0), threading.Event()

    def call() -> str:
        try:
            with bounds.enter("a", Lane.SEND, 10.0):
                with mutex:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                full.release()
                latch.wait(60)
                with mutex:
                    inside[0] -= 1
        except NotStarted:
            return "not started"
        return "made"

    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(call) for _ in range(20)]
        for _ in range(3):
            full.acquire()
        with bounds.enter("a", Lane.CHECK, 10.0) as left_s:
            assert left_s == 10.0
        while sum(each.done() for each in calls) < 17 and most[0] <= 3:
            threading.Event().wait(0.01)  # for a state: who finds no place gives up by itself
        latch.set()
        outcomes = [each.result() for each in calls]
    assert most == [3]
    assert outcomes.count("made") == 3


def test_no_more_calls_than_may_are_under_way() -> None:
    no_more_than_the_bound()


@pytest.mark.parametrize("timeout_s", [10.0, 0.1])
def test_the_wait_for_a_place_is_short_and_inside_the_deadline(timeout_s: float) -> None:
    assert 0 < patience(timeout_s) <= min(WAIT_S, timeout_s / 2)


@colours
def test_the_provider_is_given_what_is_left_of_the_deadline(colour: str) -> None:
    asked: list[float] = []
    request = SendRequest("s", phone(0), "sms", "login", None, None, datetime.now(UTC), 8.0)
    left = answers.within(request, 7.9)
    assert (left.timeout_s, left.recipient) == (7.9, request.recipient)
    assert answers.within(request, 8.0) is request
    scene = Scene(colour, timeout_s=4.0)

    def note(request: SendRequest) -> Any:
        asked.append(request.timeout_s)

    async def noted(request: SendRequest) -> None:
        note(request)

    scene.a.before_send = noted if colour == "awaiting" else note
    scene.start()
    scene.engine._driver._bounds = Places(nullcontext(1.5))
    scene.start()
    assert asked == [4.0, 1.5]


@colours
def test_a_check_that_finds_no_place_costs_no_try(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(colour, CodeOwner.PROVIDER, provider_concurrency=1, timeout_s=0.2)
    token = scene.call("start", phone(0)).session.token
    entered, latch = threading.Event(), threading.Event()
    wrong = CheckAnswer(CheckVerdict.WRONG)

    def hangs(_request: CheckRequest) -> CheckAnswer:
        entered.set()
        latch.wait(60)
        return wrong

    async def awaits(_request: CheckRequest) -> CheckAnswer:
        entered.set()
        await asyncio.to_thread(latch.wait, 60)
        return wrong

    other = scene.call("start", phone(1)).session.token
    monkeypatch.setattr(scene.a, "check", awaits if colour == "awaiting" else hangs)

    async def both() -> Any:
        first = asyncio.create_task(scene.engine.check(other, "123456"))
        await asyncio.to_thread(entered.wait, 60)
        refused = await scene.engine.check(token, "123456")
        latch.set()
        await first
        return refused

    if colour == "blocking":
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(scene.call, "check", other, "123456")
            assert entered.wait(60)
            refused = scene.call("check", token, "123456")
            latch.set()
            assert isinstance(first.result(), Wrong)
    else:
        refused = asyncio.run(both())
    assert isinstance(refused, Refused)
    assert refused.next.checks_left == 5
    assert scene.events == []


@colours
def test_what_found_no_place_is_no_word_of_the_provider(colour: str) -> None:
    """Its breaker learns nothing of it: a burst is nothing that the provider did."""
    scene = Scene(colour)

    scene.engine._driver._bounds = Places(None)
    for n in range(20):
        refused = scene.call("start", phone(n))
        assert isinstance(refused, Refused)
        assert refused.cause == answers.send_not_started()
    assert scene.events == []


def child(told: Any, bounds: Bounds) -> None:
    with bounds.enter("a", Lane.SEND, 10.0):
        told.put("entered")


def test_a_forked_child_finds_every_place_free() -> None:
    bounds = Bounds(["a"], 1)
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    process = context.Process(target=child, args=(told, bounds))
    with bounds.enter("a", Lane.SEND, 10.0):
        process.start()
        process.join(30)
    assert process.exitcode == 0
    assert told.get() == "entered"


@colours
def test_a_late_answer_of_a_send_is_the_engines_to_judge(colour: str) -> None:
    """A blocking engine is told it and knows it; one that awaits does not wait for it: nobody knows."""
    scene = Scene(colour, timeout_s=0.01)
    latch = threading.Event()

    def late(_request: SendRequest) -> Any:
        latch.wait(5 if colour != "blocking" else 0.05)

    async def awaited(_request: SendRequest) -> None:
        await asyncio.Event().wait()

    scene.a.before_send = awaited if colour == "awaiting" else late
    sent = scene.call("start", phone(0))
    latch.set()
    assert isinstance(sent, Sent)
    assert sent.state is (SendState.ACCEPTED if colour == "blocking" else SendState.UNKNOWN)
