"""The wire below an SDK that is built on requests: one request on it, one deadline over it.

What such an SDK calls to have a request sent is overridden, and asks a `Wire` instead:

    class DeadlineClient(heron.HttpClient):
        def __init__(self, timeout_s):
            self._wire, self._timeout_s = Wire(direct=False), timeout_s

        def request(self, method, url, data, headers):
            prepared = Request(method, url, headers, data=data).prepare()
            status, body, received = self._wire.exchange(Attempt.current(self._timeout_s), prepared)
            return heron.Response(status, body.decode(), received)

Rules of this file: one request in, one on the wire; no retry, no redirect, no cookie, nothing logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Session
from requests.adapters import HTTPAdapter

from otpcore.errors import ConfigurationError
from otpcore.providers.transport.attempt import Attempt, WireFailure, under_way
from otpcore.providers.transport.per_process import PerProcess
from otpcore.providers.transport.urllib3 import POOL_SIZE, keep_deadlines, read_whole

__all__ = ["Wire"]


class Wire:
    """A pool of connections. Safe for threads and after a fork; connects at the first exchange.

    Args:
        direct: use no proxy; otherwise that of the environment.
    """

    def __init__(self, *, direct: bool) -> None:
        self._direct = direct
        self._sessions: PerProcess[_Session] = PerProcess()

    def exchange(self, attempt: Attempt, request: PreparedRequest) -> tuple[int, bytes, Mapping[str, str]]:
        """Send a request, once, and read the answer whole; the attempt is told of it.

        Returns:
            Status, body, and headers by name in any case.

        Raises:
            WireFailure: no answer that was read whole; the attempt knows how far it got.
            ConfigurationError: the proxy of the environment is of a kind that keeps no deadline.
        """
        with under_way(attempt):
            try:
                status, body, headers = self._sessions.get(self._open).exchange(attempt, request)
            except ConfigurationError:
                raise
            except Exception as error:
                raise WireFailure("no usable answer") from error
        attempt.answered(status, headers.get("Retry-After"))
        return status, body, headers

    def _open(self) -> _Session:
        return _Session(direct=self._direct)

    def close(self) -> None:
        """Close the connections. A later exchange opens others."""
        session = self._sessions.take()
        if session is not None:
            session.close()


class _Session(Session):
    """Asks the environment for proxies and certificates once for each host, where `requests` does at each call."""

    def __init__(self, *, direct: bool) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _DeadlineAdapter(pool_maxsize=POOL_SIZE))
        self._direct = direct
        self._surroundings: dict[tuple[str, str], dict[str, Any]] = {}

    def exchange(self, attempt: Attempt, request: PreparedRequest) -> tuple[int, bytes, Mapping[str, str]]:
        target = request.url or ""
        # The adapter rather than the session: it neither follows redirects nor keeps cookies.
        response = self.get_adapter(target).send(
            request, stream=True, timeout=attempt.remaining_s(), **self.surroundings(target)
        )
        return response.status_code, read_whole(response.raw), response.headers

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


class _DeadlineAdapter(HTTPAdapter):
    """Serves both schemes with pools that keep the deadline; `requests` retries nothing by default."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        keep_deadlines(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if not proxy.lower().startswith("http"):
            raise ConfigurationError("only http and https proxies are supported (HTTPS_PROXY)")
        manager = super().proxy_manager_for(proxy, **kwargs)
        keep_deadlines(manager)
        return manager
