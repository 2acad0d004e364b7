"""`policy explain`: the figures, and how they look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from otpcore.cli.exits import Exit
from otpcore.cli.odds import guessing, most_in_a_day, odds_of, sends_at_worst
from otpcore.errors import ConfigurationError
from otpcore.policy import DEFAULT, PROFILES, SIGNAL, TWILIO, Profile
from tests.cli.running import Cli


@pytest.mark.parametrize(("profile", "without", "with_success"), [(DEFAULT, 4, 10), (TWILIO, 10, 10), (SIGNAL, 10, 10)])
def test_sends_at_worst(profile: Profile, without: int, with_success: int) -> None:
    odds = odds_of(profile)
    assert (odds.sends_a_day, odds.sends_a_day_with_success) == (without, with_success)


@pytest.mark.parametrize("cap", range(1, 11))
def test_no_day_has_more_than_the_daily_cap(cap: int) -> None:
    for profile in PROFILES.values():
        capped = replace(profile, daily_cap=cap)
        assert odds_of(capped).sends_a_day_with_success == cap
        assert odds_of(capped).sends_a_day <= cap


def test_the_default_waits_as_its_ladder_says() -> None:
    first, *rest = sends_at_worst(DEFAULT, succeeding=False)[:5]
    waits = [(at - first).total_seconds() for at in rest]
    assert waits == [120, 420, 1320, 87_720]


def test_the_count_of_a_day_is_half_open() -> None:
    first = sends_at_worst(DEFAULT, succeeding=False)[0]
    day = timedelta(hours=24)
    assert most_in_a_day([first, first + day]) == 1
    assert most_in_a_day([first, first + day - timedelta(milliseconds=1)]) == 2


@pytest.mark.parametrize(
    ("tries", "digits", "percent"),
    [
        (100, 6, 0.01),
        (100, 8, 0.0001),
        (3_650, 6, 0.36),
        (3_650, 8, 0.0036),
        (18_250, 6, 1.8),
        (262_800, 6, 23),
        (1_576_800, 6, 79),
        (1_576_800, 8, 1.6),
    ],
)
def test_the_chance_of_guessing_is_that_of_the_requirements(tries: int, digits: int, percent: float) -> None:
    assert guessing(tries, digits) * 100 == pytest.approx(percent, rel=0.03)


LOOK = """\
Policy default: the legacy OTP_Model's documented counter: 2 min, 5 min, 15 min, 24 h; failures after RFC 4226 section \
7.3 and NIST SP 800-63B-4 section 3.2.2.

Waits between sends: 2 min, 5 min, 15 min, 24 h; then from the start.
A code has 6 digits and lives 10 min.

sends to one number in any 24 h, at worst                    10
… with no success between them                                4
checks of one session                                         5
failed checks of one number in any 24 h                      10
failed checks in a row, then an operator unlocks            100
chance of guessing: a day, 10 tries                     0.001 %
chance of guessing: a year, the owner keeps logging in   0.36 %
chance of guessing: 100 tries in a row, and no more      0.01 %

Chance = 1 - (1 - 1/10^6)^tries, for one number and uniform codes; 3650 tries a year.
Somebody who attacks many numbers multiplies it by their count.
Where the provider makes the code (Twilio: 4 to 10 digits, set at the service) its length is the service's.
"""


def test_a_person_sees_a_table(otpcore: Cli) -> None:
    ran = otpcore("policy", "explain")
    assert (ran.code, ran.out, ran.err) == (Exit.OK, LOOK, "")


def test_a_narrow_terminal_keeps_the_figures(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = otpcore("policy", "explain").out.splitlines()
    assert any(line.endswith(" 0.36 %") and len(line) <= 40 for line in table)


def test_the_settings_say_which_policy(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_PROFILE", "signal")
    monkeypatch.setenv("OTPCORE_CODE_DIGITS", "8")
    told = otpcore("policy", "explain", "--json").json
    assert (told["profile"], told["code_digits"], told["ladder_s"]) == ("signal", 8, [60, 120, 300, 600])
    assert told["guess_in_a_row"] == pytest.approx(1e-6, rel=1e-3)
    assert otpcore("policy", "explain", "--profile", "demo").out.rstrip().endswith("where messages leave the machine.")


def test_an_unknown_profile_is_said(otpcore: Cli) -> None:
    ran = otpcore("policy", "explain", "--profile", "lenient")
    assert ran.code is Exit.CONFIGURATION
    assert "there are default, twilio, signal, demo" in ran.err
    with pytest.raises(ConfigurationError):
        replace(DEFAULT, code_digits=5)
