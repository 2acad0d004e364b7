"""What a test or a person does to the emulator: read and clear the inbox, move the clock, see the page.

None of this is Twilio's; it lives under `/_emulator/` and asks for no credentials, because only this machine can
reach it. A change wants a JSON body or a method that no form can send, so that a foreign web page cannot cause it.

Rule of this file: HTTP to `Account`; the page itself is in `page`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from otpcore_twilio.emulator import page, wire
from otpcore_twilio.emulator.clock import LONGEST_ADVANCE_S

if TYPE_CHECKING:
    from starlette.requests import Request

    from otpcore_twilio.emulator.app import Account
    from otpcore_twilio.emulator.records import Message

__all__ = ["routes"]


class _Advance(BaseModel):
    """The body that moves the clock, seconds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    advance_s: float = Field(ge=0, le=LONGEST_ADVANCE_S)


def routes(account: Account) -> list[Route]:
    """The routes of the inbox, the clock, the magic numbers and the page."""

    async def inbox(request: Request) -> Response:
        to = request.query_params.get("to")
        with account.lock:
            messages = account.world.messages
            if request.method == "DELETE":
                kept = [] if to is None else [message for message in messages if message.to != to]
                messages.clear()
                messages.extend(kept)
                return Response(status_code=204)
            found = [_body(message) for message in messages if to is None or message.to == to]
        return _json(found)

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            try:
                step = _Advance.model_validate_json(await request.body())
            except ValidationError:
                step = None
            if step is None or content_type != "application/json":
                wanted = f'send application/json, {{"advance_s": 0 to {LONGEST_ADVANCE_S}}}'
                return _json({"message": wanted}, 422)
            account.clock.advance(step.advance_s)
        return _json({"now": wire.instant(account.now())})

    async def numbers(request: Request) -> Response:  # noqa: ARG001  # Starlette's signature
        rows = [
            {
                "number": row.number,
                "on": row.on,
                "outcome": row.outcome,
                "processed": row.processed,
                "channels": None if row.channels is None else sorted(row.channels),
            }
            for row in account.options.magic.values()
        ]
        return _json(rows)

    async def phone(request: Request) -> Response:  # noqa: ARG001  # Starlette's signature
        return HTMLResponse(page.HTML, headers=dict(page.HEADERS))

    return [
        Route("/", phone),
        Route("/_emulator/", phone),
        Route("/_emulator/inbox", inbox, methods=["GET", "DELETE"]),
        Route("/_emulator/clock", clock, methods=["GET", "POST"]),
        Route("/_emulator/numbers", numbers),
    ]


def _json(content: object, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, {"Cache-Control": "no-store"})


def _body(message: Message) -> dict[str, str]:
    return {
        "to": message.to,
        "channel": message.channel,
        "code": message.code,
        "text": message.text,
        "at": wire.instant(message.at),
        "sid": message.verification_sid,
    }
