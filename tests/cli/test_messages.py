"""Messages that name the way out: help without a command, an unknown purpose, a national number, a refused send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from otpcore.cli.exits import Exit
from otpcore.cli.telling import for_people
from otpcore.engine import Engine
from otpcore.errors import Busy
from otpcore.results import NextActions, Refusal, Refused
from tests.cli.running import NUMBER, Cli

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("words", [(), ("policy",)])
def test_without_a_command_the_help_is_printed_as_it_is_with_help(words: tuple[str, ...], otpcore: Cli) -> None:
    bare, asked = otpcore(*words), otpcore(*words, "--help")
    assert (bare.code, asked.code) == (Exit.USAGE, Exit.OK)
    assert (bare.out, bare.err) == (asked.out, "")
    assert "\nCommands:\n" in bare.out


def test_an_unknown_purpose_names_the_variable_and_is_told_to_programs(otpcore: Cli) -> None:
    people = otpcore("start", NUMBER, "--purpose", "payment")
    assert (people.code, people.out, "OTPCORE_PURPOSES" in people.err) == (Exit.USAGE, "", True)
    programs = otpcore("start", NUMBER, "--purpose", "payment", "--json")
    assert programs.code is Exit.USAGE
    assert programs.json["detail"] == programs.err.removeprefix("otpcore: ").rstrip()
    assert programs.json.items() >= {"result": "error", "error": "UnknownPurpose", "retryable": False}.items()


@pytest.mark.parametrize(("error", "retryable"), [(Busy(f"about {NUMBER}"), True), (RuntimeError("482913"), False)])
def test_an_error_is_told_to_programs_without_digits(
    error: Exception, retryable: bool, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr(Engine, "start", broken)
    told = otpcore("start", NUMBER, "--json")
    assert (told.json["error"], told.json["retryable"]) == (type(error).__name__, retryable)
    assert [each for each in (NUMBER[1:], "482913") if each in told.out] == []


def test_a_number_without_a_region_names_the_option(otpcore: Cli) -> None:
    ran = otpcore("start", "2025550123")
    assert (ran.code, "--region" in ran.out) == (Exit.USAGE, True)
    assert "--region" in otpcore("start", "2025550123", "--json").json["detail"]


def test_a_region_may_be_written_small(otpcore: Cli) -> None:
    assert otpcore("start", "2025550123", "--region", "us").code is Exit.OK
    assert otpcore("forget", "2025550123", "--region", "us").code is Exit.OK


def test_a_refused_first_send_promises_nothing() -> None:
    later = NOW + timedelta(minutes=2)
    refused = Refused(Refusal.DESTINATION_DENIED, NextActions(resend_at=NOW, checks_left=0), "Region CM is denied.")
    waiting = Refused(Refusal.LOCKED, NextActions(resend_at=later, checks_left=0), "")
    assert for_people(refused, now=NOW) == [
        "Refused (destination_denied). Region CM is denied.",
        "  next send  now, once the reason above is gone",
    ]
    assert for_people(waiting, now=NOW)[1].startswith("  next send  in 2 min (")
    live = Refused(Refusal.INVALID_CODE, NextActions(resend_at=NOW, checks_left=4), "")
    assert for_people(live, now=NOW)[1:] == ["  checks     4 left", "  next send  now"]
