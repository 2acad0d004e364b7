"""The emulator as an ASGI application: Starlette around `operations`, and the faults of the transport.

Rule of this file: HTTP in and out; what an answer means is decided in `operations` and `state`. Requests are
served one at a time under the account's lock, so that other threads may read the inbox and move the clock.
Nothing is logged.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otpcore_twilio.emulator import control, wire
from otpcore_twilio.emulator.access import Credentials
from otpcore_twilio.emulator.callbacks import Callbacks
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.clock import Clock
from otpcore_twilio.emulator.faults import Faults, garbage, spoil
from otpcore_twilio.emulator.inbox import Bell
from otpcore_twilio.emulator.magic import Fault
from otpcore_twilio.emulator.operations import OPEN, OPERATIONS, Answer, Call, Handler
from otpcore_twilio.emulator.options import Options
from otpcore_twilio.emulator.records import Entropy
from otpcore_twilio.emulator.state import World
from otpcore_twilio.emulator.transport import FaultyResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from starlette.requests import Request

    from otpcore_twilio.emulator.keeping import Keeper

__all__ = ["Account", "asgi"]


class Account:
    """One emulated account: its credentials, its state and its clock. Safe to use from several threads.

    Attributes:
        options: as given.
        credentials: as given, or made at the start.
        world: touch it only while holding `lock`.
        lock: guards `world`.
        clock: its time.
        faults: what waits to be spoiled.
        bell: rings for each message.
        callbacks: tell the status of each message.
        entropy: makes codes and SIDs; under `lock` too.
        keeper: keeps all of this in a file, if it is kept.
        service_sid: a service that exists from the start.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.options = options or Options()
        self.lock = threading.Lock()
        self.clock = Clock(clock)
        self.faults = Faults({handler.__name__ for _, _, handler in OPERATIONS}, self.options.faults)
        self.bell = Bell()
        self.keeper: Keeper | None = None
        self.entropy = Entropy(self.options.seed)
        self.credentials = credentials or Credentials.make(self.entropy)
        self.callbacks = Callbacks(self.options, self.credentials)
        self.world = World(self.options, self.entropy)
        self.service_sid = self.world.add_service("otpcore", now=self.now()).sid

    def now(self) -> datetime:
        """The time of this account, aware UTC."""
        return self.clock.now()

    async def kept(self) -> None:
        """Wait until what has changed is in the file, if there is one.

        Raises:
            OSError: it could not be written.
        """
        if self.keeper is not None:
            await asyncio.shield(asyncio.wrap_future(self.keeper.save()))  # one writing serves many requests


def asgi(account: Account) -> Starlette:
    """The application that serves one account, its inbox and the page."""
    routes = [
        Route(path, _endpoint(account, handlers), methods=list(handlers)) for path, handlers in _by_path().items()
    ]
    return Starlette(
        routes=[*routes, *control.routes(account)],
        exception_handlers={HTTPException: _plain_error(account), OSError: _not_kept},
    )


def _by_path() -> dict[str, dict[str, Handler]]:
    found: dict[str, dict[str, Handler]] = {}
    for method, path, handler in OPERATIONS:
        found.setdefault(path, {})[method] = handler
    return found


def _endpoint(account: Account, handlers: Mapping[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = _pairs(await request.body())
        handler = handlers["GET" if request.method == "HEAD" else request.method]
        path = request.url.path
        scenario = account.faults.take(handler.__name__, path, lambda: _recipient(account, request, form))
        if scenario is None:
            answer = serve(request, handler, form)
        else:
            answer = await spoil(
                scenario,
                lambda: serve(request, handler, form),
                lambda code: _refused(Refusal(code, path), account.options, request),
                request.receive,
            )
        await account.kept()
        return answer

    def serve(request: Request, handler: Handler, form: Mapping[str, str]) -> Response:
        try:
            if handler not in OPEN:
                account.credentials.admit(request.headers.get("authorization"))
            with account.lock:
                sent = account.world.sent
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
                if account.world.sent != sent:
                    account.bell.ring()
                    newest = account.world.messages[-1]
                    account.callbacks.announce(newest, account.world.held.texts.get(newest.sid))
        except Refusal as refusal:
            return _refused(refusal, account.options, request)
        return _response(answer)

    return endpoint


def _recipient(account: Account, request: Request, form: Mapping[str, str]) -> str | None:
    """Whom a request is about: `To`, or the recipient of the verification that it names."""
    names = request.path_params
    named = form.get("To") or form.get("VerificationSid") or names.get("sid") or names.get("number") or ""
    with account.lock:
        return account.world.recipient_of(named) or named


def _pairs(body: bytes) -> dict[str, str]:
    """The form; of a parameter given twice the last value counts."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _refused(refusal: Refusal, options: Options, request: Request) -> Response:
    if refusal.code == 20404 and not refusal.detail:  # noqa: PLR2004  # a Twilio error code
        refusal = Refusal(20404, request.url.path)
    status, headers, body = wire.error(refusal, options)
    return JSONResponse(body, status, headers)


def _response(answer: Answer) -> Response:
    if answer.fault is Fault.GARBAGE:
        return garbage(503)
    if answer.fault is not None:
        return FaultyResponse(answer.fault, JSONResponse(answer.body, answer.status))
    if answer.body is None:
        return Response(status_code=answer.status)
    if isinstance(answer.body, str):
        return Response(answer.body, answer.status, media_type="text/plain")
    return JSONResponse(answer.body, answer.status)


def _not_kept(_: Request, error: Exception) -> Response:
    return JSONResponse({"message": f"the state could not be written: {getattr(error, 'strerror', '')}"}, 500)


def _plain_error(account: Account) -> Callable[[Request, Exception], Response]:
    """What Starlette refuses by itself, an unknown path or method, in Twilio's words."""

    def handle(request: Request, error: Exception) -> Response:
        method = isinstance(error, HTTPException) and error.status_code == 405  # noqa: PLR2004  # HTTP
        return _refused(Refusal(20004 if method else 20404), account.options, request)

    return handle
