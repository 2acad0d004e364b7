"""Requirements on the wire to a vendor over HTTP, as bodies that a planted defect turns red, and how it is planted.

Rules of this file: as of `bodies`. The vendor is a server of the kit's, on the loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpcore

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.engine import AsyncEngine, Engine
from otpcore.model import SendState
from otpcore.providers.http import awaited, blocking
from otpcore.providers.http_aio import AsyncWire
from otpcore.providers.http_attempt import whole_answer
from otpcore.providers.http_transport import Wire
from otpcore.providers.http_values import Encoded, HttpResponse
from otpcore.results import Sent
from otpcore.stores.memory import MemoryStore
from tests.defects.planting import Planter
from tests.numbers import phone
from tests.providers.test_http_kit import Messages

__all__ = ["errors_are_no_sends", "every_answer_is_whole", "redirects_are_not_followed", "redirects_followed"]


def asked(answer: Callable[[WireRequest], WireAnswer]) -> tuple[list[Sent], list[str]]:
    """What a start of each colour comes to at such a vendor, and the paths that the vendor was asked for."""
    with MisbehavingServer(answer) as server:
        with Engine(MemoryStore(), blocking(Messages(server.origin))) as engine:
            outcomes: list[Any] = [engine.start(phone(1))]

        async def awaiting() -> None:
            async with AsyncEngine(MemoryStore(), awaited(Messages(server.origin))) as engine:
                outcomes.append(await engine.start(phone(2)))

        asyncio.run(awaiting())
        assert all(isinstance(each, Sent) for each in outcomes), outcomes
        return outcomes, [request.path for request in server.requests]


def errors_are_no_sends() -> None:
    """S6: a 5xx, whatever its body says, is no acceptance: nobody knows, and the send keeps its place."""
    outcomes, paths = asked(lambda _request: WireAnswer.of_json(500, {"id": "msg_0001"}))
    assert len(paths) == len(outcomes), paths
    assert {each.state for each in outcomes} == {SendState.UNKNOWN}, outcomes


def redirects_are_not_followed() -> None:
    """H8: a message goes where it was addressed, and nowhere else that an answer names."""

    def answer(request: WireRequest) -> WireAnswer:
        if request.path == "/elsewhere":
            return WireAnswer.of_json(200, {"id": "msg_0001"})
        return WireAnswer(307, headers={"Location": "/elsewhere"})

    outcomes, paths = asked(answer)
    assert "/elsewhere" not in paths, paths
    assert len(paths) == len(outcomes), paths
    assert {each.state for each in outcomes} == {SendState.UNKNOWN}, outcomes


def every_answer_is_whole(planter: Planter) -> None:
    """An answer that came is an acceptance, whatever its status."""

    def planted(response: httpcore.Response, body: bytes) -> HttpResponse:
        return replace(whole_answer(response, body), status=200)

    planter.swap(whole_answer, planted)


def redirects_followed(planter: Planter) -> None:
    """Once, as a client does by default."""
    exchange, awaited_exchange = Wire.exchange, AsyncWire.exchange

    def onward(encoded: Encoded, response: HttpResponse) -> Encoded | None:
        to = response.headers.get("location")
        return replace(encoded, target=to.encode()) if to is not None else None

    def planted(self: Wire, encoded: Encoded, timeout_s: float) -> HttpResponse:
        response = exchange(self, encoded, timeout_s)
        further = onward(encoded, response)
        return response if further is None else exchange(self, further, timeout_s)

    async def awaited_planted(self: AsyncWire, encoded: Encoded, timeout_s: float) -> HttpResponse:
        response = await awaited_exchange(self, encoded, timeout_s)
        further = onward(encoded, response)
        return response if further is None else await awaited_exchange(self, further, timeout_s)

    planter.attribute(Wire, "exchange", planted)
    planter.attribute(AsyncWire, "exchange", awaited_planted)
