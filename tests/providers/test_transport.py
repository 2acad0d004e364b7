"""What every transport below an SDK is made of: attempts, look-ups in time, one pool for each process, origins."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest

from otpcore.errors import ConfigurationError
from otpcore.ports import FailureKind, SendEffect
from otpcore.providers.transport import Attempt, Origin, PerProcess, is_loopback, is_not_ours, under_way
from otpcore.providers.transport.addresses import addresses_of


def test_importing_it_loads_no_http_library() -> None:
    script = (
        "import sys, otpcore.providers.transport;"
        "heavy = {'requests', 'urllib3', 'httpcore', 'aiohttp'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


# --- attempts ---


@pytest.mark.parametrize(
    ("maybe_sent", "seconds", "error", "kind", "effect"),
    [
        (False, 60, OSError(), FailureKind.TRANSIENT, SendEffect.NOT_SENT),
        (True, 60, OSError(), FailureKind.INTERNAL, SendEffect.UNKNOWN),
        (False, -1, OSError(), FailureKind.TIMEOUT, SendEffect.NOT_SENT),
        (True, -1, OSError(), FailureKind.TIMEOUT, SendEffect.UNKNOWN),
        (True, 60, TimeoutError(), FailureKind.TIMEOUT, SendEffect.UNKNOWN),
        (False, 60, ConfigurationError("HTTPS_PROXY"), FailureKind.MISCONFIGURED, SendEffect.NOT_SENT),
    ],
)
def test_a_loss_is_not_sent_only_where_no_byte_can_have_left(
    maybe_sent: bool, seconds: float, error: Exception, kind: FailureKind, effect: SendEffect
) -> None:
    attempt = Attempt.lasting(seconds)
    attempt.maybe_sent = maybe_sent
    lost = attempt.unanswered("Heron", error)
    assert (lost.kind, lost.effect, lost.native) == (kind, effect, error)
    assert "HTTPS_PROXY" in lost.detail if kind is FailureKind.MISCONFIGURED else "Heron" in lost.detail


@dataclass(slots=True)
class Read(Attempt):
    document: str = ""


def test_the_current_attempt_is_the_innermost_and_of_the_kind_that_is_asked_for() -> None:
    assert 0 < Attempt.current(5).left_s <= 5
    with under_way(Read.lasting(60)) as outer:
        assert Attempt.current(5) is outer
        with under_way(Attempt.lasting(30)) as inner:
            assert Attempt.current(5) is inner
            assert Read.current(5) is not inner
            assert Read.current(5).left_s <= 5
        assert Read.current(5) is outer
    assert Attempt.current(5) is not outer


def test_an_attempt_of_one_thread_is_none_of_another() -> None:
    found: list[Attempt] = []
    with under_way(Attempt.lasting(60)) as attempt:
        other = threading.Thread(target=lambda: found.append(Attempt.current(5)))
        other.start()
        other.join()
    assert found[0] is not attempt


@pytest.mark.parametrize(
    ("text", "seconds"), [("12", 12), (" 7 ", 7), ("soon", None), ("-1", None), ("9" * 400, None), (None, None)]
)
def test_a_retry_after_is_read_or_ignored(text: str | None, seconds: int | None) -> None:
    attempt = Attempt.lasting(60)
    attempt.answered(429, text)
    assert attempt.retry_after == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(("status", "refused"), [(None, False), (200, False), (399, False), (400, True), (500, False)])
def test_a_refusal_is_a_4xx(status: int | None, refused: bool) -> None:
    assert Attempt(0, status=status).was_refused is refused


def test_nothing_waits_when_the_time_is_used_up() -> None:
    assert Attempt.lasting(0).is_over
    with pytest.raises(TimeoutError):
        Attempt.lasting(0).remaining_s()


def test_a_filtered_logger_is_silent_while_an_attempt_is_under_way(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("heron.transport")
    logger.addFilter(is_not_ours)
    try:
        with caplog.at_level(logging.DEBUG):
            with under_way(Attempt.lasting(60)):
                logger.debug("ours")
            logger.debug("theirs")
    finally:
        logger.removeFilter(is_not_ours)
    assert [record.message for record in caplog.records] == ["theirs"]


# --- one for each process ---


@pytest.mark.parametrize("line", [1, 2])
def test_two_threads_of_a_forked_child_never_take_what_is_the_parents(
    monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    """One thread opens the child's while another has come to any line of the same."""
    held: PerProcess[object] = PerProcess()
    parents, here = held.get(object), held.get.__code__
    lines = itertools.count(1)
    others: list[object] = []

    def other_thread(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code is not here:
            return None
        if event == "line" and next(lines) == line:
            others.append(held.get(object))
        return other_thread

    before = sys.gettrace()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        sys.settrace(other_thread)
        try:
            taken = held.get(object)
        finally:
            sys.settrace(before)
        assert others == [taken]
        assert taken is not parents
        assert held.take() is taken
        assert held.take() is None
    assert held.get(object) is parents


# --- look-ups ---


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]"])
def test_an_address_needs_no_look_up(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert addresses_of(host, 443, Attempt.lasting(0)) == [host.strip("[]")]


def test_a_look_up_that_hangs_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        over.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        addresses_of("heron.invalid", 443, Attempt.lasting(0.2))
    assert time.monotonic() - began < 30
    over.set()


def test_a_name_that_none_can_have_is_told_at_once() -> None:
    """The look-up raises no OSError for it; a thread that dies of it would leave the call waiting for its deadline."""
    began = time.monotonic()
    with pytest.raises(OSError, match="none of a host"):
        addresses_of("x" * 70 + ".invalid", 443, Attempt.lasting(60))
    assert time.monotonic() - began < 30


# --- origins ---


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("https://api.heron.example", Origin("https", "api.heron.example", loopback=False)),
        ("https://api.heron.example:8443/", Origin("https", "api.heron.example:8443", loopback=False)),
        ("http://127.0.0.1:8080", Origin("http", "127.0.0.1:8080", loopback=True)),
        ("http://[::1]", Origin("http", "[::1]", loopback=True)),
        ("https://localhost", Origin("https", "localhost", loopback=True)),
    ],
)
def test_an_origin_is_read(text: str, parsed: Origin) -> None:
    assert Origin.parse(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        *("", "api.heron.example", "ftp://127.0.0.1", "https://", "https://[::1", "https://api.heron.example:port"),
        *("https://api.heron.example/v2", "https://api.heron.example?canary", "https://api.heron.example#canary"),
        *("https://canary@api.heron.example", "https://:canary@api.heron.example", "https://h\u00e9ron.example"),
        *("http://api.heron.example", "http://127.0.0.1.heron.example", "http://localhost.heron.example"),
    ],
)
def test_what_is_no_origin_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="origin") as refused:
        Origin.parse(text)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "is_ours"), [("localhost", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False)]
)
def test_only_this_machine_can_reach_a_loopback(host: str, is_ours: bool) -> None:
    assert is_loopback(host) is is_ours
