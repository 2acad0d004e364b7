"""The profiles themselves, and the decision on a send alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.errors import ConfigurationError, UsageError
from otpcore.model import Ladder, RecipientRecord, Send
from otpcore.policy import DAY, DEFAULT, DEMO, PROFILES, SIGNAL, TWILIO, Profile, climb, decide_send, profile_named
from tests.properties.world import EPOCH, NUMBER, World


@pytest.mark.parametrize(
    "change",
    [
        {"ladder": (timedelta(0),)},
        {"daily_cap": 0},
        {"checks_per_session": 0},
        {"checks_per_session": 11},
        {"failures_per_day": 4},
        {"failures_in_a_row": 9},
        {"live_sessions": 0},
        {"code_lifetime": timedelta(seconds=601)},
        {"code_lifetime": timedelta(0)},
        {"code_digits": 5},
        {"code_digits": 11},
        {"refunds_per_hour": -1},
    ],
)
def test_a_profile_that_nobody_could_want_is_refused(change: dict[str, Any]) -> None:
    """Invariant 8, V8, V9: among others a lifetime of 601 s and a code of five digits."""
    with pytest.raises(ConfigurationError):
        replace(DEFAULT, **change)


def test_the_named_profiles_have_a_source_and_their_name() -> None:
    assert set(PROFILES) == {"default", "twilio", "signal", "demo"}
    for profile in (DEFAULT, TWILIO, SIGNAL, DEMO):
        assert profile_named(profile.name) is profile
        assert profile.source
    with pytest.raises(ConfigurationError):
        profile_named("none")
    with pytest.raises(UsageError):
        World().engine.start(NUMBER, purpose="none")


@given(st.lists(st.integers(0, 100_000), max_size=60), st.sampled_from([DEFAULT, TWILIO, SIGNAL]))
def test_whoever_waits_as_told_may_send_and_nobody_sooner(gaps: list[int], profile: Profile) -> None:
    """Invariant 2: over any spacing of sends, the decision and its instant agree."""
    ladder, now = Ladder(), EPOCH
    sends: list[Send] = []
    for gap in gaps:
        now += timedelta(seconds=gap)
        record = RecipientRecord(ladder=ladder, sends=tuple(sends))
        verdict = decide_send(record, profile, now=now)
        if verdict is not None:
            assert verdict.until is not None
            assert verdict.until > now
            assert decide_send(record, profile, now=verdict.until - timedelta(milliseconds=1)) is not None
            assert decide_send(record, profile, now=verdict.until) is None
            now = verdict.until
        ladder = climb(ladder, profile, now=now)
        sends.append(Send(at=now, epoch=ladder.epoch))
        assert sum(send.at > now - DAY for send in sends) <= profile.daily_cap
