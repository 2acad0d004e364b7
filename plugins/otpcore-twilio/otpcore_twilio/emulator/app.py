"""The emulator as an ASGI application: Starlette around `operations`, and the faults of the transport.

Rule of this file: HTTP in and out; what an answer means is decided in `operations` and `state`. Requests are
served one at a time under the account's lock, so that other threads may read the inbox and move the clock.
Nothing is logged.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otpcore_twilio.emulator import control, wire
from otpcore_twilio.emulator.access import Credentials
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.magic import Fault
from otpcore_twilio.emulator.operations import OPERATIONS, Answer, Call, Handler
from otpcore_twilio.emulator.options import Options
from otpcore_twilio.emulator.records import Entropy
from otpcore_twilio.emulator.state import World
from otpcore_twilio.emulator.transport import FaultyResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

__all__ = ["Account", "asgi"]


class Account:
    """One emulated account: its credentials, its state and its clock. Safe to use from several threads.

    Attributes:
        options: as given.
        credentials: made at the start.
        world: touch it only while holding `lock`.
        lock: guards `world` and the clock.
        service_sid: a service that exists from the start.
    """

    def __init__(self, options: Options | None = None, *, clock: Callable[[], datetime] | None = None) -> None:
        self.options = options or Options()
        self.lock = threading.Lock()
        self._clock = clock or _utc_now
        self._ahead = timedelta(0)
        entropy = Entropy(self.options.seed)
        self.credentials = Credentials.make(entropy)
        self.world = World(self.options, entropy)
        self.service_sid = self.world.add_service("otpcore", now=self.now()).sid

    def now(self) -> datetime:
        """The time of this account, aware UTC."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> datetime:
        """Move this account's clock forward and return its new time.

        Raises:
            ValueError: `seconds` is negative, or more than a year.
        """
        if not 0 <= seconds <= control.LONGEST_ADVANCE_S:
            raise ValueError(f"the clock moves forward by 0 to {control.LONGEST_ADVANCE_S} s")
        with self.lock:
            self._ahead += timedelta(seconds=seconds)
            return self.now()


def asgi(account: Account) -> Starlette:
    """The application that serves one account, its inbox and the page."""
    routes = [
        Route(path, _endpoint(account, handlers), methods=list(handlers)) for path, handlers in _by_path().items()
    ]
    return Starlette(
        routes=[*routes, *control.routes(account)],
        exception_handlers={HTTPException: _plain_error(account)},
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _by_path() -> dict[str, dict[str, Handler]]:
    found: dict[str, dict[str, Handler]] = {}
    for method, path, handler in OPERATIONS:
        found.setdefault(path, {})[method] = handler
    return found


def _endpoint(account: Account, handlers: Mapping[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            account.credentials.admit(request.headers.get("authorization"))
            form = _pairs(await request.body())
            handler = handlers["GET" if request.method == "HEAD" else request.method]
            with account.lock:
                answer = handler(
                    Call(
                        world=account.world,
                        account_sid=account.credentials.account_sid,
                        origin=str(request.base_url).rstrip("/"),
                        path=request.url.path,
                        names=request.path_params,
                        query=request.query_params,
                        form=form,
                        now=account.now(),
                    )
                )
        except Refusal as refusal:
            return _refused(refusal, account.options, request)
        return _response(answer)

    return endpoint


def _pairs(body: bytes) -> dict[str, str]:
    """The form; of a parameter given twice the last value counts."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _refused(refusal: Refusal, options: Options, request: Request) -> Response:
    if refusal.code == 20404 and not refusal.detail:  # noqa: PLR2004  # a Twilio error code
        refusal = Refusal(20404, request.url.path)
    status, headers, body = wire.error(refusal, options)
    return JSONResponse(body, status, headers)


def _response(answer: Answer) -> Response:
    if answer.fault is Fault.GARBAGE_503:
        page = "<html><head><title>503</title></head><body><h1>503 Service Unavailable</h1></body></html>"
        return Response(page, 503, media_type="text/html")
    if answer.fault is not None:
        return FaultyResponse(answer.fault, answer.status, answer.body)
    if answer.body is None:
        return Response(status_code=answer.status)
    return JSONResponse(answer.body, answer.status)


def _plain_error(account: Account) -> Callable[[Request, Exception], Response]:
    """What Starlette refuses by itself, an unknown path or method, in Twilio's words."""

    def handle(request: Request, error: Exception) -> Response:
        method = isinstance(error, HTTPException) and error.status_code == 405  # noqa: PLR2004  # HTTP
        return _refused(Refusal(20004 if method else 20404), account.options, request)

    return handle
