"""The SDK's blocking transport, made to keep a deadline and to send once.

The SDK's own has no timeout by default, and `requests` knows only one per read: a server that drips a byte a second
holds it for ever.

Rules of this file: one request in, one on the wire; no retry, no redirect, no cookie, nothing logged. What goes
over the wire is what `requests` would send, prepared with less work. It imports the SDK and is itself imported at
the first use of a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

from requests import PreparedRequest
from requests.utils import default_headers
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.http.response import Response  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore.providers.transport import Attempt
from otpcore.providers.transport.requests import Wire
from otpcore_twilio.settings import Origin

__all__ = ["DeadlineHttpClient"]

FORM = "application/x-www-form-urlencoded"
HEADERS: Mapping[str, str] = {**default_headers(), "Accept-Encoding": "identity"}


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
        self._wire = Wire(direct=origin.loopback)

    def request(  # the SDK's signature
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
        attempt = Attempt.current(timeout or self._timeout_s)
        asked = prepared(method, self._origin.place(url), params, data, headers, auth)
        status, body, received = self._wire.exchange(attempt, asked)
        return Response(status, body.decode("utf-8", "replace"), received)

    def close(self) -> None:
        """Close the pool. A later call opens another."""
        self._wire.close()


def prepared(
    method: str,
    url: str,
    params: Mapping[str, Any] | None,
    data: Any,
    headers: Mapping[str, str] | None,
    auth: tuple[str, str] | None,
) -> PreparedRequest:
    """What `Session.prepare_request` makes, sooner: there are no cookies, hooks or netrc to be merged."""
    given: dict[str, Any] = {**HEADERS, **(headers or {})}
    sent = {name: value for name, value in given.items() if value is not None}
    kind = sent.get("Content-Type", "")
    if kind == FORM and isinstance(data, dict):
        data = urlencode(cast("dict[str, Any]", data), doseq=True)
    content = {"json": data} if "json" in kind else {"data": data}
    request = PreparedRequest()
    request.prepare(method.upper(), url, sent, params=params, auth=auth, **content)  # pyright: ignore[reportUnknownMemberType]  # half typed
    return request
