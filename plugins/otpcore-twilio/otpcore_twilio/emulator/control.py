"""What a test or a person does to the emulator: read the inbox, move the clock, order faults, see the page.

None of this is Twilio's; it lives under `/_emulator/` and asks for no credentials, because only this machine can
reach it. A change wants a JSON body or a method that no form can send, so that a foreign web page cannot cause it.

Rule of this file: HTTP to `Account`; the page itself is in `page`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from otpcore_twilio.emulator import page, wire
from otpcore_twilio.emulator.clock import LONGEST_ADVANCE_S
from otpcore_twilio.emulator.faults import Scenario
from otpcore_twilio.emulator.inbox import messages, next_messages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from otpcore_twilio.emulator.app import Account
    from otpcore_twilio.emulator.records import Message

__all__ = ["LONGEST_WAIT_S", "routes"]

LONGEST_WAIT_S: Final = 60

_Body = TypeVar("_Body", bound=BaseModel)
_Endpoint: TypeAlias = "Callable[[Request], Awaitable[Response]]"


class _Setting(BaseModel):
    """The body that sets the clock: seconds forward, standing or running, or both."""

    model_config = ConfigDict(extra="forbid", strict=True)

    advance_s: float = Field(default=0, ge=0, le=LONGEST_ADVANCE_S)
    running: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> _Setting:
        if not self.model_fields_set:
            raise ValueError("advance_s, running, or both")
        return self


class _Wanted(BaseModel):
    """The query that asks for messages."""

    model_config = ConfigDict(extra="forbid")

    to: str | None = None
    after: int = Field(default=0, ge=0)
    wait_s: float = Field(default=0, ge=0, le=LONGEST_WAIT_S)


class _Cleared(BaseModel):
    """The query that clears messages."""

    model_config = ConfigDict(extra="forbid")

    to: str | None = None


class _Control:
    """The endpoints of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def inbox(self, request: Request) -> Response:
        account, wanted = self._account, _query(_Wanted, request)
        if wanted.wait_s:
            found = await next_messages(account, wanted.to, wanted.after, wanted.wait_s, request.receive)
        else:
            found = messages(account, wanted.to, wanted.after)
        return _json([_body(message) for message in found])

    async def clear_inbox(self, request: Request) -> Response:
        to = _query(_Cleared, request).to
        with self._account.lock:
            held = self._account.world.messages
            kept = [] if to is None else [message for message in held if message.to != to]
            held.clear()
            held.extend(kept)
        await self._account.kept()
        return Response(status_code=204)

    async def clock(self, request: Request) -> Response:  # noqa: ARG002  # Starlette's signature
        clock = self._account.clock
        return _json({"now": wire.instant(clock.now()), "running": clock.running})

    async def set_clock(self, request: Request) -> Response:
        setting = await _sent(_Setting, request)
        clock = self._account.clock
        clock.advance(setting.advance_s)
        if setting.running is not None:
            (clock.start if setting.running else clock.stop)()
        await self._account.kept()
        return await self.clock(request)

    async def faults(self, request: Request) -> Response:  # noqa: ARG002  # as above
        pending = self._account.faults.pending()
        return _json([each.scenario.model_dump(exclude_defaults=True) | {"left": each.left} for each in pending])

    async def order_fault(self, request: Request) -> Response:
        scenario = await _sent(Scenario, request)
        try:
            self._account.faults.add(scenario)
        except ValueError as error:
            raise _Unusable(str(error)) from None
        return await self.faults(request)

    async def clear_faults(self, request: Request) -> Response:  # noqa: ARG002  # as above
        self._account.faults.clear()
        return Response(status_code=204)

    async def callbacks(self, request: Request) -> Response:  # noqa: ARG002  # as above
        told = self._account.callbacks
        sent = [asdict(callback) for callback in told.sent()]
        return _json({"waiting": told.waiting, "dropped": told.dropped, "sent": sent})

    async def account(self, request: Request) -> Response:  # noqa: ARG002  # as above
        made, service_sid = self._account.credentials, self._account.service_sid
        return _json({"account_sid": made.account_sid, "auth_token": made.auth_token, "service_sid": service_sid})

    async def numbers(self, request: Request) -> Response:  # noqa: ARG002  # as above
        rows: list[dict[str, Any]] = [
            {
                "number": row.number,
                "on": row.on,
                "outcome": row.outcome,
                "processed": row.processed,
                "channels": None if row.channels is None else sorted(row.channels),
            }
            for row in (*self._account.options.magic.values(), *self._account.options.message_magic.values())
        ]
        return _json(rows)

    async def phone(self, request: Request) -> Response:  # noqa: ARG002  # as above
        return HTMLResponse(page.HTML, headers=dict(page.HEADERS))


def routes(account: Account) -> list[Route]:
    """The routes of the inbox, the clock, the faults, the callbacks, the account, the magic numbers and the page."""
    control = _Control(account)
    table: tuple[tuple[str, str, _Endpoint], ...] = (
        ("GET", "/", control.phone),
        ("GET", "/_emulator/", control.phone),
        ("GET", "/_emulator/inbox", control.inbox),
        ("DELETE", "/_emulator/inbox", control.clear_inbox),
        ("GET", "/_emulator/clock", control.clock),
        ("POST", "/_emulator/clock", control.set_clock),
        ("GET", "/_emulator/faults", control.faults),
        ("POST", "/_emulator/faults", control.order_fault),
        ("DELETE", "/_emulator/faults", control.clear_faults),
        ("GET", "/_emulator/callbacks", control.callbacks),
        ("GET", "/_emulator/account", control.account),
        ("GET", "/_emulator/numbers", control.numbers),
    )
    return [Route(path, _judged(endpoint), methods=[method]) for method, path, endpoint in table]


class _Unusable(Exception):
    """The request cannot be carried out as it is; the text says why and holds nothing that was given."""


def _judged(endpoint: _Endpoint) -> _Endpoint:
    async def judged(request: Request) -> Response:
        try:
            return await endpoint(request)
        except _Unusable as error:
            return _json({"message": str(error)}, 422)

    return judged


def _query(shape: type[_Body], request: Request) -> _Body:
    try:
        return shape.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise _unusable(error) from None


async def _sent(shape: type[_Body], request: Request) -> _Body:
    """The JSON body, if it came as JSON: a form of a foreign page cannot say that it is."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Unusable("send application/json")
    try:
        return shape.model_validate_json(await request.body())
    except ValidationError as error:
        raise _unusable(error) from None


def _unusable(error: ValidationError) -> _Unusable:
    wrong = (f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors())
    return _Unusable("; ".join(wrong))


def _json(content: object, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, {"Cache-Control": "no-store"})


def _body(message: Message) -> dict[str, str | int]:
    return {
        "number": message.number,
        "to": message.to,
        "channel": message.channel,
        "code": message.code,
        "text": message.text,
        "at": wire.instant(message.at),
        "sid": message.verification_sid,
    }
