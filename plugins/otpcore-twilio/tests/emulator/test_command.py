"""`otpcore emulator twilio` as a process: what it prints, and how it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Generator

START = (sys.executable, "-W", "error", "-c", "from otpcore_twilio.emulator.command import load; load()()")


@contextlib.contextmanager
def running(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """The command, killed at the end if it still runs."""
    with subprocess.Popen([*START, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_what_it_prints_and_ends_cleanly(number: signal.Signals) -> None:
    with running("--json") as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        assert printed["env"]["OTPCORE_TWILIO_ORIGIN"] == printed["url"]
        answer = requests.get(
            f"{printed['url']}/v2/Services/{printed['env']['TWILIO_SERVICE_SID']}",
            auth=(printed["env"]["TWILIO_ACCOUNT_SID"], printed["env"]["TWILIO_AUTH_TOKEN"]),
            timeout=10,
        )
        assert answer.status_code == 200
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0


def test_the_text_can_be_pasted_into_a_shell_and_a_seed_repeats_it() -> None:
    printed: list[list[str]] = []
    for _ in range(2):
        with running("--seed", "4") as process:
            assert process.stdout is not None
            printed.append([process.stdout.readline() for _ in range(5)])
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    first, second = printed
    assert first[0].startswith("# ")
    assert all(line.startswith("export ") for line in first[1:])
    assert first[1:4] == second[1:4]  # the port is another one


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, running("--port", str(taken.getsockname()[1])) as process:
        printed, complaint = process.communicate(timeout=30)
    assert (process.returncode, printed, complaint.count("\n")) == (7, "", 1)
    assert complaint.startswith("otpcore: cannot listen on ")


def test_another_address_is_served_only_with_a_warning() -> None:
    with running("--host", "0.0.0.0") as process:
        assert process.stderr is not None
        assert "can read every code" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
