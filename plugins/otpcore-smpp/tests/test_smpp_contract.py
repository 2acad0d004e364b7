"""The SMPP provider against the provider conformance kit, over a real SMPP wire, in both colours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from otpcore.conformance.provider import Ending, ProviderContract
from otpcore.ports import (
    Accepted,
    DeliveryEvent,
    DeliveryState,
    Failure,
    FailureKind,
    InboundRequest,
    SendEffect,
    SendRequest,
)
from otpcore_smpp import AsyncSmppProvider, SmppProvider
from otpcore_smpp.receipts import events_of
from tests.conformance.provider_doubles import red_checks
from tests.smpp_lines import settings_of
from tests.smpp_vendor import ENDINGS, SmscVendor, read_submit
from tests.smsc import Submitted, receipt_body

pytest_plugins = ["pytester"]

WORDS = {DeliveryState.DELIVERED: "DELIVRD", DeliveryState.UNDELIVERED: "UNDELIV"}


class TestSmpp(ProviderContract):
    handle: ClassVar[str] = "1A2B"
    scenarios: ClassVar[Mapping[str, Ending]] = ENDINGS
    shared_connection: ClassVar[bool] = True
    kind_of: ClassVar[type[SmppProvider]] = SmppProvider
    async_kind_of: ClassVar[type[AsyncSmppProvider]] = AsyncSmppProvider

    made: Any
    """The newest provider: a receipt comes in-band, so only who got it believes it."""

    def make(self, origin: str) -> SmppProvider:
        self.made = made = self.kind_of(settings_of(urlsplit(origin).port or 0))
        return made

    def make_async(self, origin: str) -> AsyncSmppProvider:
        self.made = made = self.async_kind_of(settings_of(urlsplit(origin).port or 0))
        return made

    def vendor(self) -> SmscVendor:
        return SmscVendor()

    def origin_at(self, port: int) -> str:
        return f"smpp://127.0.0.1:{port}"

    def read(self, request: Submitted) -> Sequence[tuple[str, str]]:
        return read_submit(request)

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        sealed: InboundRequest = self.made._seal.sealed(
            receipt_body(self.handle, WORDS[state], self.recipient, quoted=self.code).ljust(size, b"\0")
        )
        return sealed


# --- planted defects: what the kit must see over this wire --------------------------------------------


class Denying(SmppProvider):
    """Says NOT_SENT of whatever got no answer."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        return replace(answer, effect=SendEffect.NOT_SENT) if isinstance(answer, Failure) else answer


class Repeating(SmppProvider):
    """Tries again what got no answer, when the link is back."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        first = answer = super().send(request)
        if isinstance(first, Failure) and first.kind is FailureKind.INTERNAL and first.effect is SendEffect.UNKNOWN:
            while isinstance(answer, Failure) and (answer is first or answer.effect is SendEffect.NOT_SENT):
                answer = super().send(request)
        return answer


class Doubting(SmppProvider):
    """Says UNKNOWN of every failure: nothing would ever be given back."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        return replace(answer, effect=SendEffect.UNKNOWN) if isinstance(answer, Failure) else answer


class Echoing(SmppProvider):
    """Repeats whom it wrote to."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        return replace(answer, detail=request.recipient) if isinstance(answer, Failure) else answer


class Rewording(SmppProvider):
    """Ends each message with a sentence of its own."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        words = request.message
        if words is not None:
            request = replace(request, message=replace(words, text=f"{words.text}\n\nSent with care."))
        return super().send(request)


class Trusting(SmppProvider):
    """Reads a receipt without its seal: anybody's who finds the URL that `Engine.receipt` stands behind."""

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        try:
            return events_of(request.body, self._settings)
        except ValueError:
            return super().parse_receipt(request)


class Swallowing(AsyncSmppProvider):
    """Says NOT_SENT of a call that was cancelled: its step would be given back, and a message may be on its way."""

    async def send(self, request: SendRequest) -> Accepted | Failure:
        try:
            return await super().send(request)
        except asyncio.CancelledError:
            return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)


@pytest.mark.parametrize(
    ("defect", "sentence"),
    [
        (Denying, "test_a_call_without_a_usable_answer_is_unknown"),
        (Repeating, "test_a_call_is_made_once_on_the_wire"),
        (Doubting, "test_a_refused_connection_is_not_sent"),
        (Doubting, "test_a_refusal_by_the_vendor_is_not_sent"),
        (Doubting, "test_wrong_credentials_are_a_misconfiguration"),
        (Echoing, "test_no_code_and_no_number_is_shown"),
        (Rewording, "test_the_words_of_the_core_arrive_as_they_are"),
        (Trusting, "test_what_the_vendor_did_not_sign_is_refused"),
        (Trusting, "test_what_was_tampered_with_never_says_anything_else"),
        (Trusting, "test_a_receipt_that_is_too_large_is_refused"),
    ],
)
def test_a_planted_defect_is_seen(
    defect: type[SmppProvider], sentence: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = type("TestBroken", (TestSmpp,), {"kind_of": defect, "colours": ("blocking",)})
    assert red_checks(contract, f"{sentence} or closing_twice", pytester, monkeypatch) == {sentence}


def test_a_swallowed_cancellation_is_seen(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = type("TestBroken", (TestSmpp,), {"async_kind_of": Swallowing, "colours": ("awaited",)})
    sentence = "test_a_cancelled_send_is_unknown_and_keeps_its_step"
    assert red_checks(contract, f"{sentence} or closing_twice", pytester, monkeypatch) == {sentence}
