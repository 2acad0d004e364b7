"""What carries botocore's requests, made to keep a deadline and to send once.

botocore's own session has a timeout for each read: a server that drips a byte a second holds it for ever. It also does
not see that an answer was cut short. Here every wait is cut to what is left of the attempt: name look-up, connect,
handshake, headers, body.

Rules of this file: one request in, one on the wire; no retry, no redirect, nothing logged. What botocore asks of a
session is `send` and `close`, and that is all there is. It is imported at the first use of a provider.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from urllib3 import PoolManager, ProxyManager, make_headers
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import parse_url
from urllib3.util.connection import create_connection

from otpcore_aws.attempt import BODY_LIMIT, Attempt, current_attempt, under_way
from otpcore_aws.sdk import HTTPClientError, Response, certificates_at, proxies_of_environment

__all__ = ["DeadlineSession"]

POOL_SIZE = 32
"""Connections kept open; more threads than that open their own for a call."""


class DeadlineSession:
    """In place of `botocore.httpsession.URLLib3Session`. Safe for threads and after a fork.

    Args:
        timeout_s: for calls that come without an attempt, through the native client.
        direct: use no proxy.
        ca_bundle: path of the authorities to trust; None: those that botocore trusts.
    """

    def __init__(self, timeout_s: float, *, direct: bool, ca_bundle: str | None) -> None:
        self._timeout_s = timeout_s
        self._direct = direct
        self._ca_bundle = ca_bundle
        # By process: what a fork inherited is the parent's, and is neither used nor closed here.
        self._managers: dict[int, PoolManager] = {}

    def send(self, request: Any) -> Any:
        """Perform one request.

        Raises:
            HTTPClientError: no answer that was read whole; the attempt knows how far it got.
        """
        with under_way(current_attempt(self._timeout_s)) as attempt:
            try:
                status, body, headers = self._exchange(attempt, request)
            except Exception as error:
                raise HTTPClientError(error=type(error).__name__) from error
            attempt.answered(status, headers.get("Retry-After"))
            return Response(request.url, status, headers, _Whole(body))

    def _exchange(self, attempt: Attempt, request: Any) -> tuple[int, bytes, Any]:
        url: str = request.url
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        manager = self._open(url)
        plain_proxy = isinstance(manager, ProxyManager) and parts.scheme == "http"
        response = manager.connection_from_url(url).urlopen(
            request.method,
            url if plain_proxy else target,
            body=request.body,
            headers=dict(request.headers.items()),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=attempt.remaining_s(),
        )
        try:
            body = response.read(BODY_LIMIT + 1, decode_content=False)
        except BaseException:
            response.close()
            raise
        if len(body) > BODY_LIMIT:
            response.close()
            raise OverflowError("the answer is larger than any to a send")
        response.release_conn()
        return response.status, body, response.headers

    def _open(self, url: str) -> PoolManager:
        """The pools of this process. Two threads may race to make them: one is then dropped unused."""
        manager = self._managers.get(os.getpid())
        return manager or self._managers.setdefault(os.getpid(), self._make(url))

    def _make(self, url: str) -> PoolManager:
        secure = urlsplit(url).scheme == "https"
        pools: dict[str, Any] = {"maxsize": POOL_SIZE}
        if secure:
            pools["ssl_context"] = ssl.create_default_context(cafile=certificates_at(self._ca_bundle or True))
        proxies: dict[str, str] = {} if self._direct else proxies_of_environment(url)
        proxy = proxies.get(urlsplit(url).scheme)
        if proxy:
            place = parse_url(proxy if "://" in proxy else f"http://{proxy}")
            credentials = make_headers(proxy_basic_auth=place.auth) if place.auth else None
            manager: PoolManager = ProxyManager(place.url, proxy_headers=credentials, **pools)
        else:
            manager = PoolManager(**pools)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        """Close the pools. A later call opens others."""
        manager = self._managers.pop(os.getpid(), None)
        if manager is not None:
            manager.clear()


class _Whole:
    """A body that was read, as botocore reads one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """The body, in one piece."""
        yield self._body


class _DeadlineReader(io.RawIOBase):
    """A socket's reading side that never waits beyond the attempt."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, attempt: Attempt) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._attempt.remaining_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """A response whose headers and body are read through `_DeadlineReader`."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        raw: Any = self.fp.detach()
        self.fp = io.BufferedReader(_DeadlineReader(raw, sock, current_attempt(0)))


class _Deadline(HTTPConnection):
    """What both schemes share: bounded look-up and connect, and a note before the first byte."""

    response_class = _DeadlineResponse

    def _new_conn(self) -> socket.socket:
        attempt = current_attempt(0)
        failure: OSError = OSError("the name has no address")
        for address in _addresses(self._dns_host, self.port or 0, attempt):
            try:
                sock = create_connection(
                    (address, self.port or 0), attempt.remaining_s(), self.source_address, self.socket_options
                )
            except OSError as error:  # includes the timeout
                failure = error
            else:
                # What is left, for the handshake; it would begin anew with the time that the connect was given.
                sock.settimeout(max(attempt.ends_at - time.monotonic(), 0.001))
                return sock
        raise failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        attempt = current_attempt(0)
        if self.sock is not None:
            self.sock.settimeout(attempt.remaining_s())
        attempt.maybe_sent = True
        super().request(*args, **kwargs)


class _DeadlineHTTPS(_Deadline, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Deadline  # pyright: ignore[reportAssignmentType]  # urllib3's own does not fit its protocol either


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineHTTPS  # pyright: ignore[reportAssignmentType]  # as above


_POOLS: dict[str, Any] = {"http": _HTTPPool, "https": _HTTPSPool}


def _addresses(host: str, port: int, attempt: Attempt) -> list[str]:
    """Addresses of a host, within the attempt: the system's look-up takes no timeout, so a thread waits for it."""
    try:
        return [str(ipaddress.ip_address(host.strip("[]")))]
    except ValueError:
        pass
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            answers.put(error)
        else:
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))

    threading.Thread(target=look_up, name="otpcore-aws-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=attempt.remaining_s())
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
