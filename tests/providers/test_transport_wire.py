"""A stranger's SDK over requests, on our wire: the whole provider contract, and what only the wire shows."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
import requests
from requests import PreparedRequest, Request

from otpcore.conformance.provider import HttpVendor, ProviderContract, WireAnswer, WireRequest
from otpcore.errors import ConfigurationError
from otpcore.ports import Accepted, CodeOwner, Failure, FailureKind, ProviderCapabilities, SendEffect, SendRequest
from otpcore.providers.transport import LARGEST_ANSWER, Attempt, WireFailure, under_way
from otpcore.providers.transport import requests as requests_module
from otpcore.providers.transport import urllib3 as urllib3_module
from otpcore.providers.transport.requests import Wire
from tests.conformance.provider_doubles import red_checks

pytest_plugins = ["pytester"]

URL = "https://api.heron.example/messages?page=1"
BODY = b"to=1"
over_requests: Any = requests_module
over_urllib3: Any = urllib3_module


# --- the contract ---


class HeronError(Exception):
    """The SDK's exception for an answer that is no success."""


class HeronSdk:
    """A vendor's SDK, as they are: it asks with `self.post`, and whoever wants another transport overrides that."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def create_message(self, to: str, text: str) -> str:
        status, body = self.post(f"{self.origin}/messages", {"to": to, "text": text})
        if status != 201:
            raise HeronError(status)
        found: str = json.loads(body)["id"]
        return found

    def post(self, url: str, document: object) -> tuple[int, bytes]:
        response = requests.post(url, json=document, timeout=2.0)
        return response.status_code, response.content


class DeadlineSdk(HeronSdk):
    """The SDK on our wire."""

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self.wire = Wire(direct=True)

    def post(self, url: str, document: object) -> tuple[int, bytes]:
        status, body, _ = self.wire.exchange(Attempt.current(2.0), Request("POST", url, json=document).prepare())
        return status, body


class HeronProvider:
    """A provider over it."""

    capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))

    def __init__(self, sdk: HeronSdk) -> None:
        self.sdk = sdk

    def send(self, request: SendRequest) -> Accepted | Failure:
        text = request.message.text if request.message else f"Your code is {request.code}."
        with under_way(Attempt.lasting(request.timeout_s)) as attempt:
            try:
                return Accepted(self.sdk.create_message(request.recipient, text))
            except Exception as error:  # noqa: BLE001  # whatever the SDK meets is sorted, never raised
                if attempt.status is None:
                    return attempt.unanswered("Heron", error)
                if attempt.was_refused:
                    kind = FailureKind.MISCONFIGURED if attempt.status == 401 else FailureKind.INVALID_RECIPIENT
                    return Failure(kind, SendEffect.NOT_SENT, "Heron refused", retry_after=attempt.retry_after)
                return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, "Heron gave no usable answer")

    def close(self) -> None:
        if isinstance(self.sdk, DeadlineSdk):
            self.sdk.wire.close()


class TestHeron(ProviderContract):
    handle = "msg_0001"
    sdk: ClassVar[type[HeronSdk]] = DeadlineSdk

    def make(self, origin: str) -> HeronProvider:
        return HeronProvider(self.sdk(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        return WireAnswer.of_json(201, {"id": self.handle})

    def refusal(self, status: int) -> WireAnswer:
        return WireAnswer.of_json(status, {"error": "bad_number", "number": self.recipient})

    def unauthorised(self) -> WireAnswer:
        return WireAnswer.of_json(401, {"error": "bad_key"})


@pytest.mark.parametrize("scenario", ["drip", "stall"])
def test_the_sdk_left_alone_breaks_the_contract(
    scenario: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = type("TestAlone", (TestHeron,), {"sdk": HeronSdk, "patience_s": 6.0})
    red = red_checks(alone, f"deadline and {scenario} or json", pytester, monkeypatch)
    assert "test_a_call_returns_within_its_deadline" in red


# --- the wire ---


def asked(origin: str, method: str = "POST") -> PreparedRequest:
    return Request(method, f"{origin}/messages", data=BODY).prepare()


@pytest.fixture
def vendor() -> Iterator[HttpVendor]:
    with HttpVendor(lambda _: WireAnswer.of_json(201, {"id": "1"})) as running:
        yield running


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(direct=True)
    yield made
    made.close()


def said(text: bytes) -> tuple[socket.socket, threading.Thread]:
    """A server that takes one request of `asked`, whole, says this, and closes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as arriving:
            while arriving.readline().strip():  # what is left unread when it closes would reset the connection
                pass
            arriving.read(len(BODY))
            connection.sendall(text)

    thread = threading.Thread(target=serve)
    thread.start()
    return listening, thread


def answer_to(text: bytes, attempt: Attempt, wire: Wire) -> tuple[int, bytes, Mapping[str, str]]:
    listening, thread = said(text)
    with listening:
        try:
            return wire.exchange(attempt, asked(f"http://127.0.0.1:{listening.getsockname()[1]}"))
        finally:
            thread.join()


def test_an_answer_is_told_to_the_attempt(wire: Wire) -> None:
    attempt = Attempt.lasting(30)
    told = b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"
    status, body, headers = answer_to(told, attempt, wire)
    assert (status, body, headers["retry-after"]) == (429, b"{}", "7")
    assert (attempt.status, attempt.maybe_sent) == (429, True)
    assert attempt.retry_after is not None


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "as-http.client-has-it"])
@pytest.mark.parametrize("status", [204, 400])
def test_headers_that_break_off_are_no_answer(
    status: int, strict: bool, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not strict:  # the defect: the standard library takes them for whole ones
        monkeypatch.delattr(over_urllib3._DeadlineResponse, "begin")
    attempt = Attempt.lasting(30)
    told = f"HTTP/1.1 {status} Whatever\r\nX-Cut: o".encode()
    if not strict:
        assert answer_to(told, attempt, wire)[0] == status
        return
    with pytest.raises(WireFailure):
        answer_to(told, attempt, wire)
    assert (attempt.status, attempt.maybe_sent) == (None, True)


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "without-the-limit"])
def test_an_answer_larger_than_any_is_none(limited: bool, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    if not limited:  # the defect: then it is read to its end
        monkeypatch.setattr(over_urllib3, "LARGEST_ANSWER", 10 * LARGEST_ANSWER)
    attempt, body = Attempt.lasting(30), b" " * (LARGEST_ANSWER + 1)
    told = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    if not limited:
        assert answer_to(told, attempt, wire)[1] == body
        return
    with pytest.raises(WireFailure):
        answer_to(told, attempt, wire)
    assert attempt.status is None


def test_nothing_is_sent_when_the_time_is_used_up_before_the_first_byte(
    vendor: HttpVendor, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = over_urllib3._Deadline.connect

    def slowly(connection: Any) -> None:
        connect(connection)
        attempt.ends_at -= 60.0

    monkeypatch.setattr(over_urllib3._Deadline, "connect", slowly)
    attempt = Attempt.lasting(30)
    with pytest.raises(WireFailure):
        wire.exchange(attempt, asked(vendor.origin))
    assert not attempt.maybe_sent
    assert vendor.requests == ()


def test_a_handshake_gets_what_the_connect_has_left_and_the_request_what_both_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A socket keeps the timeout that it was connected with: a slow connect and a slow handshake would be two."""
    connect = over_urllib3.create_connection

    def slowly(*given: Any) -> Any:
        attempt.ends_at -= 20.0
        return connect(*given)

    monkeypatch.setattr(over_urllib3, "create_connection", slowly)
    attempt = Attempt.lasting(30.0)
    with socket.create_server(("127.0.0.1", 0)) as server, under_way(attempt):
        made = over_urllib3._Deadline("127.0.0.1", server.getsockname()[1], timeout=30.0)
        made.connect()
        assert made.sock is not None
        assert 0 < (made.sock.gettimeout() or 0.0) <= 10.0
        attempt.ends_at -= 5.0
        made.request("GET", "/")
        assert 0 < (made.sock.gettimeout() or 0.0) <= 5.0
        made.close()


def test_a_closed_wire_opens_again_and_a_connection_is_kept(vendor: HttpVendor, wire: Wire) -> None:
    for _ in range(2):
        assert wire.exchange(Attempt.lasting(30), asked(vendor.origin))[0] == 201
    wire.close()
    wire.close()
    assert wire.exchange(Attempt.lasting(30), asked(vendor.origin))[0] == 201
    assert len(vendor.requests) == 3


# --- the environment ---


def test_certificates_are_those_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert over_requests._Session(direct=False).surroundings(URL) == {"verify": True, "cert": None, "proxies": {}}
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/somewhere/ca.pem")
    assert over_requests._Session(direct=False).surroundings(URL)["verify"] == "/somewhere/ca.pem"


def test_a_way_that_is_kept_is_that_of_its_own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    session = over_requests._Session(direct=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "api.heron.example")
    assert session.surroundings(URL)["proxies"].get("https") is None
    assert session.surroundings("https://other.example/")["proxies"]["https"] == "http://127.0.0.1:9"


def test_a_proxy_that_keeps_no_deadline_is_a_misconfiguration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    attempt, wire = Attempt.lasting(30), Wire(direct=False)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY"):
        wire.exchange(attempt, asked("https://api.heron.example"))
    wire.close()
    assert not attempt.maybe_sent
