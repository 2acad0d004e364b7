"""What every command shares: errors, logs, exit codes, a missing extra."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from otpcore.cli.app import app
from otpcore.cli.exits import Exit
from otpcore.engine import Engine
from otpcore.errors import Busy, OtpcoreError, StoreFormatError
from tests.cli.running import NUMBER, Cli, other_than

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


def test_the_documented_exit_codes_are_those_of_the_code(otpcore: Cli) -> None:
    rows = re.findall(r"^\| ([0-9]+) \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert rows == [(str(code.value), code.meaning) for code in Exit]
    help_text = otpcore("--help").out
    assert all(f"{code.value}  {code.meaning}" in help_text for code in Exit)


def test_every_command_is_documented(otpcore: Cli) -> None:
    text = DOCUMENT.read_text("utf-8")
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    assert {"start", "resend", "check", "status", "cancel", "forget", "unlock", "doctor", "demo"} < set(names)
    assert [name for name in [*names, "policy explain", "plugin new"] if f"### otpcore {name}" not in text] == []


def test_each_command_but_the_emulator_has_json_and_help(otpcore: Cli) -> None:
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        if name != "emulator":
            ran = otpcore(name, "--help")
            assert ran.code is Exit.OK
            assert "--json" in ran.out
    assert "--json" in otpcore("policy", "explain", "--help").out


def test_the_version_is_printed(otpcore: Cli) -> None:
    assert re.fullmatch(r"otpcore \d+\.\d+\.\d+\n", otpcore("--version").out)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (Busy(), Exit.TROUBLE, "Too many concurrent operations"),
        (StoreFormatError(), Exit.CONFIGURATION, "newer schema"),
        (OtpcoreError(f"about {NUMBER}"), Exit.TROUBLE, "about …"),
        (RuntimeError("the code is 482913"), Exit.BUG, "a bug: RuntimeError at "),
        (KeyboardInterrupt(), Exit.INTERRUPTED, ""),
    ],
)
def test_an_error_is_one_masked_line(
    error: BaseException, code: Exit, told: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr(Engine, "start", broken)
    ran = otpcore("start", NUMBER)
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert ran.err.count("\n") <= 1
    assert "482913" not in ran.err
    assert NUMBER[1:] not in ran.err


def test_a_traceback_is_for_those_who_ask_for_it(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object, **_more: object) -> None:
        raise RuntimeError("the code is 482913")

    monkeypatch.setattr(Engine, "start", broken)
    ran = otpcore("--debug", "start", NUMBER)
    assert ran.code is Exit.BUG
    assert "Traceback" in ran.err
    assert "482913" not in ran.err


def test_the_audit_log_holds_neither_number_nor_code(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    started = otpcore("--verbose", "start", NUMBER, "--json")
    assert "INFO otpcore.audit" in started.err
    audit = [line for line in started.err.splitlines() if "otpcore.audit" in line]
    monkeypatch.setenv("OTPCORE_TOKEN", started.json["token"])
    checked = otpcore("--verbose", "check", stdin=other_than(started.sent_code))
    audit += checked.err.splitlines()
    assert any("start.sent" in line for line in audit)
    assert any("check.wrong" in line for line in audit)
    assert not [line for line in audit if re.search(r"\d{6}", line)]


@pytest.mark.parametrize("option", ["--verbose", "--debug"])
def test_what_anybody_logs_is_redacted(option: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def chatty(*_given: object, **_more: object) -> None:
        logging.getLogger("vendor.sdk").warning("sent 482913 to %s", NUMBER)
        raise Busy

    monkeypatch.setattr(Engine, "start", chatty)
    ran = otpcore(option, "start", NUMBER)
    assert "WARNING vendor.sdk sent … to …" in ran.err
    assert "482913" not in ran.err


def test_without_its_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['typer'] = None; from otpcore.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (Exit.CONFIGURATION, "")
    assert ran.stderr == "otpcore: the command line needs typer: pip install 'otpcore[cli]'\n"


def test_a_terminal_without_unicode_gets_question_marks_and_no_traceback(tmp_path: Path) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "OTPCORE_TINYDB_PATH": str(tmp_path / "x.otpdb"), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", "from otpcore.cli import main; main()", "doctor"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "? software" in ran.stdout
