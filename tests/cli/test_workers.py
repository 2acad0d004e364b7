"""D3: with two workers, a store of one process does not start: the exit is not 0, and the line says what to do."""

from __future__ import annotations

import pytest

from otpcore.cli.exits import Exit
from tests.cli.running import NUMBER, Cli


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_STORE", "memory")


@pytest.mark.parametrize("variable", ["OTPCORE_WORKERS", "WEB_CONCURRENCY"])
def test_a_command_leaves_with_6(variable: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "2")
    ran = otpcore("status", "--recipient", NUMBER)
    assert ran.code is Exit.CONFIGURATION
    assert "serves one process, and OTPCORE_WORKERS (or WEB_CONCURRENCY) says 2" in " ".join(ran.err.split())


def test_doctor_finds_it(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_WORKERS", "2")
    ran = otpcore("doctor", "--json")
    assert ran.code is Exit.NO
    (bad,) = [each for each in ran.json["findings"] if each["level"] == "bad"]
    assert bad["part"] == "store"
    assert "serves one process" in bad["text"]


def test_one_worker_starts(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_WORKERS", "1")
    assert otpcore("status", "--recipient", NUMBER).code is Exit.OVER
