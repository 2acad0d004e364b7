"""What the tests of the Messaging provider share: settings for an origin, requests, and a place that is told."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.ports import InboundRequest, MessageText, SendRequest
from otpcore_twilio import TwilioMessagingSettings

PHONE = "+12025550123"
TEXT = "918273 is your code."


@pytest.fixture
def messages_at() -> Callable[..., TwilioMessagingSettings]:
    """Settings for an origin."""

    def make(origin: str, **changes: Any) -> TwilioMessagingSettings:
        given: dict[str, Any] = {
            "account_sid": "AC" + "0" * 32,
            "auth_token": SecretStr("t" * 32),
            "sender": "+12025550100",
            "origin": origin,
        }
        return TwilioMessagingSettings(**(given | changes))

    return make


@pytest.fixture
def a_message() -> Callable[..., SendRequest]:
    """A send of a code of the core, with these words."""

    def make(text: str = TEXT, **changes: Any) -> SendRequest:
        given: dict[str, Any] = {
            "send_id": "s1",
            "recipient": PHONE,
            "channel": "sms",
            "purpose": "login",
            "code": "918273",
            "handle": None,
            "expires_at": datetime.now(UTC) + timedelta(seconds=300),
            "timeout_s": 5.0,
            "message": MessageText(text, 1, "test", "en"),
        }
        return SendRequest(**(given | changes))

    return make


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        self.kept: list[InboundRequest] = []


class _Keep(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.kept.append(InboundRequest("POST", self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the library
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
