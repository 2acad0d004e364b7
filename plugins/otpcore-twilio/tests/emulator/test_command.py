"""`otpcore emulator twilio` as a process: what it prints, and how it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
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


@pytest.mark.parametrize(
    "arguments",
    [
        ("--option", "nothing=1"),
        ("--option", "validity_s=soon"),
        ("--option", "validity_s=0"),
        ("--option", 'faults=[{"outcome": "explode"}]'),
        ("--option", "channels=sms"),
        ("--callback-url", "http://192.0.2.1/"),
    ],
)
def test_an_option_that_cannot_be_is_said_in_one_line(arguments: tuple[str, ...]) -> None:
    with running(*arguments) as process:
        printed, complaint = process.communicate(timeout=30)
    assert (process.returncode, printed, complaint.count("\n")) == (6, "", 1)
    assert complaint.startswith("otpcore: ")


def test_every_option_can_be_set() -> None:
    options = {
        "check_when_locked": "20404",
        "channels": '["sms", "email"]',
        "faults": '[{"outcome": 60410, "to": "+12025550124"}]',
        "http_statuses": '{"60410": 400}',
    }
    arguments = [part for name, value in options.items() for part in ("--option", f"{name}={value}")]
    signed = ("--callback-url", "http://127.0.0.1:1/", "--callback-public-url", "https://shop.example/")
    with running("--json", *signed, *arguments) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        who = requests.get(f"{url}/_emulator/account", timeout=10).json()
        verifications = f"{url}/v2/Services/{who['service_sid']}/Verifications"

        def send(to: str, channel: str = "sms") -> requests.Response:
            auth = who["account_sid"], who["auth_token"]
            return requests.post(verifications, auth=auth, data={"To": to, "Channel": channel}, timeout=10)

        refused = send("+12025550124")
        assert (refused.status_code, refused.json()["code"]) == (400, 60410)
        assert send("someone@example.org", "email").status_code == 201
        assert send("+12025550124", "call").status_code == 400
        assert send("+12025550124").status_code == 201
        told = requests.get(f"{url}/_emulator/callbacks", timeout=10).json()
        assert told["waiting"] + len(told["sent"]) == 2


def test_its_state_goes_on_in_the_next_process(tmp_path: Path) -> None:
    accounts: list[dict[str, str]] = []
    inbox: list[dict[str, int]] = []
    for to in ("+12025550123", "+12025550124"):
        with running("--json", "--state", str(tmp_path / "twilio.json")) as process:
            assert process.stdout is not None
            printed = json.loads(process.stdout.readline())
            who = requests.get(f"{printed['url']}/_emulator/account", timeout=10).json()
            accounts.append(who)
            requests.post(
                f"{printed['url']}/v2/Services/{who['service_sid']}/Verifications",
                auth=(who["account_sid"], who["auth_token"]),
                data={"To": to, "Channel": "sms"},
                timeout=10,
            )
            inbox = requests.get(f"{printed['url']}/_emulator/inbox", timeout=10).json()
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=30) == ("", "")
    assert accounts[0] == accounts[1]
    assert [message["number"] for message in inbox] == [1, 2]


def test_a_state_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("{}")
    for name, code in (("broken", 6), ("missing/twilio.json", 7)):
        with running("--state", str(tmp_path / name)) as process:
            printed, complaint = process.communicate(timeout=30)
        assert (process.returncode, printed, complaint.count("\n")) == (code, "", 1)
        assert Path(name).parts[0] in complaint


def test_the_help_names_every_option_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with running("--help") as process:
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    for option in (
        "--port",
        "--host",
        "--seed",
        "--state",
        "--callback-url",
        "--callback-public-url",
        "--option",
        "--json",
    ):
        assert option in printed
