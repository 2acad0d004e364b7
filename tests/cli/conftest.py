"""A command line in this process, with an environment of its own."""

from __future__ import annotations

import io
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from otpcore.cli.app import run
from otpcore.cli.exits import Exit
from tests.cli.running import Cli, Ran

CODES = {int(code): code for code in Exit}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting of the person who runs the tests, a store of one test, a terminal of 80 columns."""
    for name in list(os.environ):
        if name.startswith(("OTPCORE_", "TWILIO_")) or name == "WEB_CONCURRENCY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(tmp_path / "store" / "codes.otpdb"))
    monkeypatch.setenv("OTPCORE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    before = signal.getsignal(signal.SIGTERM)
    handlers = list(logging.getLogger().handlers)
    yield
    signal.signal(signal.SIGTERM, before)
    assert logging.getLogger().handlers == handlers, "a command left its log handler behind"


@pytest.fixture
def otpcore(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process."""

    def command(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = run(arguments)
        told = capsys.readouterr()
        return Ran(CODES[code], told.out, told.err)

    return command
