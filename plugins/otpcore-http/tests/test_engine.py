"""A whole verification over a gateway: sent, checked, and reported, on the embedded store, in both colours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore import Approved, AsyncEngine, Engine, Sent
from otpcore.model import SendState
from otpcore.ports import InboundRequest
from otpcore.receipts import Received
from otpcore.results import Refused
from otpcore.stores.tinydb import TinyDBStore
from otpcore_http import AfricasTalkingSettings, GatewaySettings, KannelSettings, build, build_async
from otpcore_http.fakes import AfricasTalking, Fake, Kannel, serve

TO = "+237671234567"
TOKEN = "t0ken-of-receipts-0123456789"
U, P = SecretStr("otp"), SecretStr("secret")
KEY = "b0a5f3a2-6f0e-4c8e-9a0e-3f1d2c4b5a69"
PEPPER = b"p" * 32


def kannel(origin: str) -> GatewaySettings:
    url, secret = f"{origin}/cgi-bin/sendsms", SecretStr(TOKEN)
    return KannelSettings(
        username=U, password=P, url=url, receipt_url="https://otp.example.com/receipts", receipt_secret=secret
    )


def african(origin: str) -> GatewaySettings:
    return AfricasTalkingSettings(
        username=U, api_key=P, url=f"{origin}/version1/messaging", receipt_token=SecretStr(TOKEN)
    )


def told_by_kannel(fake: Any, delivered: bool) -> InboundRequest:
    return fake.report(fake.messages[-1], 1 if delivered else 2)  # type: ignore[no-any-return]  # the fake's


def told_by_african(fake: Any, delivered: bool) -> InboundRequest:
    word = "Success" if delivered else "Failed"
    return fake.report(fake.messages[-1], word, f"/receipts/{TOKEN}")  # type: ignore[no-any-return]  # the fake's


Told = Callable[[Any, bool], InboundRequest]
VENDORS: list[Any] = [
    pytest.param(Kannel, kannel, told_by_kannel, id="kannel"),
    pytest.param(AfricasTalking, african, told_by_african, id="africastalking"),
]


def code_in(fake: Fake) -> str:
    found = re.search(r"\b\d{6}\b", fake.messages[-1].text)
    assert found
    return found[0]


def forged(request: InboundRequest) -> InboundRequest:
    """The same, with a proof that is another's."""
    return replace(request, url=request.url.replace("/receipts/", "/receipts/x"))


@pytest.mark.parametrize(("vendor", "settings", "told"), VENDORS)
@pytest.mark.parametrize("delivered", [True, False])
def test_a_code_goes_out_is_reported_and_is_right(
    vendor: Any, settings: Any, told: Told, delivered: bool, tmp_path: Path
) -> None:
    fake = vendor("otp", "secret")
    store = TinyDBStore(tmp_path / "otp.json")
    with serve(fake) as origin, Engine(store, build(settings(origin)), pepper=PEPPER) as engine:
        sent = engine.start(TO, idempotency_key=KEY)
        assert isinstance(sent, Sent)
        assert sent.state is SendState.ACCEPTED
        assert [each.to for each in fake.messages] == [TO]
        refused = engine.receipt(None, forged(told(fake, delivered)))
        assert isinstance(refused, Refused)
        assert engine.receipt(None, told(fake, delivered)) == Received(1, 0)
        assert engine.receipt(None, told(fake, delivered)) == Received(0, 0, 1)
        again = engine.start(TO, idempotency_key=KEY)
        assert isinstance(again, Sent)
        assert (again.replayed, again.state) == (
            True,
            SendState.DELIVERED if delivered else SendState.UNDELIVERED,
        )
        assert isinstance(engine.check(sent.session.token or "", code_in(fake)), Approved)
    assert len(fake.messages) == 1


@pytest.mark.parametrize(("vendor", "settings", "told"), VENDORS)
def test_the_same_awaited(vendor: Any, settings: Any, told: Told, tmp_path: Path) -> None:
    fake = vendor("otp", "secret")

    async def verify(origin: str) -> None:
        async with AsyncEngine(
            TinyDBStore(tmp_path / "otp.json"), build_async(settings(origin)), pepper=PEPPER
        ) as engine:
            sent = await engine.start(TO)
            assert isinstance(sent, Sent)
            assert await engine.receipt(None, told(fake, True)) == Received(1, 0)
            assert isinstance(await engine.check(sent.session.token or "", code_in(fake)), Approved)

    with serve(fake) as origin:
        asyncio.run(verify(origin))


def test_a_refusal_inside_a_201_gives_the_step_back(tmp_path: Path) -> None:
    fake = AfricasTalking("otp", "secret")
    fake.refuse[TO] = 405
    store = TinyDBStore(tmp_path / "otp.json")
    with serve(fake) as origin, Engine(store, build(african(origin)), pepper=PEPPER) as engine:
        refused = engine.start(TO)
        assert isinstance(refused, Refused)
        assert refused.cause is not None
        assert refused.cause.provider_code == "405"
        fake.refuse.clear()
        assert isinstance(engine.start(TO), Sent)
