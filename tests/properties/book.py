"""The oracle of the policy: plain lists of the sends and the tries of one recipient, and what they allow.

Two times are kept of each: on the engine's clock, where a wait is exact as long as that clock never ran backwards; and
the time that has passed, in which the limits hold whatever the clock does.

Rules of this file: numbers of a profile are read, nothing of the library decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from otpcore.policy import Profile

__all__ = ["Book", "Sending", "Try"]

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)


@dataclass(slots=True)
class Sending:
    """One send: when, and after how many successes."""

    at: datetime
    passed: timedelta
    successes: int
    refunded: bool = False


@dataclass(slots=True)
class Try:
    """One failure: a check that was wrong, or lost."""

    at: datetime
    passed: timedelta


@dataclass(slots=True)
class Book:
    """What happened so far.

    Attributes:
        in_a_row: failures since the last success.
        locked_once: they were so many that only an operator unlocks.
    """

    profile: Profile
    sends: list[Sending] = field(default_factory=list[Sending])
    tries: list[Try] = field(default_factory=list[Try])
    in_a_row: int = 0
    locked_once: bool = False
    successes: int = 0

    def sent(self, at: datetime, passed: timedelta, *, refused: bool) -> None:
        """A send was made; one that was definitely refused is given back, so often in an hour."""
        refunds = [one for one in self.sends if one.refunded]
        given_back = sum(one.at > at - HOUR and one.passed > passed - HOUR for one in refunds)
        refunded = refused and given_back < self.profile.refunds_per_hour
        self.sends.append(Sending(at, passed, self.successes, refunded))

    def failed(self, at: datetime, passed: timedelta) -> None:
        """A try was wrong, or lost."""
        self.tries.append(Try(at, passed))
        self.in_a_row += 1
        self.locked_once |= self.in_a_row >= self.profile.failures_in_a_row

    def succeeded(self) -> None:
        """The failures in a row and the ladder are cleared, and nothing else."""
        self.in_a_row = 0
        self.successes += 1

    def unlocked(self) -> None:
        """An operator has cleared the failures."""
        self.tries.clear()
        self.in_a_row = 0

    # --- exact, where the clock never ran backwards ------------------------------------------------

    @property
    def counted(self) -> list[Sending]:
        """The sends that were not given back."""
        return [one for one in self.sends if not one.refunded]

    @property
    def steps(self) -> int:
        """How many steps of the ladder are taken."""
        climbed = sum(one.successes == self.successes for one in self.counted)
        return (climbed - 1) % len(self.profile.ladder) + 1 if climbed else 0

    def of_the_day(self, now: datetime) -> list[datetime]:
        """The sends of the last 24 hours."""
        return [one.at for one in self.counted if one.at > now - DAY]

    def failures_of_the_day(self, now: datetime) -> list[datetime]:
        """The failures of the last 24 hours."""
        return [one.at for one in self.tries if one.at > now - DAY]

    def ladder_until(self, now: datetime) -> datetime | None:
        """Until when the ladder says no."""
        if not self.steps:
            return None
        until = self.counted[-1].at + self.profile.ladder[self.steps - 1]
        return until if now < until else None

    def cap_until(self, now: datetime) -> datetime | None:
        """Until when the daily cap says no."""
        today = self.of_the_day(now)
        return today[-self.profile.daily_cap] + DAY if len(today) >= self.profile.daily_cap else None

    def is_locked(self, now: datetime) -> bool:
        """Whether there were too many failures."""
        today = len(self.failures_of_the_day(now))
        return today >= self.profile.failures_per_day or self.in_a_row >= self.profile.failures_in_a_row

    # --- bounds, whatever the clock does -----------------------------------------------------------

    def newest_cycle(self) -> int:
        """The sends without a success between them in the time of one whole ladder that ends with the newest."""
        if not self.counted:
            return 0
        last, length = self.counted[-1], sum(self.profile.ladder, timedelta(0))
        return sum(one.successes == last.successes and one.passed > last.passed - length for one in self.counted)

    def newest_day(self) -> int:
        """The sends of the 24 hours that end with the newest."""
        return sum(one.passed > self.counted[-1].passed - DAY for one in self.counted) if self.counted else 0

    def newest_failures(self) -> int:
        """The failures of the 24 hours that end with the newest."""
        return sum(one.passed > self.tries[-1].passed - DAY for one in self.tries) if self.tries else 0
