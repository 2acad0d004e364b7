"""One request on the wire, as the transport sees it: how long it may take, how far it got, what was answered.

The provider opens an attempt around an SDK call; the transport below the SDK finds it here. That is the way past the
SDK, whose methods take no timeout and whose clients are shared by threads.

Rules of this file: it imports neither the SDK nor its HTTP libraries; `maybe_sent` is set before the first byte of a
request can leave, and never unset.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Self, cast

__all__ = ["BODY_LIMIT", "Attempt", "WireFailure", "current_attempt", "under_way"]

BODY_LIMIT: Final = 65_536
"""Bytes of a response that are read; an answer of Verify has a few hundred."""

_RETRY_AFTER: Final = re.compile(r"[0-9]{1,6}")
_NOTHING: Final[Mapping[str, object]] = {}


class WireFailure(Exception):
    """No usable answer came; the cause is the HTTP library's own exception."""


@dataclass(slots=True)
class Attempt:
    """One request.

    Attributes:
        ends_at: on the monotonic clock, in seconds; nothing waits beyond it.
        maybe_sent: a byte of the request may have left the machine.
        status: of the response, once it was read whole.
        document: the object that was the response's JSON body; None for any other body.
        retry_after: of the response, where it was a plain number of seconds.
    """

    ends_at: float
    maybe_sent: bool = False
    status: int | None = None
    document: Mapping[str, object] | None = field(default=None, repr=False)
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

    @property
    def problem(self) -> str:
        """The last word of the `type` of a problem document (RFC 9457), in lower case; "" where there is none."""
        kind = (self.document or _NOTHING).get("type")
        return kind.rpartition("#")[2].strip().lower() if isinstance(kind, str) and "#" in kind else ""

    def remaining_s(self) -> float:
        """Seconds left, over 0.

        Raises:
            TimeoutError: none are.
        """
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this request is used up")
        return left

    def answered(self, status: int, body: bytes, retry_after: str | None) -> None:
        """Note a response that was read whole; a Retry-After that is no number is ignored."""
        self.status = status
        try:
            found: object = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        self.document = cast("Mapping[str, object]", found) if isinstance(found, dict) else None
        if retry_after is not None and _RETRY_AFTER.fullmatch(retry_after.strip()):
            self.retry_after = timedelta(seconds=int(retry_after))


_CURRENT: ContextVar[Attempt | None] = ContextVar("otpcore_vonage_attempt", default=None)


def current_attempt(default_s: float) -> Attempt:
    """The attempt that is under way here, or a fresh one of `default_s` seconds for a call of the user's own."""
    return _CURRENT.get() or Attempt.lasting(default_s)


@contextmanager
def under_way(attempt: Attempt) -> Generator[Attempt]:
    """Make an attempt the current one of this thread. May be nested."""
    token = _CURRENT.set(attempt)
    try:
        yield attempt
    finally:
        _CURRENT.reset(token)
