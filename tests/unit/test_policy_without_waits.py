"""A profile with an empty ladder has no waits between sends; its caps and locks are those of any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from otpcore.errors import ConfigurationError
from otpcore.model import Check, Ladder, RecipientRecord, Send
from otpcore.policy import DAY, DEFAULT, Locked, NotYet, climb, decide_send
from otpcore.results import Sent, Wait, WaitReason
from tests.properties.world import EPOCH, NUMBER, World

FREE = replace(DEFAULT, ladder=())
SECOND = timedelta(seconds=1)


def test_no_wait_stands_against_a_send_and_none_is_made() -> None:
    held = Ladder(count=3, next_at=EPOCH + DAY)
    assert decide_send(RecipientRecord(ladder=held), FREE, now=EPOCH) is None
    assert decide_send(RecipientRecord(ladder=held), DEFAULT, now=EPOCH) == NotYet(EPOCH + DAY, WaitReason.LADDER)
    assert climb(held, FREE, now=EPOCH) == held


def test_the_caps_and_the_lock_stand() -> None:
    full = RecipientRecord(sends=tuple(Send(at=EPOCH + n * SECOND) for n in range(FREE.daily_cap)))
    assert decide_send(full, FREE, now=EPOCH + 60 * SECOND) == NotYet(EPOCH + DAY, WaitReason.DAILY_CAP)
    failed = RecipientRecord(checks=tuple(Check(at=EPOCH + n * SECOND) for n in range(FREE.failures_per_day)))
    assert decide_send(failed, FREE, now=EPOCH + 60 * SECOND) == Locked(EPOCH + DAY)


def test_an_engine_without_waits_sends_up_to_the_daily_cap() -> None:
    world = World(profile=FREE)
    answers = [world.engine.start(NUMBER, by_recipient=True) for _ in range(FREE.daily_cap + 1)]
    assert [type(each) for each in answers] == [Sent] * FREE.daily_cap + [Wait]


def test_a_wait_of_no_length_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="each wait of the ladder"):
        replace(DEFAULT, ladder=(timedelta(0),))
