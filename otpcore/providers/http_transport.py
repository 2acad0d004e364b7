"""The blocking wire under a REST provider: one request on it, one deadline over it.

It drives httpcore, the engine of httpx, because only there the two things can be had that a provider must know:
whether a byte of the request may have left, and a deadline for the whole call. httpx has one for each read, and a
server that drips a byte a second holds it for ever; it also logs each URL.

Rules of this file: no retry, no redirect, no cookie, no proxy, nothing of the environment. It is imported at the first
call of a provider.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Iterable
from functools import partial
from typing import Any

import httpcore

from otpcore.providers.http_attempt import (
    IDLE_S,
    NoAnswer,
    asking,
    closing,
    current_attempt,
    quieten,
    stream_arguments,
    whole_answer,
)
from otpcore.providers.http_pool import Pool
from otpcore.providers.http_values import Encoded, HttpResponse
from otpcore.providers.transport import LARGEST_ANSWER, PerProcess
from otpcore.providers.transport.addresses import addresses_of

__all__ = ["NoAnswer", "Wire"]


class Wire:
    """A pool of connections. Safe for threads and after a fork; connects at the first exchange.

    Args:
        tls: for https; None: the system's and certifi's authorities.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._pools: PerProcess[Pool] = PerProcess()

    def exchange(self, encoded: Encoded, timeout_s: float) -> HttpResponse:
        """Send a request, once, and read the answer whole.

        Raises:
            NoAnswer: there is none that can be used.
        """
        with asking(timeout_s) as attempt:
            pool = self._pools.get(lambda: self._open(secure=encoded.secure))
            body = bytearray()
            with pool.stream(**stream_arguments(encoded)) as response:
                for chunk in response.iter_stream():
                    attempt.remaining_s()
                    body += chunk
                    if len(body) > LARGEST_ANSWER:
                        raise OverflowError
                return whole_answer(response, bytes(body))

    def _open(self, *, secure: bool) -> Pool:
        quieten()
        return Pool(
            partial(
                httpcore.HTTPConnection,
                ssl_context=self._tls or (httpcore.default_ssl_context() if secure else None),
                keepalive_expiry=IDLE_S,
                network_backend=_Backend(),
            )
        )

    def close(self) -> None:
        """Close the connections. A later exchange opens others."""
        pool = self._pools.take()
        if pool is not None:
            with closing():
                pool.close()


class _Backend(httpcore.NetworkBackend):
    """Connects within what is left of the attempt, name look-up included."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the attempt's deadline is shorter
        local_address: str | None = None,  # noqa: ARG002  # httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  # httpcore's signature
    ) -> httpcore.NetworkStream:
        attempt = current_attempt()
        failure: OSError = OSError("the name has no address")
        for address in addresses_of(host, port, attempt):
            try:
                sock = socket.create_connection((address, port), attempt.remaining_s())
            except TimeoutError:
                raise
            except OSError as error:
                failure = error
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(sock)
        raise failure


class _Stream(httpcore.NetworkStream):
    """A socket that never waits beyond the attempt."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the attempt's is shorter
        self._sock.settimeout(current_attempt().remaining_s())
        return self._sock.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # the attempt's is shorter
        attempt = current_attempt()
        left = memoryview(buffer)
        while left:
            self._sock.settimeout(attempt.remaining_s())
            attempt.maybe_sent = True
            try:
                left = left[self._sock.send(left) :]
            except TimeoutError:
                raise
            except OSError as error:  # the vendor may have refused before it read everything: httpcore reads on
                raise httpcore.WriteError(type(error).__name__) from None

    def close(self) -> None:
        with contextlib.suppress(OSError):  # not connected any more
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for it
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # the attempt's is shorter
    ) -> httpcore.NetworkStream:
        try:
            self._sock.settimeout(current_attempt().remaining_s())
            return _Stream(ssl_context.wrap_socket(self._sock, server_hostname=server_hostname))
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return _is_readable(self._sock)
        return self._sock if info == "socket" else None


def _is_readable(sock: socket.socket) -> bool:
    """Whether an idle connection has something to say: its end."""
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
