"""One request on the wire, as transport and credentials see it: how long it may take and how far it got.

The provider opens an attempt around an SDK call; what works below the SDK finds it here. That is the way past botocore,
whose calls take no deadline.

Rules of this file: it imports neither the SDK nor an HTTP library; `maybe_sent` is set before the first byte of a
request can leave, and never unset.
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

__all__ = ["BODY_LIMIT", "Attempt", "current_attempt", "is_under_way", "under_way"]

BODY_LIMIT = 65_536
"""Bytes of an answer that are read; one to a send has about 300."""

_RETRY_AFTER = re.compile(r"[0-9]{1,5}")


@dataclass(slots=True)
class Attempt:
    """One request.

    Attributes:
        ends_at: on the monotonic clock, in seconds; nothing waits beyond it.
        maybe_sent: a byte of the request may have left the machine.
        status: of the answer, once it was read whole.
        retry_after: of the answer, where it was a plain number of seconds.
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
        """Note an answer that was read whole; a Retry-After that is no number is ignored."""
        self.status = status
        if retry_after is not None and _RETRY_AFTER.fullmatch(retry_after.strip()):
            self.retry_after = timedelta(seconds=int(retry_after))


_CURRENT: ContextVar[Attempt | None] = ContextVar("otpcore_aws_attempt", default=None)


def current_attempt(default_s: float) -> Attempt:
    """The attempt that is under way here, or a fresh one of `default_s` seconds for a call of the user's own."""
    return _CURRENT.get() or Attempt.lasting(default_s)


def is_under_way() -> bool:
    """Whether a call of ours runs in this thread."""
    return _CURRENT.get() is not None


@contextmanager
def under_way(attempt: Attempt) -> Generator[Attempt]:
    """Make an attempt the current one of this thread."""
    token = _CURRENT.set(attempt)
    try:
        yield attempt
    finally:
        _CURRENT.reset(token)
