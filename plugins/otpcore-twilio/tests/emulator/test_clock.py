"""The clock: it is moved, stands still, and runs on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import requests

from otpcore_twilio.emulator import Clock

if TYPE_CHECKING:
    from tests.emulator.conftest import Bench

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class Source:
    """A clock under a clock."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def seconds(clock: Clock) -> float:
    return (clock.now() - START).total_seconds()


def test_it_runs_with_its_source_ahead_by_what_it_was_moved() -> None:
    source = Source()
    clock = Clock(source)
    assert clock.advance(10) == START + timedelta(seconds=10)
    source.pass_s(5)
    clock.advance(0.5)
    assert (seconds(clock), clock.running) == (15.5, True)


def test_it_stands_still_moves_when_it_is_moved_and_runs_on_from_there() -> None:
    source = Source()
    clock = Clock(source)
    source.pass_s(1)
    clock.stop()
    source.pass_s(100)
    clock.stop()  # again: nothing changes
    assert (seconds(clock), clock.running) == (1, False)
    clock.advance(600)
    assert seconds(clock) == 601
    clock.start()
    assert (seconds(clock), clock.running) == (601, True)
    source.pass_s(2)
    clock.start()
    assert seconds(clock) == 603


def test_it_never_goes_back() -> None:
    for wrong in (-1, 366 * 86_400 + 1, float("nan")):
        with pytest.raises(ValueError, match="forward"):
            Clock().advance(wrong)


@pytest.mark.parametrize(("waited_s", "alive"), [(599.999, True), (600, False)])
def test_a_test_meets_the_exact_instant_at_which_a_code_dies(bench: Bench, waited_s: float, *, alive: bool) -> None:
    bench.emulator.clock.stop()
    bench.send()
    bench.emulator.clock.advance(waited_s)
    if alive:
        assert bench.check(bench.right()).status == "approved"
    else:
        assert bench.refused(bench.check, bench.right()) == (404, 20404)


def test_it_is_stopped_and_started_over_http(bench: Bench) -> None:
    clock = f"{bench.emulator.url}/_emulator/clock"
    with requests.Session() as browser:
        assert browser.get(clock).json()["running"] is True
        stopped = browser.post(clock, json={"running": False}).json()
        assert stopped["running"] is False
        moved = browser.post(clock, json={"advance_s": 3600, "running": False}).json()
        assert datetime.fromisoformat(moved["now"]) - datetime.fromisoformat(stopped["now"]) == timedelta(hours=1)
        assert browser.post(clock, json={"running": True}).json()["running"] is True
