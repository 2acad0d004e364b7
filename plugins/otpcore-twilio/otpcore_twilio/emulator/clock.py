"""The clock of an emulated account: the system's, moved forward or stopped by a test.

Rule of this file: the only place of the emulator that reads a clock.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LONGEST_ADVANCE_S", "Clock"]

LONGEST_ADVANCE_S: Final = 366 * 86_400


class Clock:
    """Runs with its source, ahead of it by as much as it was moved. Safe to use from several threads.

    Args:
        source: gives aware UTC; the system's clock by default.
    """

    def __init__(self, source: Callable[[], datetime] | None = None) -> None:
        self._source = source or _utc_now
        self._lock = threading.Lock()
        self._setting: tuple[timedelta, datetime | None] = timedelta(0), None
        """Replaced whole, so that `now` needs no lock."""

    def now(self) -> datetime:
        """The time, aware UTC."""
        ahead, stopped_at = self._setting
        return (self._source() if stopped_at is None else stopped_at) + ahead

    @property
    def running(self) -> bool:
        """Whether time passes by itself."""
        return self._setting[1] is None

    def advance(self, seconds: float) -> datetime:
        """Move it forward, running or not, and return its new time.

        Raises:
            ValueError: `seconds` is negative, or more than a year.
        """
        if not 0 <= seconds <= LONGEST_ADVANCE_S:
            raise ValueError(f"the clock moves forward by 0 to {LONGEST_ADVANCE_S} s")
        with self._lock:
            ahead, stopped_at = self._setting
            self._setting = ahead + timedelta(seconds=seconds), stopped_at
        return self.now()

    def stop(self) -> None:
        """Let no time pass by itself, so that a test meets an exact instant."""
        with self._lock:
            ahead, stopped_at = self._setting
            self._setting = ahead, stopped_at or self._source()

    def start(self) -> None:
        """Let it run again, from the instant at which it stood."""
        with self._lock:
            ahead, stopped_at = self._setting
            if stopped_at is not None:
                self._setting = ahead + (stopped_at - self._source()), None

    @property
    def setting(self) -> tuple[timedelta, datetime | None]:
        """How far it is ahead of its source, and the reading of the source at which it was stopped, if it stands."""
        return self._setting

    def resume(self, ahead: timedelta, stopped_at: datetime | None) -> None:
        """Take a setting over."""
        with self._lock:
            self._setting = ahead, stopped_at


def _utc_now() -> datetime:
    return datetime.now(UTC)
