"""The provider kit passes a sound provider and bites: each broken one fails exactly the check that it breaks."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from multiprocessing import parent_process
from typing import Any

import pytest

from otpcore.conformance.provider import Ending, ProviderContract
from otpcore.conformance.provider.requirement import Claim, requirements
from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    SendEffect,
    SendRequest,
)
from tests.conformance.provider_doubles import CAPABILITIES, HANDLE, AsyncDouble, DoubleContract, red_checks
from tests.conformance.test_provider_kit_afterwards import BROKEN as BROKEN_MESSENGERS
from tests.conformance.test_provider_kit_declared import BROKEN as BROKEN_DECLARED
from tests.conformance.test_provider_kit_later import BROKEN as BROKEN_LATER

pytest_plugins = ["pytester"]


class TestSoundDouble(DoubleContract):
    """The kit has nothing against it."""


# --- the broken ones ---


class RefusesRightCodes(AsyncDouble):
    def sort_check(self, status: int, document: Any) -> CheckAnswer:
        answer = super().sort_check(status, document)
        return replace(answer, verdict=CheckVerdict.WRONG) if answer.verdict is CheckVerdict.APPROVED else answer


class RetriesFirstCall(AsyncDouble):
    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        result = await super().ask(path, form, timeout_s)
        return await super().ask(path, form, timeout_s) if self.calls == 1 and result[1] == 500 else result


class FollowsRedirects(AsyncDouble):
    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        result = await super().ask(path, form, timeout_s)
        return await super().ask("/elsewhere", form, timeout_s) if result[1] == 307 else result


class RetriesUsedConnections(AsyncDouble):
    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        used = self.calls > 0
        result = await super().ask(path, form, timeout_s)
        return await super().ask(path, form, timeout_s) if used and result[:2] == (True, 0) else result


class TakesCutForNotSent(AsyncDouble):
    def sort_send(self, request: SendRequest, sent: bool, status: int, document: Any) -> Accepted | Failure:
        return super().sort_send(request, sent and status != 0, status, document)


class TakesServerErrorForWrong(AsyncDouble):
    def sort_check(self, status: int, document: Any) -> CheckAnswer:
        return CheckAnswer(CheckVerdict.WRONG) if status == 500 else super().sort_check(status, document)


class TakesRefusedConnectionForUnknown(AsyncDouble):
    def sort_send(self, request: SendRequest, sent: bool, status: int, document: Any) -> Accepted | Failure:
        return super().sort_send(request, True, status, document)


class TakesThrottlingForUnknown(AsyncDouble):
    def sort_send(self, request: SendRequest, sent: bool, status: int, document: Any) -> Accepted | Failure:
        return super().sort_send(request, sent, 500 if status == 429 else status, document)


class TakesWrongCredentialsForTransient(AsyncDouble):
    def sort_send(self, request: SendRequest, sent: bool, status: int, document: Any) -> Accepted | Failure:
        outcome = super().sort_send(request, sent, status, document)
        return replace(outcome, kind=FailureKind.TRANSIENT) if isinstance(outcome, Failure) else outcome


class BoundsEachRead(AsyncDouble):
    """A timeout for each read in place of a deadline for the call."""

    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        self.timeout_s = timeout_s
        return await super().ask(path, form, 3600)

    async def read(self, reader: asyncio.StreamReader) -> tuple[bool, int, Any]:
        whole = asyncio.StreamReader()
        while chunk := await asyncio.wait_for(reader.read(4096), self.timeout_s):
            whole.feed_data(chunk)
        whole.feed_eof()
        return await super().read(whole)


class MakesHandleOfBytes(AsyncDouble):
    def handle(self) -> Any:
        return HANDLE.encode()


class KeepsLifetimeToItself(AsyncDouble):
    capabilities = replace(CAPABILITIES, code_lifetime=None)


class DeclaresATextOfNames(AsyncDouble):
    capabilities = replace(CAPABILITIES, extra_names="brand")  # type: ignore[arg-type]  # what an author may get wrong


class LogsTheCode(AsyncDouble):
    async def check(self, request: CheckRequest) -> CheckAnswer:
        logging.getLogger("double").debug("checking %s", request.code)
        return await super().check(request)


class RaisesTheNumber(AsyncDouble):
    def sort_send(self, request: SendRequest, sent: bool, status: int, document: Any) -> Accepted | Failure:
        if status == 500:
            raise RuntimeError(f"could not reach {request.recipient}")
        return super().sort_send(request, sent, status, document)


class ShowsTheNumber(AsyncDouble):
    async def send(self, request: SendRequest) -> Accepted | Failure:
        self.last = request.recipient
        return await super().send(request)

    def __repr__(self) -> str:
        return f"Double(last={getattr(self, 'last', None)})"


class ApprovesInAnyCase(AsyncDouble):
    def sort_check(self, status: int, document: Any) -> CheckAnswer:
        return super().sort_check(status, json.loads(json.dumps(document).lower()))


class ApprovesWhateverTheStatus(AsyncDouble):
    def sort_check(self, status: int, document: Any) -> CheckAnswer:
        return super().sort_check(200 if status == 404 else status, document)


class LeavesATaskBehind(AsyncDouble):
    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        return await asyncio.shield(super().ask(path, form, timeout_s))


class ClosesOnce(AsyncDouble):
    closed = False

    async def close(self) -> None:
        assert not self.closed
        self.closed = True


class ChecksOnlyWhereItSent(AsyncDouble):
    """Its verifications are in the memory of the process that sent."""

    async def check(self, request: CheckRequest) -> CheckAnswer:
        answer = await super().check(request)
        return answer if parent_process() is None else CheckAnswer(CheckVerdict.UNKNOWN)


class CancelsOnlyWhereItSent(AsyncDouble):
    async def cancel(self, handle: str, timeout_s: float) -> bool:
        return await super().cancel(handle, timeout_s) and parent_process() is None


class TakesACancelledSendForNotSent(AsyncDouble):
    async def send(self, request: SendRequest) -> Accepted | Failure:
        try:
            return await super().send(request)
        except asyncio.CancelledError:
            return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)


class ConcatenatesThePurpose(AsyncDouble):
    def form(self, request: SendRequest) -> dict[str, str]:
        self.tag = request.purpose
        return super().form(replace(request, purpose="login"))

    def body(self, form: dict[str, str]) -> bytes:
        return super().body(form).replace(b"tag=login", f"tag={getattr(self, 'tag', 'login')}".encode())


class PutsParametersIntoHeaders(AsyncDouble):
    async def send(self, request: SendRequest) -> Accepted | Failure:
        self.extra = request.extra
        return await super().send(request)

    async def exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes
    ) -> tuple[bool, int, Any]:
        kit = getattr(self, "extra", {}).get("kit", "")
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Kit: {kit}\r\n"
        kind = "Content-Type: application/x-www-form-urlencoded"
        writer.write(f"{head}{kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return await self.read(reader)


SLOW = "stall or drip or within_its_deadline or another_process or value or parameter or literal or shown"
LATER = "reconcile or later or a_cancel_ or vendor_ended"
QUICK = f"not ({SLOW} or {LATER})"
"""Selects the tests that wait for no timeout, start no process, fuzz nothing and ask nothing after a check."""
SHOWING = f"shown or {QUICK}"
APPROVING = f"literal and not later or {QUICK}"
FUZZING = "value or parameter or json"


BROKEN = [
    (RefusesRightCodes, "what_the_vendor_accepts_is_accepted_and_what_it_approves_is_approved", QUICK),
    (RetriesFirstCall, "a_call_is_made_once_on_the_wire", QUICK),
    (FollowsRedirects, "a_call_is_made_once_on_the_wire", QUICK),
    (RetriesUsedConnections, "a_call_on_a_used_connection_is_made_once", QUICK),
    (TakesCutForNotSent, "a_call_without_a_usable_answer_is_unknown", QUICK),
    (TakesServerErrorForWrong, "a_call_without_a_usable_answer_is_unknown", QUICK),
    (TakesRefusedConnectionForUnknown, "a_refused_connection_is_not_sent", QUICK),
    (TakesThrottlingForUnknown, "a_refusal_by_the_vendor_is_not_sent", QUICK),
    (TakesWrongCredentialsForTransient, "wrong_credentials_are_a_misconfiguration", QUICK),
    (BoundsEachRead, "a_call_returns_within_its_deadline", "(a_call and drip-body and send) or (stall and once)"),
    (MakesHandleOfBytes, "a_handle_survives_json", QUICK),
    (KeepsLifetimeToItself, "what_is_declared_is_implemented", QUICK),
    (DeclaresATextOfNames, "what_is_declared_is_implemented", QUICK),
    (LogsTheCode, "no_code_and_no_number_is_shown", SHOWING),
    (RaisesTheNumber, "no_code_and_no_number_is_shown", SHOWING),
    (ShowsTheNumber, "no_code_and_no_number_is_shown", SHOWING),
    (ApprovesInAnyCase, "only_the_literal_success_approves", APPROVING),
    (ApprovesWhateverTheStatus, "only_the_literal_success_approves", APPROVING),
    (LeavesATaskBehind, "a_cancelled_task_closes_cleanly", "cancelled_task or closing"),
    (ClosesOnce, "closing_twice_is_harmless", QUICK),
    (ChecksOnlyWhereItSent, "a_handle_is_checked_in_another_process", "another_process or json"),
    (CancelsOnlyWhereItSent, "a_handle_is_cancelled_in_another_process", "another_process or json"),
    (TakesACancelledSendForNotSent, "a_cancelled_send_is_unknown_and_keeps_its_step", "a_cancelled or closing"),
    (ConcatenatesThePurpose, "no_value_can_add_to_a_request", FUZZING),
    (PutsParametersIntoHeaders, "no_parameter_can_break_a_line", FUZZING),
]


@pytest.mark.parametrize(("broken", "check", "selected"), BROKEN)
def test_a_broken_provider_fails_exactly_the_check_that_it_breaks(
    broken: type[AsyncDouble], check: str, selected: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour = "awaited" if broken in {LeavesATaskBehind, TakesACancelledSendForNotSent} else "blocking"
    patience_s = 6.0 if broken in {BoundsEachRead, LeavesATaskBehind} else DoubleContract.patience_s  # these hang
    contract = type(
        "TestBroken", (DoubleContract,), {"awaited": broken, "colours": (colour,), "patience_s": patience_s}
    )
    assert red_checks(contract, selected, pytester, monkeypatch) == {f"test_{check}"}


@pytest.mark.parametrize(
    "scenarios",
    [
        {},
        {**DoubleContract.scenarios, "stall": Ending.UNKNOWN},
        {**DoubleContract.scenarios, "cut": Ending.ANY},
        {"stall": Ending.SILENT, "cut": Ending.UNKNOWN, "no": Ending.NOT_SENT},
        {"stall": Ending.SILENT, "cut": Ending.UNKNOWN, "who": Ending.MISCONFIGURED},
    ],
)
def test_a_vendor_that_does_not_misbehave_proves_nothing(
    scenarios: dict[str, Ending], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = type("TestBroken", (DoubleContract,), {"scenarios": scenarios, "colours": ("blocking",)})
    red = red_checks(contract, "can_misbehave or closing", pytester, monkeypatch)
    assert red == {"test_the_vendor_of_the_tests_can_misbehave"}


def test_every_check_has_a_provider_that_fails_it() -> None:
    """The tables of this module and of the three beside it name each check of the kit."""
    red = {check for _, check, _ in BROKEN}
    red |= {check for _, checks, *_ in (*BROKEN_MESSENGERS, *BROKEN_LATER, *BROKEN_DECLARED) for check in checks}
    red |= {"the_vendor_of_the_tests_can_misbehave"}
    assert {f"test_{check}" for check in red} == {each.name for each in requirements(ProviderContract)}


def test_every_claim_brings_in_a_check() -> None:
    """A property that a provider may claim and nobody checks would be worth nothing."""
    assert {claim for each in requirements(ProviderContract) for claim in each.needs} == {*Claim}
