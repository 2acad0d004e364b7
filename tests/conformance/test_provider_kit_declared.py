"""The provider kit tries what is declared, every gateway's error, and other spellings: each broken one fails its own.

The doubles are the kit's other ones, each with one thing changed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from otpcore.conformance.provider.showing import shows
from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    DeliveryEvent,
    Failure,
    FailureKind,
    InboundRequest,
    SendEffect,
    SendRequest,
)
from tests.conformance.provider_doubles import CAPABILITIES, AsyncDouble, DoubleContract, red_checks
from tests.conformance.test_provider_kit_afterwards import AsyncMessenger, MessengerContract

pytest_plugins = ["pytester"]

GATEWAYS = (502, 504)
"""What a proxy before the vendor answers with, when it knows no more than we do."""


class AsyncMany(AsyncDouble):
    """A sound provider of several channels, that finds a verification by its recipient."""

    capabilities = replace(CAPABILITIES, channels=frozenset({"sms", "call", "email"}), check_by_recipient=True)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        if request.handle is None:
            return await self.check_of(request)
        return await super().check(request)

    async def check_of(self, request: CheckRequest) -> CheckAnswer:
        form = {"to": request.recipient or "", "code": request.code}
        _, status, document = await self.ask("/check", form, request.timeout_s)
        return self.sort_check(status, document)


class ManyContract(DoubleContract):
    awaited: ClassVar[type[AsyncDouble]] = AsyncMany


class TestSoundMany(ManyContract):
    """The kit has nothing against it."""


# --- gateways ---


class RetriesBehindAGateway(AsyncDouble):
    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        result = await super().ask(path, form, timeout_s)
        return await super().ask(path, form, timeout_s) if result[1] in GATEWAYS else result


class TakesAGatewaysWordForNotSent(AsyncDouble):
    def sort_send(self, request: SendRequest, sent: bool, status: int, document: Any) -> Accepted | Failure:
        return super().sort_send(request, sent and status not in GATEWAYS, status, document)


# --- other spellings, and other places ---


class LogsTheCodeSpelt(AsyncDouble):
    async def check(self, request: CheckRequest) -> CheckAnswer:
        logging.getLogger("double").debug("checking %s", "-".join(request.code))
        return await super().check(request)


class LogsTheNumberInGroups(AsyncDouble):
    async def send(self, request: SendRequest) -> Accepted | Failure:
        to = request.recipient
        logging.getLogger("double").debug("to %s (%s) %s-%s", to[:2], to[2:5], to[5:8], to[8:])
        return await super().send(request)


class PrintsTheCode(AsyncDouble):
    async def check(self, request: CheckRequest) -> CheckAnswer:
        print(request.code, file=sys.stderr)
        return await super().check(request)


class PrintsTheNumber(AsyncDouble):
    async def send(self, request: SendRequest) -> Accepted | Failure:
        print("sending to", " ".join(request.recipient))
        return await super().send(request)


class PrintsAReceipt(AsyncMessenger):
    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        print("receipt", request.body)
        return super().parse_receipt(request)


# --- what is declared ---


class NeedsAHandle(AsyncMany):
    async def check_of(self, request: CheckRequest) -> CheckAnswer:
        raise ValueError("a check needs a handle")


class RefusesCalls(AsyncMany):
    async def send(self, request: SendRequest) -> Accepted | Failure:
        if request.channel == "call":
            return Failure(FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)
        return await super().send(request)


class FailsAtMail(AsyncMany):
    def form(self, request: SendRequest) -> dict[str, str]:
        assert request.recipient.startswith("+")
        return super().form(request)


class DeclaresPigeons(AsyncDouble):
    capabilities = replace(CAPABILITIES, channels=frozenset({"sms", "pigeon"}))


class TakesTheWordAboutAnother(AsyncDouble):
    def is_about(self, handle: str | None, document: Any) -> bool:
        return True


ONCE = "a_call_is_made_once_on_the_wire"
UNKNOWN = "a_call_without_a_usable_answer_is_unknown"
SHOWN = "no_code_and_no_number_is_shown"
BY_RECIPIENT = "a_check_by_recipient_needs_no_handle"
KNOWN = "each_declared_channel_is_one_that_is_known"
SERVED = "each_declared_channel_is_served"
ANOTHER = "the_word_about_another_verification_approves_nobody"
GATEWAY = "502 or 504 or closing"
SHOWING = "shown or accepted or ended or later"
DECLARED = "declared or by_recipient or another_verification or literal_success or closing"
"""The checks that are run on each double: those around the one that it breaks."""

BROKEN: list[tuple[type[AsyncDouble], set[str], str]] = [
    (RetriesBehindAGateway, {ONCE}, GATEWAY),
    (TakesAGatewaysWordForNotSent, {UNKNOWN}, GATEWAY),
    (LogsTheCodeSpelt, {SHOWN}, SHOWING),
    (LogsTheNumberInGroups, {SHOWN}, SHOWING),
    (PrintsTheCode, {SHOWN}, SHOWING),
    (PrintsTheNumber, {SHOWN}, SHOWING),
    (PrintsAReceipt, {"no_receipt_is_shown"}, SHOWING),
    (NeedsAHandle, {BY_RECIPIENT}, DECLARED),
    (RefusesCalls, {SERVED}, DECLARED),
    (FailsAtMail, {SERVED}, DECLARED),
    (DeclaresPigeons, {KNOWN}, DECLARED),
    (TakesTheWordAboutAnother, {ANOTHER}, DECLARED),
]


@pytest.mark.parametrize(("broken", "checks", "selected"), BROKEN)
def test_a_broken_provider_fails_exactly_the_checks_that_it_breaks(
    broken: type[AsyncDouble],
    checks: set[str],
    selected: str,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contract: type[DoubleContract] = DoubleContract
    if issubclass(broken, AsyncMany):
        contract = ManyContract
    elif issubclass(broken, AsyncMessenger):
        contract = MessengerContract
    made = type("TestBroken", (contract,), {"awaited": broken, "colours": ("blocking",)})
    assert red_checks(made, selected, pytester, monkeypatch) == {f"test_{check}" for check in checks}


def test_a_channel_of_the_vendors_own_is_named_by_the_author(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"awaited": DeclaresPigeons, "own_channels": frozenset({"pigeon"}), "colours": ("blocking",)}
    assert red_checks(type("TestOwn", (DoubleContract,), members), DECLARED, pytester, monkeypatch) == set()


@pytest.mark.parametrize(
    "text", ["918273", "x918273x", "918 273", "918-273", "9-1-8-2-7-3", "['9', '1', '8', '2', '7', '3']", "91.82.73"]
)
def test_digits_that_stand_apart_show(text: str) -> None:
    assert shows(f"the code is {text}, no more", "918273")


@pytest.mark.parametrize(
    "text", ["918274", "1918 273", "918 2730", "918 of 273", "19:18:27.30", "2026-09-18 27 3", "91827", "918     273"]
)
def test_other_digits_do_not(text: str) -> None:
    assert not shows(text, "918273")


@pytest.mark.parametrize("text", ["+ 1 2 0 2 5 5 5 0 1 2 3", "+1 (202) 555-0123", "12025550123", "1.202.555.0123"])
def test_a_number_in_any_spelling_shows(text: str) -> None:
    assert shows(f"to {text}", "+12025550123")
