"""One request on the wire, as both transports see it: how long it may take and how far it got.

The provider opens an attempt around an SDK call; the transport below the SDK finds it here. That is the way
past the SDK, whose resource methods take no timeout and whose exceptions carry no headers.

Rules of this file: it imports neither the SDK nor its HTTP libraries; `maybe_sent` is set before the first byte
of a request can leave, and never unset.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Self

__all__ = ["BODY_LIMIT", "Attempt", "WireFailure", "current_attempt", "under_way"]

BODY_LIMIT = 65_536
"""Bytes of a response that are read; a verification resource has about 1,500."""

_RETRY_AFTER = re.compile(r"[0-9]{1,6}")


class WireFailure(Exception):
    """No usable answer came; the cause is the HTTP library's own exception."""


@dataclass(slots=True)
class Attempt:
    """One request.

    Attributes:
        ends_at: on the monotonic clock, in seconds; nothing waits beyond it.
        maybe_sent: a byte of the request may have left the machine.
        status: of the response, once it was read whole.
        retry_after: of the response, where it was a plain number of seconds.
    """

    ends_at: float
    maybe_sent: bool = False
    status: int | None = None
    retry_after: timedelta | None = None

    @classmethod
    def lasting(cls, seconds: float) -> Self:
        """An attempt that ends `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() >= self.ends_at

    @property
    def left_s(self) -> float:
        """Seconds left; 0 or less when the time is used up."""
        return self.ends_at - time.monotonic()

    @property
    def was_refused(self) -> bool:
        """Whether the answer says for certain that nothing was done: a 4xx."""
        return self.status is not None and HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    def remaining_s(self) -> float:
        """Seconds left, over 0.

        Raises:
            TimeoutError: none are.
        """
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this request is used up")
        return left

    def answered(self, status: int, retry_after: str | None) -> None:
        """Note a response that was read whole; a Retry-After that is no number is ignored."""
        self.status = status
        if retry_after is not None and _RETRY_AFTER.fullmatch(retry_after.strip()):
            self.retry_after = timedelta(seconds=int(retry_after))


_CURRENT: ContextVar[Attempt | None] = ContextVar("otpcore_twilio_attempt", default=None)


def current_attempt(default_s: float) -> Attempt:
    """The attempt that is under way here, or a fresh one of `default_s` seconds for a call of the user's own."""
    return _CURRENT.get() or Attempt.lasting(default_s)


@contextmanager
def under_way(attempt: Attempt) -> Generator[Attempt]:
    """Make an attempt the current one of this thread or task. May be nested."""
    token = _CURRENT.set(attempt)
    try:
        yield attempt
    finally:
        _CURRENT.reset(token)
