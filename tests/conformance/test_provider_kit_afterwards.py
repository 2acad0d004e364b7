"""The provider kit's checks of outcomes and receipts: a sound provider passes, each broken one fails exactly its own.

The double is the kit's other one with codes of the core, a vendor that hears outcomes, and receipts that are signed.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

import pytest

from otpcore.conformance.provider import WireAnswer, WireRequest
from otpcore.conformance.provider.checks import SEND_ID
from otpcore.errors import ReceiptRefused
from otpcore.ports import (
    CodeOwner,
    DeliveryEvent,
    DeliveryState,
    InboundRequest,
    Outcome,
    ProviderCapabilities,
    SendRequest,
)
from tests.conformance.provider_doubles import HANDLE, AsyncDouble, Double, DoubleContract, red_checks

pytest_plugins = ["pytester"]

KEY = b"k" * 32
LARGEST = 4096


def signature(url: str, body: bytes) -> str:
    return hmac.digest(KEY, url.encode(errors="replace") + b"\n" + body, "sha256").hex()


class AsyncMessenger(AsyncDouble):
    """A sound provider that only delivers, awaited."""

    capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}), simulated=True)
    largest = LARGEST
    check: Any = None
    cancel: Any = None
    reconcile_check: Any = None

    def form(self, request: SendRequest) -> dict[str, str]:
        text = request.message.text if request.message else f"Your code is {request.code}."
        return {"to": request.recipient, "text": text}

    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        _, status, _ = await self.ask("/outcome", {"handle": handle, "outcome": outcome.value}, timeout_s)
        return status == 200

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        if len(request.body) > self.largest:
            raise ReceiptRefused("too large")
        if not hmac.compare_digest(self.claimed(request).encode(), signature(request.url, request.body).encode()):
            raise ReceiptRefused("wrongly signed")
        return self.read_receipt(request.body)

    def claimed(self, request: InboundRequest) -> str:
        return request.header("x-signature") or ""

    def read_receipt(self, body: bytes) -> Sequence[DeliveryEvent]:
        try:
            told = json.loads(body)
            state = DeliveryState(told["state"])
            return [DeliveryEvent(told["id"], told["handle"], told["to"], state, datetime(2026, 11, 22, tzinfo=UTC))]
        except (ValueError, KeyError, TypeError):
            raise ReceiptRefused("no receipt") from None


class Messenger(Double):
    """The same, blocking."""

    check: Any = None
    cancel: Any = None
    reconcile_check: Any = None
    twin: Any

    def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        import asyncio

        taken: bool = asyncio.run(self.twin.report_outcome(handle, outcome, timeout_s))
        return taken

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        events: Sequence[DeliveryEvent] = self.twin.parse_receipt(request)
        return events


class MessengerContract(DoubleContract):
    awaited: ClassVar[type[AsyncDouble]] = AsyncMessenger

    def make(self, origin: str) -> Messenger:
        return Messenger(self.awaited(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        return WireAnswer.of_json(201 if request.path == "/send" else 200, {"id": HANDLE})

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        told = {"id": f"ev-{state.value}", "handle": self.handle, "to": self.recipient, "state": state.value}
        body = json.dumps(told).encode().ljust(size)
        return InboundRequest("POST", "/in", {"X-Signature": signature("/in", body), "Accept": "*/*"}, body)


class TestSoundMessenger(MessengerContract):
    """The kit has nothing against it."""


# --- the broken ones -----------------------------------------------------------------------------


class CrashesWithoutWords(AsyncMessenger):
    def form(self, request: SendRequest) -> dict[str, str]:
        assert request.message is not None or request.send_id != SEND_ID  # the kit's; the core may have no words
        return super().form(request)


class DropsTheLineOfTheBrowser(AsyncMessenger):
    def form(self, request: SendRequest) -> dict[str, str]:
        form = super().form(request)
        return form | {"text": form["text"].partition("\n\n@example.com")[0]}


class ConcatenatesTheWords(AsyncMessenger):
    def form(self, request: SendRequest) -> dict[str, str]:
        form = super().form(request)
        self.text = form["text"]
        return form | {"text": "WORDS"}

    def body(self, form: dict[str, str]) -> bytes:
        return super().body(form).replace(b"WORDS", quote(getattr(self, "text", ""), safe="&=+?/;,'\"<>{}").encode())


class TellsAnotherHandle(AsyncMessenger):
    """What it gives out is not what its vendor's receipts say."""

    def handle(self) -> Any:
        return f"sms:{HANDLE}"


class ReportsTwice(AsyncMessenger):
    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        await super().report_outcome(handle, outcome, timeout_s)
        return await super().report_outcome(handle, outcome, timeout_s)


class ReportsNothing(AsyncMessenger):
    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        return True


class AnswersWithTheStatus(AsyncMessenger):
    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> Any:
        return (await self.ask("/outcome", {"handle": handle, "outcome": outcome.value}, timeout_s))[1] or False


class TakesSilenceForYes(AsyncMessenger):
    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        _, status, _ = await self.ask("/outcome", {"handle": handle, "outcome": outcome.value}, timeout_s)
        return status in {0, 200}


class AwaitsReceipts(AsyncMessenger):
    async def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:  # type: ignore[override]  # the defect
        return super().parse_receipt(request)


class MistakesUndelivered(AsyncMessenger):
    def read_receipt(self, body: bytes) -> Sequence[DeliveryEvent]:
        return [replace(event, state=DeliveryState.DELIVERED) for event in super().read_receipt(body)]


class NumbersItsEvents(AsyncMessenger):
    def read_receipt(self, body: bytes) -> Sequence[DeliveryEvent]:
        self.calls += 1
        return [replace(event, id=f"ev-{self.calls}") for event in super().read_receipt(body)]


class ShowsTheNumberInIds(AsyncMessenger):
    def read_receipt(self, body: bytes) -> Sequence[DeliveryEvent]:
        return [replace(event, id=f"{event.id}{event.recipient}") for event in super().read_receipt(body)]


class HearsEachEventOnce(AsyncMessenger):
    """A cache of ids in one process: the core would lose what it could not write down the first time."""

    def read_receipt(self, body: bytes) -> Sequence[DeliveryEvent]:
        known: set[bytes] = vars(self).setdefault("known", set())
        if body in known:
            return []
        known.add(body)
        return super().read_receipt(body)


class TakesUnsigned(AsyncMessenger):
    def claimed(self, request: InboundRequest) -> str:
        return request.header("x-signature") or signature(request.url, request.body)


class SignsTheUrlAlone(AsyncMessenger):
    def claimed(self, request: InboundRequest) -> str:
        given = request.header("x-signature") or ""
        return signature(request.url, request.body) if given and request.url == "/in" else ""


class ReadsAMegabyte(AsyncMessenger):
    largest = 2**30


class EchoesTheBody(AsyncMessenger):
    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        try:
            return super().parse_receipt(request)
        except ReceiptRefused:
            raise ReceiptRefused(f"cannot read {request.body[:200]!r}") from None


class EchoesTheSignature(AsyncMessenger):
    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        try:
            return super().parse_receipt(request)
        except ReceiptRefused:
            raise ReceiptRefused(f"not the signature: {request.header('x-signature')}") from None


REPORTED = "an_outcome_is_reported_once_and_taken_when_the_vendor_took_it"
UNANSWERED = "an_outcome_without_a_usable_answer_is_not_taken"
READ = "what_the_vendor_says_of_a_message_is_read"
REPEATED = "neither_order_nor_repetition_of_receipts_matters"
UNSIGNED = "what_the_vendor_did_not_sign_is_refused"
TAMPERED = "what_was_tampered_with_never_says_anything_else"
LARGE = "a_receipt_that_is_too_large_is_refused"
ONCE = "a_receipt_is_taken_once"
VERBATIM = "the_words_of_the_core_arrive_as_they_are"
WORDLESS = "a_code_of_the_core_without_words_is_no_accident"
FUZZED = "whatever_the_words_hold_the_vendor_reads_them"
WORDS = "words"
OUTCOMES = "outcome and not deadline"
RECEIPTS = "(receipt or vendor_says or did_not_sign or tampered) and not shown"
"""The checks that are run on each double: those around the one that it breaks."""


BROKEN = [
    (DropsTheLineOfTheBrowser, {VERBATIM}, WORDS),
    (CrashesWithoutWords, {WORDLESS}, WORDS),
    (ConcatenatesTheWords, {FUZZED}, WORDS),
    (TellsAnotherHandle, {ONCE}, RECEIPTS),
    (ReportsTwice, {REPORTED, UNANSWERED}, OUTCOMES),
    (ReportsNothing, {REPORTED, UNANSWERED}, OUTCOMES),
    (AnswersWithTheStatus, {REPORTED, UNANSWERED}, OUTCOMES),
    (TakesSilenceForYes, {UNANSWERED}, OUTCOMES),
    (MistakesUndelivered, {READ}, RECEIPTS),
    (ShowsTheNumberInIds, {READ, ONCE}, RECEIPTS),
    (NumbersItsEvents, {REPEATED, TAMPERED, ONCE}, RECEIPTS),
    (HearsEachEventOnce, {REPEATED, ONCE}, RECEIPTS),
    (TakesUnsigned, {UNSIGNED}, RECEIPTS),
    (SignsTheUrlAlone, {TAMPERED}, RECEIPTS),
    (ReadsAMegabyte, {LARGE}, RECEIPTS),
    (EchoesTheBody, {UNSIGNED, TAMPERED, LARGE}, RECEIPTS),
    (EchoesTheSignature, {UNSIGNED, TAMPERED, LARGE}, RECEIPTS),
]


@pytest.mark.parametrize(("broken", "checks", "selected"), BROKEN)
def test_a_broken_provider_fails_exactly_the_checks_that_it_breaks(
    broken: type[AsyncMessenger],
    checks: set[str],
    selected: str,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contract = type("TestBroken", (MessengerContract,), {"awaited": broken, "colours": ("blocking",)})
    assert red_checks(contract, selected, pytester, monkeypatch) == {f"test_{check}" for check in checks}


def test_a_provider_that_brings_no_receipts_of_its_vendor_is_not_proved(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = type("TestBroken", (MessengerContract,), {"colours": ("blocking",), "receipt": DoubleContract.receipt})
    red = red_checks(contract, f"closing or {RECEIPTS}", pytester, monkeypatch)
    assert red == {f"test_{check}" for check in (READ, REPEATED, UNSIGNED, TAMPERED, LARGE, ONCE)}


def test_a_provider_that_awaits_its_receipts_is_told(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = type("TestBroken", (MessengerContract,), {"awaited": AwaitsReceipts, "colours": ("awaited",)})
    assert red_checks(contract, "vendor_says", pytester, monkeypatch) == {f"test_{READ}"}
