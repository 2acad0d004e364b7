"""The wire under a REST provider: TLS, bounds, forks, loops, logs, and what it makes of an author's mistakes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpcore
import pytest

from otpcore.conformance.provider import CERTIFICATE, HttpVendor, ProviderContract, WireAnswer, WireRequest
from otpcore.conformance.provider.misbehaving import drip_body, reply, stall
from otpcore.ports import (
    Accepted,
    Cancels,
    Checks,
    CodeOwner,
    Failure,
    FailureKind,
    ReadsReceipts,
    ReconcilesCheck,
    SendEffect,
    SendRequest,
    TakesFeedback,
)
from otpcore.providers.http import AsyncHttpProvider, HttpProvider, HttpRequest, awaited, blocking
from otpcore.providers.http_aio import AsyncWire
from tests.providers.test_http_kit import Messages, Verifications

NUMBER, CODE = "+12025550123", "918273"


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


class TestVerificationsOverTls(ProviderContract):
    handle = "ver_0001"
    tls = True

    def make(self, origin: str) -> HttpProvider:
        return blocking(Verifications(origin), tls=trusting())

    def make_async(self, origin: str) -> AsyncHttpProvider:
        return awaited(Verifications(origin), tls=trusting())

    def answer(self, request: WireRequest) -> WireAnswer:
        if request.path == "/verify":
            return WireAnswer.of_json(201, {"id": self.handle})
        if request.method == "DELETE":
            return WireAnswer(204, b"")
        if request.method == "GET":
            return WireAnswer.of_json(200, {"id": self.handle, "status": "approved"})
        return WireAnswer.of_json(200, {"status": "approved" if request.json["code"] == self.code else "no"})


class TestMessagesByWorkers(ProviderContract):
    """A provider that only blocks is awaited through the core's workers."""

    handle = "msg_0001"

    def make(self, origin: str) -> HttpProvider:
        class Sends(Messages):
            parse_receipt: Any = None

        return blocking(Sends(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        return WireAnswer.of_json(200, {"id": self.handle})


def a_send(timeout_s: float = 30) -> SendRequest:
    return SendRequest(
        "1", NUMBER, "sms", "login", CODE, None, datetime.now(UTC) + timedelta(seconds=300), timeout_s=timeout_s
    )


def good(_: WireRequest) -> WireAnswer:
    return WireAnswer.of_json(200, {"id": "1"})


@pytest.fixture
def vendor() -> Iterator[HttpVendor]:
    with HttpVendor(good) as vendor:
        yield vendor


@pytest.fixture
def provider(vendor: HttpVendor) -> Iterator[HttpProvider]:
    provider = blocking(Messages(vendor.origin))
    yield provider
    provider.close()


def outcome(provider: HttpProvider, timeout_s: float = 30) -> tuple[FailureKind, SendEffect]:
    with closing(provider):
        found = provider.send(a_send(timeout_s))
    assert isinstance(found, Failure), found
    return found.kind, found.effect


NOT_SENT = (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
LOST = (FailureKind.INTERNAL, SendEffect.UNKNOWN)


def test_a_certificate_of_nobody_is_not_sent() -> None:
    with HttpVendor(good, tls=True) as vendor:
        provider = blocking(Messages(vendor.origin))
        assert outcome(provider) == NOT_SENT
        found = asyncio.run(awaited(Messages(vendor.origin)).send(a_send()))
        assert isinstance(found, Failure)
        assert (found.kind, found.effect) == NOT_SENT
        assert vendor.requests == ()
        provider.close()


def test_a_vendor_that_never_greets_is_not_sent() -> None:
    """The handshake has the deadline too; nothing of the request has left."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        origin = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert outcome(blocking(Messages(origin)), 0.2) == NOT_SENT
        found = asyncio.run(awaited(Messages(origin)).send(a_send(0.2)))
        assert isinstance(found, Failure)
        assert (found.kind, found.effect) == NOT_SENT


def test_a_name_without_an_address_is_not_sent() -> None:
    assert outcome(blocking(Messages("http://nowhere.invalid"))) == NOT_SENT


def test_silence_is_a_timeout(vendor: HttpVendor, provider: HttpProvider) -> None:
    for scenario in (stall, drip_body):
        vendor.scenario = scenario
        assert outcome(provider, 0.5) == (FailureKind.TIMEOUT, SendEffect.UNKNOWN)


def test_a_provider_has_a_deadline_of_its_own(vendor: HttpVendor) -> None:
    """However long the engine would wait: 30 s here, and nobody releases the vendor before."""
    vendor.scenario, began = stall, time.monotonic()
    assert outcome(blocking(Messages(vendor.origin), timeout_s=0.3)) == (FailureKind.TIMEOUT, SendEffect.UNKNOWN)

    async def awaiting() -> Accepted | Failure:
        provider = awaited(Messages(vendor.origin), timeout_s=0.3)
        try:
            return await provider.send(a_send())
        finally:
            await provider.close()

    found = asyncio.run(awaiting())
    assert isinstance(found, Failure)
    assert (found.kind, found.effect) == (FailureKind.TIMEOUT, SendEffect.UNKNOWN)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "answer",
    [
        WireAnswer(200, b'{"id": "' + b"x" * 70_000 + b'"}'),
        WireAnswer(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}),
        WireAnswer(200, b'["id"]'),
        WireAnswer(200, b"{}"),
    ],
    ids=["too large", "compressed", "no object", "no id"],
)
def test_an_unusable_answer_is_unknown(vendor: HttpVendor, provider: HttpProvider, answer: WireAnswer) -> None:
    vendor.scenario = reply(answer)
    assert outcome(provider) == LOST


def test_an_early_refusal_is_heard() -> None:
    """A vendor that refuses and leaves before it read everything said no."""
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen()
        api = Messages(f"http://127.0.0.1:{rude.getsockname()[1]}")
        import threading

        def refuse() -> None:
            connection, _ = rude.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
                connection.recv(65_536)

        thread = threading.Thread(target=refuse)
        thread.start()
        assert outcome(blocking(api)) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
        thread.join()


def test_what_an_author_gets_wrong_is_not_sent(vendor: HttpVendor) -> None:
    class Injects(Messages):
        def request(self, request: SendRequest) -> HttpRequest:
            return HttpRequest("GET", self.origin, headers={"X-To": f"{request.recipient}\r\nX: 1"})

    class Crashes(Messages):
        def request(self, request: SendRequest) -> HttpRequest:
            raise KeyError(request.recipient)

    for api, kind in ((Injects, FailureKind.CONTENT_REJECTED), (Crashes, FailureKind.INTERNAL)):
        with closing(blocking(api(vendor.origin))) as provider:
            found = provider.send(a_send())
        assert isinstance(found, Failure)
        assert (found.kind, found.effect) == (kind, SendEffect.NOT_SENT)
        assert NUMBER.lstrip("+") not in repr(found)
    assert vendor.requests == ()


def test_an_author_may_say_no_by_himself(vendor: HttpVendor) -> None:
    refusal = Failure(FailureKind.CHANNEL_UNREACHABLE, SendEffect.NOT_SENT, "no calls on Sundays")

    class Declines(Messages):
        def request(self, request: SendRequest) -> Failure:
            return refusal

    with closing(blocking(Declines(vendor.origin))) as provider:
        assert provider.send(a_send()) is refusal
    assert vendor.requests == ()


def test_a_provider_has_what_its_author_wrote() -> None:
    messages, verifications = blocking(Messages("http://x")), awaited(Verifications("http://x"))
    optional = (Checks, Cancels, ReconcilesCheck, TakesFeedback, ReadsReceipts)
    assert [kind for kind in optional if isinstance(messages, kind)] == [TakesFeedback, ReadsReceipts]
    assert [kind for kind in optional if isinstance(verifications, kind)] == [Checks, Cancels, ReconcilesCheck]
    assert CodeOwner.PROVIDER in verifications.capabilities.code_owners

    class Half(Messages):
        def cancel_request(self, handle: str) -> HttpRequest:
            raise NotImplementedError

    with pytest.raises(TypeError, match="parse_cancel"):
        blocking(Half("http://x"))


def test_others_are_logged_as_before_and_our_calls_never(
    vendor: HttpVendor, provider: HttpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.scenario = reply(WireAnswer(302, b"", {"Location": f"/{NUMBER}"}))
    with caplog.at_level(logging.NOTSET):
        provider.send(a_send())
        asyncio.run(_send_awaited(vendor.origin))
        assert not [record for record in caplog.records if record.name.startswith("httpcore")]
        with httpcore.ConnectionPool() as pool:
            pool.request("GET", f"{vendor.origin}/others")
    assert NUMBER in caplog.text, "the control: what the filter keeps back is there"
    provider.send(a_send())


async def _send_awaited(origin: str) -> Accepted | Failure:
    provider = awaited(Messages(origin))
    try:
        return await provider.send(a_send())
    finally:
        await provider.close()


def test_a_forked_child_has_connections_of_its_own(vendor: HttpVendor, provider: HttpProvider) -> None:
    assert isinstance(provider.send(a_send()), Accepted)
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        os._exit(0 if isinstance(provider.send(a_send()), Accepted) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert isinstance(provider.send(a_send()), Accepted)
    assert len(vendor.requests) == 3


def test_each_loop_has_a_pool_of_its_own_and_closes_it(vendor: HttpVendor) -> None:
    provider = awaited(Messages(vendor.origin))
    for _ in range(2):  # without close: the loop's end does it
        assert isinstance(asyncio.run(provider.send(a_send())), Accepted)
    assert vendor.wait_until_idle(60)


def test_a_closed_provider_serves_again(vendor: HttpVendor, provider: HttpProvider) -> None:
    for _ in range(2):
        assert isinstance(provider.send(a_send()), Accepted)
        provider.close()
        provider.close()
    assert vendor.wait_until_idle(60)


class _Meddling(asyncio.SelectorEventLoop):
    """A closed loop; while it is asked whether it is, another thread opens a pool."""

    meddle: Callable[[], object] | None = None

    def is_closed(self) -> bool:
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            thread = threading.Thread(target=meddle)
            thread.start()
            thread.join()
        return super().is_closed()


def test_loops_of_several_threads_take_no_pool_from_each_other() -> None:
    inner: Any = AsyncWire()
    ended, others, ours = _Meddling(), asyncio.new_event_loop(), asyncio.new_event_loop()
    ended.run_until_complete(inner._open(secure=False))
    ended.close()
    opened: list[object] = []
    ended.meddle = lambda: opened.append(others.run_until_complete(inner._open(secure=False)))
    ours.run_until_complete(inner._open(secure=False))
    assert others.run_until_complete(inner._open(secure=False)) is opened[0]
    for loop in (others, ours):
        loop.run_until_complete(inner.close())
        loop.close()
