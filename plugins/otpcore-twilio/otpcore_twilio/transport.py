"""The SDK's blocking transport, made to keep a deadline and to send once.

The SDK's own has no timeout by default, and `requests` knows only one per read: a server that drips a byte a second
holds it for ever. Here every wait is cut to what is left of the attempt: name look-up, connect, handshake,
headers, body.

Rules of this file: one request in, one on the wire; no retry, no redirect, no cookie, nothing logged. What goes
over the wire is what `requests` would send, prepared with less work. It imports the SDK and is itself imported at
the first use of a provider.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import os
import queue
import socket
import threading
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from requests import PreparedRequest, Session
from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.http.response import Response  # type: ignore[import-untyped]  # the SDK carries no types
from urllib3.connectionpool import (  # type: ignore[attr-defined]  # a recorder replaces the names of urllib3.connection
    HTTPConnection,  # pyright: ignore[reportPrivateImportUsage]  # as above
    HTTPConnectionPool,
    HTTPSConnection,  # pyright: ignore[reportPrivateImportUsage]  # as above
    HTTPSConnectionPool,
)
from urllib3.util.connection import create_connection

from otpcore.errors import ConfigurationError
from otpcore_twilio.attempt import BODY_LIMIT, Attempt, WireFailure, current_attempt, under_way
from otpcore_twilio.settings import Origin

__all__ = ["DeadlineHttpClient"]

POOL_SIZE = 32
"""Connections kept open; more threads than that open their own for a call."""

FORM = "application/x-www-form-urlencoded"


class DeadlineHttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK carries no types
    """`TwilioHttpClient` with a deadline. Safe for threads and after a fork.

    Args:
        origin: where Verify is.
        timeout_s: for calls that come without an attempt, through the native client.
    """

    def __init__(self, origin: Origin, timeout_s: float) -> None:
        super().__init__(pool_connections=False)
        self._origin = origin
        self._timeout_s = timeout_s
        # By process: what a fork inherited is the parent's, and is neither used nor closed here.
        self._sessions: dict[int, _Session] = {}

    def request(  # the SDK\'s signature
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: ARG002  # the SDK's signature; none are followed
    ) -> Any:
        """Perform one request.

        Returns:
            The SDK's response: status, text and headers.

        Raises:
            WireFailure: no answer that was read whole; the attempt knows how far it got.
        """
        with under_way(current_attempt(timeout or self._timeout_s)) as attempt:
            try:
                session = self._open_session()
                prepared = session.prepared(method, self._origin.place(url), params, data, headers, auth)
                status, body, received = _exchange(attempt, session, prepared)
            except ConfigurationError:
                raise
            except Exception as error:
                raise WireFailure("no usable answer") from error
            attempt.answered(status, received.get("Retry-After"))
            return Response(status, body.decode("utf-8", "replace"), received)

    def _open_session(self) -> _Session:
        """The session of this process. Two threads may race to make it: one session is then dropped unused."""
        session = self._sessions.get(os.getpid())
        return session or self._sessions.setdefault(os.getpid(), _Session(direct=self._origin.loopback))

    def close(self) -> None:
        """Close the pool. A later call opens another."""
        session = self._sessions.pop(os.getpid(), None)
        if session is not None:
            session.close()


class _Session(Session):
    """Asks the environment for proxies and certificates once for each host, where `requests` does at each call.

    Args:
        direct: use no proxy.
    """

    def __init__(self, *, direct: bool) -> None:
        super().__init__()
        self.headers["Accept-Encoding"] = "identity"
        for scheme in ("https://", "http://"):
            self.mount(scheme, _DeadlineAdapter(pool_maxsize=POOL_SIZE))
        self._direct = direct
        self._surroundings: dict[tuple[str, str], dict[str, Any]] = {}

    def surroundings(self, url: str) -> Mapping[str, Any]:
        """`verify`, `cert` and `proxies` towards a URL."""
        parts = urlsplit(url)
        host = parts.scheme, parts.netloc
        if host not in self._surroundings:
            found = self.merge_environment_settings(url, {}, stream=True, verify=None, cert=None)
            self._surroundings[host] = {
                "verify": True if found["verify"] is None else found["verify"],
                "cert": found["cert"],
                "proxies": {} if self._direct else found["proxies"],
            }
        return self._surroundings[host]

    def prepared(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        data: Any,
        headers: Mapping[str, str] | None,
        auth: tuple[str, str] | None,
    ) -> PreparedRequest:
        """What `prepare_request` makes, sooner: there are no cookies, hooks or netrc to be merged."""
        given: dict[str, Any] = {**self.headers, **(headers or {})}
        sent = {name: value for name, value in given.items() if value is not None}
        kind = sent.get("Content-Type", "")
        if kind == FORM and isinstance(data, dict):
            data = urlencode(cast("dict[str, Any]", data), doseq=True)
        content = {"json": data} if "json" in kind else {"data": data}
        request = PreparedRequest()
        request.prepare(method.upper(), url, sent, params=params, auth=auth, **content)  # pyright: ignore[reportUnknownMemberType]  # half typed
        return request


def _exchange(attempt: Attempt, session: _Session, request: PreparedRequest) -> tuple[int, bytes, Mapping[str, str]]:
    target = request.url or ""
    # The adapter rather than the session: it neither follows redirects nor keeps cookies.
    response = session.get_adapter(target).send(
        request, stream=True, timeout=attempt.remaining_s(), **session.surroundings(target)
    )
    try:
        body: bytes = response.raw.read(BODY_LIMIT + 1, decode_content=False)
    except BaseException:
        response.raw.close()
        raise
    if len(body) > BODY_LIMIT:
        response.raw.close()
        raise OverflowError("the response is larger than any of Twilio's")
    response.raw.release_conn()
    return response.status_code, body, response.headers


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
                sock.settimeout(max(attempt.left_s, 0.001))
                return sock
        raise failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        current_attempt(0).maybe_sent = True
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
        current_attempt(0).maybe_sent = True
    else:
        connection.__class__ = kind
    return connection


class _HTTPPool(HTTPConnectionPool):
    def _new_conn(self) -> Any:
        return _bounded(super()._new_conn())


class _HTTPSPool(HTTPSConnectionPool):
    def _new_conn(self) -> Any:
        return _bounded(super()._new_conn())


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class _DeadlineAdapter(HTTPAdapter):
    """Serves both schemes with the connections above; `requests` retries nothing by default."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if not proxy.lower().startswith("http"):
            raise ConfigurationError("Twilio: only http and https proxies are supported (HTTPS_PROXY)")
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


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

    threading.Thread(target=look_up, name="otpcore-twilio-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=attempt.remaining_s())
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
