"""What a policy allows at worst, in figures: sends in a day and a year, checks, the chance of guessing.

Rules of this file: pure, and asked of the policy's own decisions, so that it cannot say anything else than they do.
The formulas are those of the table in docs/reference/command-line.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from otpcore.model import Ladder, RecipientRecord, Send
from otpcore.policy import DAY, NotYet, Profile, climb, decide_send

__all__ = ["Odds", "guessing", "most_in_a_day", "odds_of", "sends_at_worst"]

YEAR_DAYS: Final = 365
WATCHED: Final = timedelta(days=8)
"""Longer than any ladder's cycle and every window by a multiple; from there on the pattern repeats."""

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Odds:
    """The figures of one profile, for one recipient.

    Attributes:
        sends_a_day: most sends in any 24 hours with no success between them.
        sends_a_day_with_success: the same when each code is typed in at once.
        checks_a_session: answers that one session reveals.
        checks_a_day: wrong answers revealed in any 24 hours, over all sessions.
        checks_in_a_row: wrong answers without a success between them; then only an operator unlocks.
        guess_a_day: chance of a right guess in a day.
        guess_a_year: chance in a year in which the owner logs in often enough to clear the failures in a row.
        guess_in_a_row: chance before the lock that only an operator lifts: the year of a number nobody else uses.
    """

    sends_a_day: int
    sends_a_day_with_success: int
    checks_a_session: int
    checks_a_day: int
    checks_in_a_row: int
    guess_a_day: float
    guess_a_year: float
    guess_in_a_row: float


def odds_of(profile: Profile) -> Odds:
    """The figures of a profile."""
    return Odds(
        sends_a_day=most_in_a_day(sends_at_worst(profile, succeeding=False)),
        sends_a_day_with_success=most_in_a_day(sends_at_worst(profile, succeeding=True)),
        checks_a_session=profile.checks_per_session,
        checks_a_day=profile.failures_per_day,
        checks_in_a_row=profile.failures_in_a_row,
        guess_a_day=guessing(profile.failures_per_day, profile.code_digits),
        guess_a_year=guessing(profile.failures_per_day * YEAR_DAYS, profile.code_digits),
        guess_in_a_row=guessing(profile.failures_in_a_row, profile.code_digits),
    )


def guessing(tries: int, digits: int) -> float:
    """The chance that one of so many guesses at uniform codes is right: 1 - (1 - 10^-digits)^tries."""
    return -math.expm1(tries * math.log1p(-(10.0**-digits)))


def sends_at_worst(profile: Profile, *, succeeding: bool) -> list[datetime]:
    """When somebody gets codes sent who asks again the moment that it is possible.

    Args:
        profile: the policy.
        succeeding: a success follows every send, which clears the ladder.
    """
    now, ladder, sends = EPOCH, Ladder(), list[Send]()
    while now < EPOCH + WATCHED:
        counted = tuple(send for send in sends if send.at > now - DAY)
        verdict = decide_send(RecipientRecord(ladder=ladder, sends=counted), profile, now=now)
        if isinstance(verdict, NotYet):
            now = verdict.until
            continue
        ladder = climb(ladder, profile, now=now)
        sends.append(Send(at=now, epoch=ladder.epoch))
        if succeeding:
            ladder = Ladder(epoch=ladder.epoch + 1)
    return [send.at for send in sends]


def most_in_a_day(instants: list[datetime]) -> int:
    """The most instants in any 24 hours, the first of them counted and the instant 24 hours later not."""
    return max(sum(first <= at < first + DAY for at in instants) for first in instants)
