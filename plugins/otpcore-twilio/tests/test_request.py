"""What the blocking transport puts on the wire is what `requests` would, and its way there is the environment's."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from requests import Request, Session

from otpcore.conformance.provider.misbehaving import refused_origin
from otpcore.ports import Failure, SendEffect, SendRequest
from otpcore_twilio import TwilioProvider, TwilioSettings
from otpcore_twilio.transport import FORM, HEADERS, prepared

URL = "https://verify.example/v2/Services?Page=1"
BEHIND_A_PROXY = "https://verify.invalid"
JSON = "application/json"
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., TwilioSettings]


class Ask(Protocol):
    def __call__(self, settings: TwilioSettings, *requests: SendRequest) -> list[Any]: ...


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


class Proxy(socketserver.TCPServer):
    """Opens no tunnel, and keeps the request lines of who asked for one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuse)
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[str] = []


class _Refuse(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Proxy)
        self.server.asked.append(self.rfile.readline().decode().rpartition(" ")[0])
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("method", "params", "data", "headers"),
    [
        ("post", None, {"To": "+12025550123", "Channel": "sms"}, {"Content-Type": FORM, "Accept": JSON}),
        ("POST", None, {"Tags": '{"é": "ü&="}', "Amount": 3, "Flag": True}, {"Content-Type": FORM}),
        ("POST", {}, {"Uri": ["a", "b c"], "None": []}, {"Content-Type": FORM}),
        ("POST", None, {}, {"Content-Type": FORM}),
        ("POST", None, None, {"Content-Type": FORM}),
        ("POST", None, "To=already", {"Content-Type": FORM}),
        ("POST", None, {"a": [1, None]}, {"Content-Type": JSON}),
        ("POST", None, {}, {"Content-Type": "application/scim+json"}),
        ("PATCH", None, {"To": "x"}, {}),
        ("GET", {"PageSize": 1, "Name": "ü &"}, None, {"accept": "text/csv", "X-Left-Out": None}),
        ("DELETE", None, None, None),
    ],
)
@pytest.mark.parametrize("auth", [("user", "pass"), None])
def test_a_request_is_the_one_that_requests_would_send(
    method: str, params: Any, data: Any, headers: dict[str, Any] | None, auth: tuple[str, str] | None
) -> None:
    session = Session()
    session.headers.update(HEADERS)
    ours = prepared(method, URL, params, data, headers, auth)
    request = Request(method, URL, headers or {}, auth=auth, params=params)
    if "json" in (headers or {}).get("Content-Type", ""):
        request.json = data
    else:
        request.data = data or {}
    theirs = session.prepare_request(request)
    assert (ours.method, ours.url, ours.body) == (theirs.method, theirs.url, theirs.body)
    assert list(ours.headers.items()) == list(theirs.headers.items())


def test_a_proxy_of_the_environment_is_asked_for_a_tunnel(
    proxy: Proxy,
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
    (outcome,) = ask(settings_for(BEHIND_A_PROXY), a_send())
    assert proxy.asked == ["CONNECT verify.invalid:443"]
    assert isinstance(outcome, Failure)
    assert outcome.effect is SendEffect.NOT_SENT


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "asked-for-each-time"])
def test_the_environment_is_asked_for_a_proxy_at_the_first_call_and_after_a_close(
    proxy: Proxy,
    settings_for: MakeSettings,
    a_send: MakeSend,
    monkeypatch: pytest.MonkeyPatch,
    kept: bool,
) -> None:
    provider = TwilioProvider(settings_for(BEHIND_A_PROXY))
    with refused_origin() as dead:
        seen: list[int] = []
        for origin in (proxy.origin, dead):
            monkeypatch.setenv("HTTPS_PROXY", origin)
            assert isinstance(provider.send(a_send()), Failure)
            seen.append(len(proxy.asked))
            if not kept:  # the defect: what every call would pay for
                session = provider.native_client.http_client._wire._sessions.get(None)
                session._surroundings.clear()
        provider.close()
        assert isinstance(provider.send(a_send()), Failure)
        seen.append(len(proxy.asked))
    provider.close()
    assert seen == ([1, 2, 2] if kept else [1, 1, 1])
