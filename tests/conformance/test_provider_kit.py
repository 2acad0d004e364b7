"""The provider kit passes a sound provider and bites: each broken one fails exactly the check that it breaks.

The double speaks to its vendor with asyncio streams, one connection for each call, in both colours; each broken
double changes one thing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import types
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, cast
from urllib.parse import urlencode, urlsplit

import pytest

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    ProviderCapabilities,
    SendEffect,
    SendRequest,
)

pytest_plugins = ["pytester"]

HANDLE = "ver-0001"
CAPABILITIES = ProviderCapabilities(
    frozenset({CodeOwner.PROVIDER}), frozenset({"sms"}), code_lifetime=timedelta(seconds=600), simulated=True
)


class AsyncDouble:
    """A sound provider, awaited."""

    capabilities = CAPABILITIES

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        self.host, self.port = str(parts.hostname), parts.port
        self.calls = 0

    async def send(self, request: SendRequest) -> Accepted | Failure:
        record = logging.makeLogRecord({"name": "double", "levelno": logging.DEBUG, "msg": "sending"})
        record.thread = int(f"14{ProviderContract.code}000")  # as unlucky as a sound one can be
        logging.getLogger("double").handle(record)
        sent, status, document = await self.ask("/send", {"to": request.recipient}, request.timeout_s)
        return self.sort_send(request, sent, status, document)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        form = {"handle": request.handle or "", "code": request.code}
        _, status, document = await self.ask("/check", form, request.timeout_s)
        return self.sort_check(status, document)

    async def close(self) -> None:
        pass

    def sort_send(self, request: SendRequest, sent: bool, status: int, document: Any) -> Accepted | Failure:
        if status == 201 and isinstance(document, dict):
            return Accepted(self.handle())
        if 400 <= status < 500:
            kind = FailureKind.MISCONFIGURED if status == 401 else FailureKind.INVALID_RECIPIENT
            return Failure(kind, SendEffect.NOT_SENT)
        return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN if sent else SendEffect.NOT_SENT)

    def sort_check(self, status: int, document: Any) -> CheckAnswer:
        if status != 200 or not isinstance(document, dict):
            return CheckAnswer(CheckVerdict.UNKNOWN)
        status_word: object = cast("dict[str, object]", document).get("status")
        return CheckAnswer(CheckVerdict.APPROVED if status_word == "approved" else CheckVerdict.UNKNOWN)

    def handle(self) -> Any:
        return HANDLE

    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        """Whether bytes left, the status (0: none) and the document (None: none)."""
        self.calls += 1
        sent = False
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    sent = True
                    return await self.exchange(reader, writer, path, urlencode(form).encode())
                finally:
                    writer.close()
        except (OSError, ValueError, asyncio.IncompleteReadError, IndexError):
            return sent, 0, None

    async def exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes
    ) -> tuple[bool, int, Any]:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return await self.read(reader)

    async def read(self, reader: asyncio.StreamReader) -> tuple[bool, int, Any]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length"))
        return True, int(head[0].split()[1]), json.loads(await reader.readexactly(length))


class Double:
    """The same, blocking."""

    def __init__(self, twin: AsyncDouble) -> None:
        self.twin = twin
        self.capabilities = twin.capabilities

    def send(self, request: SendRequest) -> Accepted | Failure:
        return asyncio.run(self.twin.send(request))

    def check(self, request: CheckRequest) -> CheckAnswer:
        return asyncio.run(self.twin.check(request))

    def close(self) -> None:
        asyncio.run(self.twin.close())

    def __repr__(self) -> str:
        return repr(self.twin)


class DoubleContract(ProviderContract):
    handle = HANDLE
    awaited: ClassVar[type[AsyncDouble]] = AsyncDouble

    def make(self, origin: str) -> Double:
        return Double(self.awaited(origin))

    def make_async(self, origin: str) -> AsyncDouble:
        return self.awaited(origin)

    def answer(self, request: WireRequest) -> WireAnswer:
        if request.path == "/send":
            return WireAnswer.of_json(201, {"id": HANDLE})
        return WireAnswer.of_json(200, {"status": "approved" if request.form["code"] == self.code else "no"})


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


QUICK = "not stall and not drip"
"""Selects the tests that wait for no timeout."""


@pytest.mark.parametrize(
    ("broken", "check", "selected"),
    [
        (RefusesRightCodes, "what_the_vendor_accepts_is_accepted_and_what_it_approves_is_approved", QUICK),
        (RetriesFirstCall, "a_call_is_made_once_on_the_wire", QUICK),
        (FollowsRedirects, "a_call_is_made_once_on_the_wire", QUICK),
        (RetriesUsedConnections, "a_call_on_a_used_connection_is_made_once", QUICK),
        (TakesCutForNotSent, "a_call_without_a_usable_answer_is_unknown", QUICK),
        (TakesServerErrorForWrong, "a_call_without_a_usable_answer_is_unknown", QUICK),
        (TakesRefusedConnectionForUnknown, "a_refused_connection_is_not_sent", QUICK),
        (TakesThrottlingForUnknown, "a_refusal_by_the_vendor_is_not_sent", QUICK),
        (TakesWrongCredentialsForTransient, "wrong_credentials_are_a_misconfiguration", QUICK),
        (BoundsEachRead, "a_call_returns_within_its_deadline", "drip-body or stall"),
        (MakesHandleOfBytes, "a_handle_survives_json", QUICK),
        (KeepsLifetimeToItself, "what_is_declared_is_implemented", QUICK),
        (LogsTheCode, "no_code_and_no_number_is_shown", QUICK),
        (RaisesTheNumber, "no_code_and_no_number_is_shown", QUICK),
        (ShowsTheNumber, "no_code_and_no_number_is_shown", QUICK),
        (ApprovesInAnyCase, "only_the_literal_success_approves", QUICK),
        (ApprovesWhateverTheStatus, "only_the_literal_success_approves", QUICK),
        (LeavesATaskBehind, "a_cancelled_task_closes_cleanly", "cancelled or once"),
        (ClosesOnce, "closing_twice_is_harmless", QUICK),
    ],
)
def test_a_broken_provider_fails_exactly_the_check_that_it_breaks(
    broken: type[AsyncDouble], check: str, selected: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour = "awaited" if broken is LeavesATaskBehind else "blocking"
    contract = type("TestBroken", (DoubleContract,), {"awaited": broken, "colours": (colour,), "patience_s": 4.0})
    assert red_checks(contract, selected, pytester, monkeypatch) == {f"test_{check}"}


def red_checks(contract: type, selected: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Run the kit in a pytest of its own; the names of the checks that were red."""
    module = types.ModuleType("contract_under_test")
    module.__dict__["TestBroken"] = contract
    monkeypatch.setitem(sys.modules, module.__name__, module)
    path = pytester.makepyfile("from contract_under_test import TestBroken")
    run: Any = cast("Any", pytester).inline_run(
        path, "-q", "-k", selected, "-p", "no:randomly", "-p", "no:cacheprovider"
    )
    reports = run.getreports("pytest_runtest_logreport")
    assert any(report.passed for report in reports)
    return {report.nodeid.split("::")[-1].partition("[")[0] for report in reports if report.failed}
