"""How the command line says when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from otpcore.cli.moments import lasting, machine, when

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.001, "1 s"),
        (3, "3 s"),
        (59.2, "1 min"),
        (118, "1 min 58 s"),
        (600, "10 min"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (86_400, "24 h"),
        (86_399.5, "24 h"),
        (100_000, "1 d 3 h"),
        (86_400 * 400, "400 d"),
    ],
)
def test_a_duration_is_said_in_two_units_and_rounded_up(seconds: float, said: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("zone", "seconds", "said"),
    [
        ("UTC", 118, "in 1 min 58 s (12:01:58)"),
        ("Asia/Kolkata", 118, "in 1 min 58 s (17:31:58)"),
        ("Pacific/Apia", 3, "in 3 s (2026-11-23 01:00:03)"),
        ("UTC", 86_400, "in 24 h (2026-11-23 12:00:00)"),
        ("UTC", 0, "now"),
        ("UTC", -60, "now"),
    ],
)
def test_an_instant_is_said_from_now_and_by_the_local_clock(
    zone: str, seconds: float, said: str, set_timezone: Callable[[str], None]
) -> None:
    set_timezone(zone)
    told = when(NOON + timedelta(seconds=seconds), now=NOON)
    assert told == (said.replace("2026-11-23 ", "") if zone == "Pacific/Apia" else said)


def test_programs_get_utc_to_the_millisecond() -> None:
    assert machine(NOON + timedelta(microseconds=1_999)) == "2026-11-22T12:00:00.001Z"
    assert machine(None) is None
