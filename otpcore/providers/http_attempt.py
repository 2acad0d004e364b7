"""One call on the wire of a REST provider: its attempt, and that nothing is logged of it.

httpcore logs at DEBUG the headers of an answer, where a vendor may echo a number. What it would say while a call of
ours is under way is dropped; whatever anybody else does with httpx or httpcore is logged as before.

Rules of this file: what both colours share of the wire; no I/O.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from typing import Any, Final

import httpcore

from otpcore.providers.http_values import Encoded, HttpResponse
from otpcore.providers.transport import Attempt, is_not_ours, under_way

__all__ = [
    "CONNECTIONS",
    "IDLE_S",
    "NoAnswer",
    "asking",
    "closing",
    "current_attempt",
    "quieten",
    "stream_arguments",
    "whole_answer",
]

CONNECTIONS: Final = 128
"""Calls of one pool under way at once, and connections that it keeps for others."""

IDLE_S: Final = 15.0
"""Seconds that a connection is kept without use; vendors' load balancers keep theirs for a minute or more."""

_TIDYING_S: Final = 1.0

_LOGGERS: Final = ("httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.http2", "httpcore.socks")


class NoAnswer(Exception):  # a failure that is a fact, as in `otpcore.errors`
    """There is no usable answer.

    Attributes:
        sent: whether bytes of the request may have left.
        timed_out: whether the deadline ended it.
    """

    def __init__(self, cause: str, *, sent: bool, timed_out: bool) -> None:
        super().__init__(cause)
        self.sent = sent
        self.timed_out = timed_out


def quieten() -> None:
    """Have httpcore say nothing of our calls. A filter that is there already is not added again."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(is_not_ours)


@contextlib.contextmanager
def asking(timeout_s: float) -> Generator[Attempt]:
    """A call in this thread or task; what ends it without an answer leaves as NoAnswer."""
    with under_way(Attempt.lasting(timeout_s)) as attempt:
        try:
            yield attempt
        except Exception as error:  # noqa: BLE001  # sockets, TLS, h11 and httpcore each have their own
            over = isinstance(error, TimeoutError | httpcore.TimeoutException)
            cause = "the deadline passed" if over else type(error).__name__
            raise NoAnswer(cause, sent=attempt.maybe_sent, timed_out=over) from None  # it may hold what the vendor said


def closing() -> contextlib.AbstractContextManager[Attempt]:
    """Connections are being closed, which is nobody's business either."""
    return under_way(Attempt.lasting(_TIDYING_S))


def current_attempt() -> Attempt:
    """That of the call which runs here; httpcore also tidies up connections of calls that are over."""
    return Attempt.current(_TIDYING_S)


def stream_arguments(encoded: Encoded) -> dict[str, Any]:
    """A request as a pool's `stream` takes it."""
    scheme = b"https" if encoded.secure else b"http"
    headers = [*encoded.headers, (b"Accept-Encoding", b"identity")]
    if encoded.body or encoded.method in ("POST", "PUT", "PATCH"):
        headers.append((b"Content-Length", str(len(encoded.body)).encode()))
    return {
        "method": encoded.method,
        "url": httpcore.URL(scheme=scheme, host=encoded.host.encode(), port=encoded.port, target=encoded.target),
        "headers": headers,
        "content": encoded.body,
    }


def whole_answer(response: httpcore.Response, body: bytes) -> HttpResponse:
    """An answer that was read whole. ValueError: it is compressed, though it was asked not to be."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ValueError("the answer is compressed")
    return HttpResponse(response.status, headers, body)
