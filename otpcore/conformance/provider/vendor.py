"""What the kit needs of a vendor on loopback: that it misbehaves in ways that have names, and tells what arrived.

The kit brings a vendor over HTTP (`misbehaving.HttpVendor`). A provider that speaks something else (SMPP, SMTP) brings
its own: an object with the methods of `Vendor`, returned by `ProviderContract.vendor`, and the names of its scenarios
in `ProviderContract.scenarios`, each with what a provider must make of it.

    class TestMyProvider(ProviderContract):
        scenarios = {
            "stall": Ending.SILENT,              # takes the message and says nothing, until the client leaves
            "cut": Ending.UNKNOWN,               # takes the message and resets the connection
            "throttled": Ending.NOT_SENT,        # a definite no
            "wrong-password": Ending.MISCONFIGURED,
        }
        def vendor(self): return MyVendor()
        def origin_at(self, port): return f"smpp://127.0.0.1:{port}"
        def read(self, request): return [("to", request.to), ("text", request.text)]
        def make(self, origin): ...

Rules of this file: the protocol, and what a vendor of any kind needs; no protocol of the network.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = ["SERVE", "Ending", "Vendor", "refused_port"]

SERVE = "serve"
"""The scenario in which all is well; every vendor begins with it and returns to it."""


class Ending(StrEnum):
    """What a provider must make of a scenario, whatever it is called. Whichever it is: once on the wire."""

    UNKNOWN = "unknown"
    """The vendor has the message and gives no usable answer."""

    SILENT = "silent"
    """The same, and no answer comes: the call returns at its deadline."""

    NOT_SENT = "not-sent"
    """The vendor says no, and certainly has nothing: refunded."""

    MISCONFIGURED = "misconfigured"
    """The vendor says no because of the operator's credentials: not sent, and of this kind."""

    ANY = "any"
    """A test of its own says what becomes of it (a redirect)."""


class Vendor(Protocol):
    """A vendor on 127.0.0.1; it serves from `__enter__` until `__exit__`, in threads of its own."""

    @property
    def origin(self) -> str:
        """What `ProviderContract.make` is given to find it."""
        ...

    @property
    def requests(self) -> Sequence[Any]:
        """The messages and checks that arrived whole, oldest first, logins and keep-alives not among them.

        `ProviderContract.read` is given one of them; for the kit itself they are opaque.
        """
        ...

    def play(self, scenario: str) -> None:
        """Have this scenario in force from the next request on: a name of `ProviderContract.scenarios`, or SERVE."""
        ...

    def wait_for_requests(self, count: int, patience_s: float) -> bool:
        """Wait until so many requests arrived; False when they did not in time."""
        ...

    def wait_until_idle(self, patience_s: float) -> bool:
        """Wait until no client is connected; False when one still is."""
        ...

    def release(self) -> None:
        """End every conversation, so that a client that waits gets an end of stream."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...


@contextmanager
def refused_port() -> Generator[int]:
    """A port on 127.0.0.1 that refuses every connection: bound, so that nobody else takes it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])
