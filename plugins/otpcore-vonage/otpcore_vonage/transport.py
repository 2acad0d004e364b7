"""The SDK's `HttpClient`, made to keep a deadline, to send once, to say nothing and to serve several threads.

What the SDK's own does instead (vonage-http-client 1.5.2, read in its source): it waits for ever; where the server
ends the connection it sends again, as often as `pool_maxsize` says, ten times by default; it logs the body of every
request, code and number, at DEBUG, and that of every refusal at WARNING; it writes the credentials of each call into
one dictionary for all threads; it knows only https. `make_request` is where all of that happens, so it is what is
overridden; the authentication, the URLs, the models and the exceptions stay the SDK's.

Rules of this file: one request in, one on the wire; no retry, no redirect, no cookie, nothing logged. It imports the
SDK and is itself imported at the first use of a provider.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from requests import Request, Response
from requests.structures import CaseInsensitiveDict
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
from otpcore.providers.transport import Origin, WireFailure
from otpcore.providers.transport.requests import Wire
from otpcore_vonage.attempt import Attempt
from otpcore_vonage.settings import Credentials

__all__ = ["DeadlineHttpClient"]

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
        self._wire = Wire(direct=origin.loopback)

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
        headers = {"User-Agent": self.user_agent, "Accept": "application/json", **self._credentials_of(auth_type)}
        attempt = Attempt.current(self._timeout_s)
        status, body, received = self._wire.exchange(attempt, Request(request_type, url, headers, **content).prepare())
        attempt.read(body)
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

    def close(self) -> None:
        """Close the pool. A later call opens another."""
        self._wire.close()


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
