"""What carries botocore's requests, made to keep a deadline and to send once.

botocore's own session has a timeout for each read: a server that drips a byte a second holds it for ever. It also does
not see that an answer was cut short.

Rules of this file: one request in, one on the wire; no retry, no redirect, nothing logged. What botocore asks of a
session is `send` and `close`, and that is all there is. It is imported at the first use of a provider.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from urllib3 import PoolManager, ProxyManager, make_headers
from urllib3.util import parse_url

from otpcore.providers.transport import Attempt, PerProcess, under_way
from otpcore.providers.transport.urllib3 import POOL_SIZE, keep_deadlines, read_whole
from otpcore_aws.sdk import HTTPClientError, Response, certificates_at, proxies_of_environment

__all__ = ["DeadlineSession"]


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
        self._managers: PerProcess[PoolManager] = PerProcess()

    def send(self, request: Any) -> Any:
        """Perform one request.

        Raises:
            HTTPClientError: no answer that was read whole; the attempt knows how far it got.
        """
        with under_way(Attempt.current(self._timeout_s)) as attempt:
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
        manager = self._managers.get(lambda: self._make(url))
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
        return response.status, read_whole(response), response.headers

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
        keep_deadlines(manager)
        return manager

    def close(self) -> None:
        """Close the pools. A later call opens others."""
        manager = self._managers.take()
        if manager is not None:
            manager.clear()


class _Whole:
    """A body that was read, as botocore reads one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """The body, in one piece."""
        yield self._body
