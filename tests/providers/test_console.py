"""The console provider: loud, for development, and only on its stream."""

from __future__ import annotations

import io
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from otpcore.ports import Accepted, Checks, CodeOwner, Failure, MessageText, Provider, SendEffect, SendRequest
from otpcore.providers.console import BANNER, ConsoleProvider

REQUEST = SendRequest(
    "s1", "+12025550123", "sms", "login", "918273", None, datetime(2026, 11, 22, tzinfo=UTC), timeout_s=1.0
)


def test_it_delivers_codes_of_the_core_and_says_that_it_is_simulated() -> None:
    provider = ConsoleProvider()
    assert isinstance(provider, Provider)
    assert not isinstance(provider, Checks)
    assert provider.capabilities.code_owners == {CodeOwner.CORE}
    assert provider.capabilities.simulated


def test_the_code_goes_to_standard_error_under_a_loud_line(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.NOTSET):
        assert ConsoleProvider().send(REQUEST) == Accepted(None)
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [BANNER, "    sms to …23 for login: code 918273"]
    assert "DEVELOPMENT ONLY" in shown.err
    assert (shown.out, caplog.text) == ("", "")


def test_the_message_is_shown_line_by_line() -> None:
    stream = io.StringIO()
    text = "رمز 918273\n@example.com #918273\x1b[2J\r\u202e"
    ConsoleProvider(stream).send(replace(REQUEST, message=MessageText(text, 1, "default", "ar", subject="Code")))
    assert stream.getvalue().splitlines()[2:] == [
        "    | Subject: Code",
        "    | رمز 918273",
        "    | @example.com #918273\\x1b[2J\\r\\u202e",
    ]


def test_a_purpose_cannot_forge_a_line() -> None:
    stream = io.StringIO()
    ConsoleProvider(stream).send(replace(REQUEST, purpose="login\n*** all is well\x1b[2J"))
    assert stream.getvalue().count("\n") == 2
    assert "\x1b" not in stream.getvalue()


def test_without_a_code_nothing_is_shown() -> None:
    stream = io.StringIO()
    outcome = ConsoleProvider(stream).send(replace(REQUEST, code=None))
    assert isinstance(outcome, Failure)
    assert outcome.effect is SendEffect.NOT_SENT
    assert stream.getvalue() == ""


def test_messages_of_many_threads_keep_their_lines_together() -> None:
    stream = io.StringIO()
    provider = ConsoleProvider(stream)
    threads = [threading.Thread(target=provider.send, args=(REQUEST,)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.close()
    lines = stream.getvalue().splitlines()
    assert lines[::2] == [BANNER] * 32
    assert all("918273" in line for line in lines[1::2])
