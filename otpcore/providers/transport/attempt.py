"""One request on the wire: how long it may take, how far it got, and what its loss means.

The provider opens an attempt around a call of an SDK; the transport below the SDK finds it here. That is the way past
the SDK, whose methods take no timeout and whose exceptions carry no headers.

Rules of this file: no HTTP library; `maybe_sent` is set before the first byte of a request can leave, and never unset.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Self, TypeVar

from otpcore.errors import ConfigurationError
from otpcore.ports import Failure, FailureKind, SendEffect

__all__ = ["LARGEST_ANSWER", "Attempt", "WireFailure", "is_not_ours", "under_way"]

LARGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer's body; a longer one is unusable."""

_RETRY_AFTER: Final = re.compile(r"[0-9]{1,6}")


class WireFailure(Exception):
    """No usable answer came; the cause is the HTTP library's own exception."""


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

    @classmethod
    def current(cls, default_s: float) -> Self:
        """The attempt that is under way here, or a fresh one of `default_s` seconds for a call of the user's own."""
        found = _current.get()
        return found if isinstance(found, cls) else cls.lasting(default_s)

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        return self.left_s <= 0

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
        left = self.left_s
        if left <= 0:
            raise TimeoutError("the time for this request is used up")
        return left

    def answered(self, status: int, retry_after: str | None) -> None:
        """Note an answer that was read whole; a Retry-After that is no number is ignored."""
        self.status = status
        if retry_after is not None and _RETRY_AFTER.fullmatch(retry_after.strip()):
            self.retry_after = timedelta(seconds=int(retry_after))

    def unanswered(self, vendor: str, error: Exception) -> Failure:
        """What a send comes to that ended in `error` without an answer: NOT_SENT where no byte can have left."""
        if isinstance(error, ConfigurationError):
            kind, detail = FailureKind.MISCONFIGURED, str(error)
        elif self.is_over or isinstance(error, TimeoutError):
            kind, detail = FailureKind.TIMEOUT, f"{vendor} did not answer in time"
        elif self.maybe_sent:
            kind, detail = FailureKind.INTERNAL, f"the connection to {vendor} broke before the answer was complete"
        else:
            kind, detail = FailureKind.TRANSIENT, f"no connection to {vendor}"
        return Failure(kind, SendEffect.UNKNOWN if self.maybe_sent else SendEffect.NOT_SENT, detail, native=error)


A = TypeVar("A", bound=Attempt)

_current: ContextVar[Attempt | None] = ContextVar("otpcore_attempt", default=None)


@contextmanager
def under_way(attempt: A) -> Generator[A]:
    """Make an attempt the current one of this thread or task. May be nested."""
    token = _current.set(attempt)
    try:
        yield attempt
    finally:
        _current.reset(token)


def is_not_ours(record: logging.LogRecord) -> bool:  # noqa: ARG001  # a filter's signature
    """A filter for the loggers of an HTTP library, which then say nothing of our requests: no attempt is under way."""
    return _current.get() is None
