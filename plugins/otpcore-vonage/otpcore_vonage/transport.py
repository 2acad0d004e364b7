"""The SDK's `HttpClient`, made to keep a deadline, to send once, to say nothing and to serve several threads.

What the SDK's own does instead (vonage-http-client 1.5.2, read in its source): it waits for ever; where the server
ends the connection it sends again, as often as `pool_maxsize` says, ten times by default; it logs the body of every
request, code and number, at DEBUG, and that of every refusal at WARNING; it writes the credentials of each call into
one dictionary for all threads; it knows only https. `make_request` is where all of that happens, so it is what is
overridden; the authentication, the URLs, the models and the exceptions stay the SDK's.

Rules of this file: one request in, one on the wire; no retry, no redirect, no cookie, nothing logged. Every wait is
cut to what is left of the attempt: look-up, connect, handshake, headers, body. It imports the SDK and is itself
imported at the first use of a provider.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import os
import queue
import socket
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from requests import PreparedRequest, Request, Response, Session
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection
from vonage_http_client import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # carries no types
    Auth,
    AuthenticationError,
    ForbiddenError,
    HttpClient,
    HttpClientOptions,
    HttpRequestError,
    NotFoundError,
    RateLimitedError,
    ServerError,
)

from otpcore.errors import ConfigurationError
from otpcore_vonage.attempt import BODY_LIMIT, Attempt, WireFailure, current_attempt, under_way
from otpcore_vonage.settings import Credentials, Origin

__all__ = ["DeadlineHttpClient"]

POOL_SIZE: Final = 32
"""Connections kept open; more threads than that open their own for a call."""

_ERRORS: Final[Mapping[int, type[HttpRequestError]]] = {
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    429: RateLimitedError,
    500: ServerError,
}
"""As the SDK raises them; any other status is a plain `HttpRequestError`."""


class DeadlineHttpClient(HttpClient):  # type: ignore[misc]  # the SDK carries no types
    """`HttpClient` with a deadline. Safe for threads and after a fork.

    Args:
        credentials: of the application or the account.
        origin: where Vonage is.
        timeout_s: for calls that come without an attempt, through the native client.
    """

    def __init__(self, credentials: Credentials, origin: Origin, timeout_s: float) -> None:
        given = credentials
        options = HttpClientOptions(api_host=origin.netloc, timeout=10, pool_maxsize=1, max_retries=0)
        super().__init__(
            Auth(
                application_id=given.application_id,
                private_key=given.private_key,
                api_key=given.api_key,
                api_secret=given.api_secret,
            ),
            options,
            "otpcore",
        )
        self._origin = origin
        self._timeout_s = timeout_s
        # By process: what a fork inherited is the parent's, and is neither used nor closed here.
        self._sessions: dict[int, _Session] = {}

    def make_request(  # the SDK's signature
        self,
        request_type: str,
        host: str,
        request_path: str = "",
        params: dict[str, Any] | None = None,
        auth_type: str = "jwt",
        sent_data_type: str = "json",
        token: str | None = None,  # noqa: ARG002  # the SDK's signature; nothing of Verify's uses it
    ) -> dict[str, Any] | None:
        """Perform one request.

        Returns:
            The body of a 2xx; None where it has none.

        Raises:
            HttpRequestError: another status, in the SDK's own class for it.
            WireFailure: no answer that was read whole; the attempt knows how far it got.
            ConfigurationError: the private key is none.
        """
        url = f"{self._origin.scheme}://{host}{request_path}"
        content = {"json": params} if sent_data_type == "json" else {"params": params}
        with under_way(current_attempt(self._timeout_s)) as attempt:
            headers = {"User-Agent": self.user_agent, "Accept": "application/json", **self._credentials_of(auth_type)}
            try:
                session = self._open_session()
                prepared = Request(request_type, url, headers, **content).prepare()
                status, body, received = _exchange(attempt, session, prepared)
            except ConfigurationError:
                raise
            except Exception as error:
                raise WireFailure("no usable answer") from error
            attempt.answered(status, body, received.get("Retry-After"))
        return _read(status, body, received, url, attempt)

    def _credentials_of(self, auth_type: str) -> dict[str, str]:
        if auth_type == "basic":
            return {"Authorization": self.auth.create_basic_auth_string()}
        if auth_type != "jwt":
            raise ConfigurationError("This client serves Verify, which takes a JWT or basic authentication.")
        try:
            return {"Authorization": self.auth.create_jwt_auth_string().decode("ascii")}
        except Exception as error:  # whatever a key can be wrong with
            raise ConfigurationError("private_key (VONAGE_PRIVATE_KEY) is not a private RSA key.") from error

    def _open_session(self) -> _Session:
        """The session of this process. Two threads may race to make it: one session is then dropped unused."""
        session = self._sessions.get(os.getpid())
        return session or self._sessions.setdefault(os.getpid(), _Session(direct=self._origin.loopback))

    def close(self) -> None:
        """Close the pool. A later call opens another."""
        session = self._sessions.pop(os.getpid(), None)
        if session is not None:
            session.close()


def _read(status: int, body: bytes, received: Mapping[str, str], url: str, attempt: Attempt) -> dict[str, Any] | None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        if attempt.document is None and body:
            raise WireFailure("an answer that is no JSON object")
        return None if attempt.document is None else dict(attempt.document)
    response = Response()
    response.status_code = status
    response.url = url
    response.encoding = "utf-8"
    response.headers = CaseInsensitiveDict(received)
    response.raw = io.BytesIO(body)
    raise _ERRORS.get(status, HttpRequestError)(response)


class _Session(Session):
    """Asks the environment for proxies and certificates once for each host, where `requests` does at each call.

    Args:
        direct: use no proxy.
    """

    def __init__(self, *, direct: bool) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _DeadlineAdapter(pool_maxsize=POOL_SIZE))
        self._direct = direct
        self._surroundings: dict[str, Any] | None = None

    def surroundings(self, url: str) -> Mapping[str, Any]:
        """`verify`, `cert` and `proxies` towards the one origin that this session serves."""
        if self._surroundings is None:
            found = self.merge_environment_settings(url, {}, stream=True, verify=None, cert=None)
            self._surroundings = {
                "verify": True if found["verify"] is None else found["verify"],
                "cert": found["cert"],
                "proxies": {} if self._direct else found["proxies"],
            }
        return self._surroundings


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
        raise OverflowError("the response is larger than any of Verify's")
    response.raw.release_conn()
    return response.status_code, body, response.headers


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
        self._reader = _DeadlineReader(raw, sock, current_attempt(0))
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        if self._reader.is_at_end:
            raise http.client.IncompleteRead(b"")


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
        current_attempt(0).maybe_sent = True
        super().request(*args, **kwargs)


class _DeadlineHTTPS(_Deadline, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Deadline  # pyright: ignore[reportAssignmentType]  # urllib3's own classes are not its protocol either


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineHTTPS  # pyright: ignore[reportAssignmentType]  # as above


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class _DeadlineAdapter(HTTPAdapter):
    """Serves both schemes with the connections above; `requests` retries nothing by default."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if not proxy.lower().startswith("http"):
            raise ConfigurationError("Vonage: only http and https proxies are supported (HTTPS_PROXY)")
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

    threading.Thread(target=look_up, name="otpcore-vonage-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=attempt.remaining_s())
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
