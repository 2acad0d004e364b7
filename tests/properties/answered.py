"""What one operation brought, and what every answer must be whatever came before it.

Rule of this file: an answer alone; what the history allows is in `book`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from otpcore import NextActions, NotFound, Refused, Wait, WaitReason
from otpcore.policy import Profile
from otpcore.results import Refusal
from tests.properties.book import DAY
from tests.properties.twilio_wire import Call

__all__ = ["NEAR", "Answer", "longest_wait_is_kept", "next_is_told"]

NEAR: Final = timedelta(seconds=620)
"""Life of a verification, and what a lost send's may be late by: a call's deadline and the commit that settles it."""

TOLERANCE: Final = timedelta(seconds=5)
"""By so much the clocks of two machines may differ."""

SILENT: Final = {Refusal.INVALID_CODE, Refusal.INVALID_RECIPIENT, Refusal.RECIPIENT_MISMATCH}
"""Refused before any session was looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One operation: its result, what it asked of Twilio, the messages that went out, and when it was."""

    result: Any
    calls: tuple[Call, ...]
    messages: int
    now: datetime


def longest_wait_is_kept(answers: Iterable[Answer], profile: Profile) -> bool:
    """No wait is longer than the step that runs, by the engine's clock."""
    longest = {WaitReason.LADDER: max(profile.ladder), WaitReason.DAILY_CAP: DAY}
    return all(
        0 <= one.retry_after_s <= longest.get(one.reason, NEAR).total_seconds()
        and one.until - now <= longest.get(one.reason, NEAR) + TOLERANCE
        for one, now in ((answer.result, answer.now) for answer in answers)
        if isinstance(one, Wait)
    )


def next_is_told(answers: Iterable[Answer], *, locked_for_good: bool) -> bool:
    """Every answer to a holder says what can be done next."""
    for one in (answer.result for answer in answers if answer.result is not None):
        if not isinstance(one.next, NextActions):
            return False
        if isinstance(one, NotFound) or (isinstance(one, Refused) and one.kind in SILENT):
            continue
        if one.next.resend_at is None and one.next.locked_until is None and not locked_for_good:
            return False
        if isinstance(one, Wait) and one.next.resend_at != one.until:
            return False
    return True
