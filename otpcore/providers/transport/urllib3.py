"""Pools of urllib3 whose connections keep the deadline of the attempt, and note on it when a byte may have left.

urllib3 has a timeout for each read: a server that drips a byte a second holds it for ever. Here every wait is cut to
what is left: name look-up, connect, handshake, headers, body.

    manager = PoolManager(…)
    keep_deadlines(manager)
    with under_way(attempt):
        response = manager.urlopen("POST", url, retries=False, redirect=False, preload_content=False, …)
        body = read_whole(response)

Needs urllib3 2.5 or newer.

Rules of this file: it opens no pool itself; no retry, no redirect, nothing logged.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any, Final

from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.connectionpool import (  # type: ignore[attr-defined]  # a recorder replaces the names of urllib3.connection
    HTTPConnection,  # pyright: ignore[reportPrivateImportUsage]  # as above
    HTTPConnectionPool,
    HTTPSConnection,  # pyright: ignore[reportPrivateImportUsage]  # as above
    HTTPSConnectionPool,
)
from urllib3.util.connection import create_connection

from otpcore.providers.transport.addresses import addresses_of
from otpcore.providers.transport.attempt import LARGEST_ANSWER, Attempt

__all__ = ["POOL_SIZE", "keep_deadlines", "read_whole"]

POOL_SIZE: Final = 32
"""Connections kept open; more threads than that open their own for a call."""


def read_whole(response: BaseHTTPResponse) -> bytes:
    """The body of an answer, as it came; its connection goes back to the pool, or is closed where there is none.

    Raises:
        OverflowError: it has more than `LARGEST_ANSWER` bytes.
    """
    try:
        body: bytes = response.read(LARGEST_ANSWER + 1, decode_content=False)
    except BaseException:
        response.close()
        raise
    if len(body) > LARGEST_ANSWER:
        response.close()
        raise OverflowError("the answer is larger than any of a vendor's")
    response.release_conn()
    return body


class _DeadlineReader(io.RawIOBase):
    """A socket's reading side that never waits beyond the attempt."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, attempt: Attempt) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._attempt = attempt
        self.is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._attempt.remaining_s())
        count = self._raw.readinto(buffer)
        self.is_at_end = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """A response whose headers and body are read through `_DeadlineReader`.

    `http.client` takes headers that break off for whole ones; a 204, which has no body, would then pass for an answer.
    """

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        raw: Any = self.fp.detach()
        self._reader = _DeadlineReader(raw, sock, Attempt.current(0))
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        if self._reader.is_at_end:
            raise http.client.IncompleteRead(b"")


class _Deadline(HTTPConnection):
    """What both schemes share: bounded look-up and connect, and a note before the first byte."""

    response_class = _DeadlineResponse

    def _new_conn(self) -> socket.socket:
        attempt = Attempt.current(0)
        failure: OSError = OSError("the name has no address")
        for address in addresses_of(self._dns_host, self.port or 0, attempt):
            try:
                sock = create_connection(
                    (address, self.port or 0), attempt.remaining_s(), self.source_address, self.socket_options
                )
            except OSError as error:  # includes the timeout
                failure = error
            else:
                # What is left, for the handshake; it would begin anew with the time that the connect was given.
                sock.settimeout(max(attempt.left_s, 0.001))
                return sock
        raise failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        attempt = Attempt.current(0)
        self.timeout = attempt.remaining_s()  # what the socket gets for writing, in place of the connect's
        attempt.maybe_sent = True
        super().request(*args, **kwargs)


class _DeadlineHTTPS(_Deadline, HTTPSConnection):
    pass


_BOUNDED: dict[type, type] = {HTTPConnection: _Deadline, HTTPSConnection: _DeadlineHTTPS}


def _bounded(connection: object) -> Any:
    """Give urllib3's own connection the deadline; the stand-in of a recorder (vcrpy) stays what it is.

    What a stand-in does cannot be seen from here, so its bytes may have left.
    """
    kind = _BOUNDED.get(type(connection))
    if kind is None:
        Attempt.current(0).maybe_sent = True
    else:
        connection.__class__ = kind
    return connection


class _HTTPPool(HTTPConnectionPool):
    def _new_conn(self) -> Any:
        return _bounded(super()._new_conn())


class _HTTPSPool(HTTPSConnectionPool):
    def _new_conn(self) -> Any:
        return _bounded(super()._new_conn())


_POOLS: Final[dict[str, Any]] = {"http": _HTTPPool, "https": _HTTPSPool}


def keep_deadlines(manager: PoolManager) -> None:
    """Have the connections of a manager that has opened none keep the deadline of the attempt."""
    manager.pool_classes_by_scheme = _POOLS
