"""A sound provider of the tests' own, in both colours, and its contract.

It speaks to its vendor with asyncio streams, one connection for each call; each broken double changes one thing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, cast
from urllib.parse import urlencode, urlsplit

import pytest

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.conformance.provider.driven import Colour
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

HANDLE = "ver-0001"
CAPABILITIES = ProviderCapabilities(
    frozenset({CodeOwner.PROVIDER}), frozenset({"sms"}), code_lifetime=timedelta(seconds=600), simulated=True
)


def plain(text: str) -> str:
    """What of a label a vendor is told: letters and digits."""
    return "".join(each for each in text if each.isascii() and each.isalnum())


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
        logging.getLogger("double").debug("at 19:18:27.30, in 12.025 s, by 55-50-12-3")  # as unlucky, too
        sent, status, document = await self.ask("/send", self.form(request), request.timeout_s)
        return self.sort_send(request, sent, status, document)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        form = {"handle": request.handle or "", "code": request.code}
        _, status, document = await self.ask("/check", form, request.timeout_s)
        return self.sort_check(status, document if self.is_about(request.handle, document) else None)

    async def cancel(self, handle: str, timeout_s: float) -> bool:
        return (await self.ask("/cancel", {"handle": handle}, timeout_s))[1] == 200

    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        _, status, document = await self.ask("/reconcile", {"handle": handle}, timeout_s)
        return self.sort_reconciled(handle, status, document)

    async def close(self) -> None:
        pass

    def form(self, request: SendRequest) -> dict[str, str]:
        return {"to": request.recipient, "tag": plain(request.purpose)}

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

    def is_about(self, handle: str | None, document: Any) -> bool:
        """Whether an answer is about this verification; None: about whichever one the recipient has."""
        return isinstance(document, dict) and handle in (None, cast("dict[str, object]", document).get("id"))

    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        if status != 200 or document != {"id": handle, "status": "approved"}:
            return None
        return CheckAnswer(CheckVerdict.APPROVED)

    def handle(self) -> Any:
        return HANDLE

    async def ask(self, path: str, form: dict[str, str], timeout_s: float) -> tuple[bool, int, Any]:
        """Whether bytes left, the status (0: none) and the document (None: none)."""
        self.calls += 1
        sent = False
        body = self.body(form)
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    sent = True
                    return await self.exchange(reader, writer, path, body)
                finally:
                    writer.close()
        except (OSError, ValueError, asyncio.IncompleteReadError, IndexError):
            return sent, 0, None

    def body(self, form: dict[str, str]) -> bytes:
        return urlencode(form).encode()

    async def exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes
    ) -> tuple[bool, int, Any]:
        kind = "Content-Type: application/x-www-form-urlencoded"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
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

    def cancel(self, handle: str, timeout_s: float) -> bool:
        return asyncio.run(self.twin.cancel(handle, timeout_s))

    def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        return asyncio.run(self.twin.reconcile_check(handle, timeout_s))

    def close(self) -> None:
        with ThreadPoolExecutor(1) as aside:  # the core closes it where a loop runs
            aside.submit(asyncio.run, self.twin.close()).result()

    def __repr__(self) -> str:
        return repr(self.twin)


def made(kind: type[AsyncDouble], colour: Colour, origin: str) -> Any:
    """A double, in whichever process."""
    return Double(kind(origin)) if colour == "blocking" else kind(origin)


class DoubleContract(ProviderContract):
    handle = HANDLE
    awaited: ClassVar[type[AsyncDouble]] = AsyncDouble

    def make(self, origin: str) -> Double:
        return Double(self.awaited(origin))

    def make_async(self, origin: str) -> AsyncDouble:
        return self.awaited(origin)

    def opener(self, origin: str, colour: Colour) -> Callable[[], Any]:
        return partial(made, self.awaited, colour, origin)

    def answer(self, request: WireRequest) -> WireAnswer:
        if request.path == "/send":
            return WireAnswer.of_json(201, {"id": HANDLE})
        if request.path == "/cancel":
            return WireAnswer.of_json(200, {})
        if request.path == "/reconcile":
            return WireAnswer.of_json(200, {"id": HANDLE, "status": "approved"})
        said = "approved" if request.form["code"] == self.code else "no"
        return WireAnswer.of_json(200, {"id": HANDLE, "status": said})


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
