"""Trap 5: one source may use half of a recipient's limits, at least one of each, and leaves the rest to others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from otpcore.model import Check, RecipientRecord, Send
from otpcore.policy import DAY, DEFAULT, Locked, NotYet, decide_check, decide_send
from otpcore.results import Approved, Sent, Wait, WaitReason
from tests.properties.world import EPOCH, NUMBER, World

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def sends_of(source: str, count: int) -> tuple[Send, ...]:
    """As many sends, a second apart; their ladder was cleared by a success."""
    return tuple(Send(at=EPOCH + n * SECOND, source=source) for n in range(count))


def failures_of(source: str, count: int) -> tuple[Check, ...]:
    return tuple(Check(at=EPOCH + n * SECOND, source=source) for n in range(count))


@pytest.mark.parametrize("cap", range(1, 13))
def test_a_source_uses_at_most_half_of_the_daily_cap(cap: int) -> None:
    """Trap 5: the half is rounded down, and is never nothing."""
    profile, share, now = replace(DEFAULT, daily_cap=cap), max(1, cap // 2), EPOCH + HOUR
    for count in range(cap):
        record = RecipientRecord(sends=sends_of("mine", count))
        verdict = decide_send(record, profile, now=now, source="mine")
        expected = NotYet(EPOCH + (count - share) * SECOND + DAY, WaitReason.SOURCE) if count >= share else None
        assert verdict == expected
        assert decide_send(record, profile, now=now, source="theirs") is None
        assert decide_send(record, profile, now=now) is None


@pytest.mark.parametrize("budget", range(5, 13))
def test_a_source_uses_at_most_half_of_the_budget_of_failures(budget: int) -> None:
    """Trap 5."""
    profile, share, now = replace(DEFAULT, failures_per_day=budget), budget // 2, EPOCH + HOUR
    for count in range(budget):
        record = RecipientRecord(checks=failures_of("mine", count))
        verdict = decide_check(record, profile, now=now, source="mine")
        assert verdict == (Locked(EPOCH + (count - share) * SECOND + DAY) if count >= share else None)
        assert decide_check(record, profile, now=now, source="theirs") is None
        assert decide_check(record, profile, now=now) is None


def test_who_types_the_codes_of_a_number_leaves_half_of_its_day_to_another_source() -> None:
    """Trap 5, S8: successes clear the ladder, so the half of the daily cap is what holds a source."""
    world = World()

    def logins(source: str) -> int:
        """How many of ten starts, each with its right code, are sent."""
        before = len(world.vendor.outbox)
        for _ in range(10):
            sent = world.engine.start(NUMBER, source=source)
            if isinstance(sent, Sent):
                code = world.vendor.code_for(NUMBER)
                assert isinstance(world.engine.check(sent.session.token or "", code, source=source), Approved)
            world.move(timedelta(minutes=1))
        return len(world.vendor.outbox) - before

    assert [logins("192.0.2.1"), logins("192.0.2.2")] == [5, 5]
    held = world.engine.start(NUMBER, source="192.0.2.3")
    assert isinstance(held, Wait)
    assert held.reason is WaitReason.DAILY_CAP
