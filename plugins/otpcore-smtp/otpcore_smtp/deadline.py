"""A socket with one deadline for all that it does, however slowly bytes come or go.

Rules of this file: every wait is given what is left of the time, never more; `smtplib` sees of a socket what it uses.
"""

from __future__ import annotations

import io
import queue
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import ssl

    from _typeshed import WriteableBuffer

__all__ = ["TimedSocket", "connected"]

HEARD: Final = 65_536
"""Bytes that a server may say in one conversation; a wordy one needs 2,000."""

PIECE: Final = 65_536


def connected(host: str, port: int, ends_at: float) -> socket.socket:
    """A connection to the first of a host's addresses that takes it.

    Raises:
        OSError: none does, or not in time.
    """
    failed: OSError = OSError("the host has no address")
    for family, kind, protocol, _, address in _addresses(host, port, ends_at):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(_left_s(ends_at))
            made.connect(address)
        except OSError as error:
            made.close()
            failed = error
        else:
            return made
    raise failed


def _addresses(host: str, port: int, ends_at: float) -> list[Any]:
    """What `getaddrinfo` finds, in time: the system's look-up takes no deadline, so a thread waits for it."""
    with suppress(socket.gaierror):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put([*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            answers.put(OSError(type(error).__name__))

    threading.Thread(target=look_up, name="otpcore-smtp-look-up", daemon=True).start()
    try:
        found = answers.get(timeout=_left_s(ends_at))
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(found, OSError):
        raise found
    return found


class TimedSocket:
    """A connected socket.

    Args:
        plain: connected; closed with this one.
        ends_at: on the monotonic clock, in seconds.
    """

    def __init__(self, plain: socket.socket, ends_at: float) -> None:
        self._sock = plain
        self._ends_at = ends_at
        self._heard = 0

    def wrap(self, context: ssl.SSLContext, host: str) -> None:
        """Go on inside TLS.

        Raises:
            OSError: the handshake failed or took too long.
        """
        self._sock.settimeout(_left_s(self._ends_at))
        self._sock = context.wrap_socket(self._sock, server_hostname=host)

    def sendall(self, data: bytes) -> None:
        """Write everything.

        Raises:
            OSError: not everything was written.
        """
        left = memoryview(data)
        while left:
            self._sock.settimeout(_left_s(self._ends_at))
            left = left[self._sock.send(left[:PIECE]) :]

    def recv_into(self, buffer: WriteableBuffer) -> int:
        """Read what there is.

        Raises:
            OSError: nothing came, or more than any mail server has to say.
        """
        self._sock.settimeout(_left_s(self._ends_at))
        count = self._sock.recv_into(buffer)
        self._heard += count
        if self._heard > HEARD:
            raise OSError("the mail server says too much")
        return count

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  # the socket's signature; always "rb"
        """What is read, in lines."""
        return io.BufferedReader(_Reading(self))

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()


class _Reading(io.RawIOBase):
    def __init__(self, source: TimedSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._source.recv_into(buffer)


def _left_s(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for this message is used up")
    return left
