"""An emulator on a free port, and the official SDK in front of it.

What every test here causes is held against Twilio's OpenAPI documents (that of Verify, and that of its oldest API for
messages) when the test ends, where they are: they lie beside the repository and are no part of it. Where one is not, a
skipped test says so.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from twilio.base.exceptions import TwilioException, TwilioRestException  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.rest import Client  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore_twilio.emulator import Emulator, Options, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TO = "+12025550123"
SHARED = Path(__file__).parents[5] / "shared" / "twilio"


VERIFY = SHARED / "twilio_verify_v2.openapi.json"
MESSAGES = SHARED / "twilio_api_v2010.openapi.json"


@cache
def document(file: Path) -> OpenAPI:
    return OpenAPI.from_dict(json.loads(file.read_text("utf-8")))


def hold(method: str, url: str, status: int, body: str) -> None:
    """Raise OpenAPIError unless the document allows this answer. Of errors it has one: 429 to a send.

    The document names Twilio's own host, the emulator has another; that is all that is exchanged.
    """
    parts = urlsplit(url)
    told = status < 400 or (status == 429 and method == "POST" and parts.path.endswith("/Verifications"))
    if not told or body.startswith("<html>"):  # a fault that was ordered
        return
    if parts.path.startswith("/v2/"):
        file, host = VERIFY, "https://verify.twilio.com"
    elif parts.path.startswith("/2010-04-01/") and MESSAGES.exists():
        file, host = MESSAGES, "https://api.twilio.com"
    else:
        return
    request = MockRequest(host, method.lower(), parts.path)
    response = MockResponse(body.encode(), status_code=status, content_type="application/json")
    document(file).validate_response(request, response)


class Recorder(TwilioHttpClient):  # type: ignore[misc]  # the SDK carries no types
    """The SDK's own client, which also keeps every answer."""

    def __init__(self) -> None:
        super().__init__(timeout=10)
        self.asked: list[tuple[str, str]] = []
        self.answers: list[Any] = []

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        answer = super().request(method, url, *args, **kwargs)
        self.asked.append((method, url))
        self.answers.append(answer)
        return answer

    def close(self) -> None:
        assert self.session is not None
        self.session.close()
        if SHARED.exists():
            for (method, url), answer in zip(self.asked, self.answers, strict=True):
                hold(method, url, answer.status_code, answer.text)


@dataclass
class Bench:
    """One emulator and one client of it."""

    emulator: Emulator
    http: Recorder
    client: Any

    @property
    def service(self) -> Any:
        return self.v2.services(self.emulator.service_sid)

    @property
    def v2(self) -> Any:
        return self.client.verify.v2

    def send(self, to: str = TO, channel: str = "sms", **more: Any) -> Any:
        return self.service.verifications.create(to=to, channel=channel, **more)

    def check(self, code: str, to: str = TO) -> Any:
        return self.service.verification_checks.create(to=to, code=code)

    def right(self, to: str = TO) -> str:
        return self.emulator.latest_code(to)

    def wrong(self, to: str = TO) -> str:
        return "111111" if self.right(to) != "111111" else "222222"

    def exhaust(self) -> None:
        """Send, use up every try, and one more."""
        self.send()
        for _ in range(5):
            assert self.check(self.wrong()).status == "pending"
        assert self.refused(self.check, self.wrong()) == (429, 60202)

    def refused(self, call: Callable[..., object], *args: object, **more: object) -> tuple[int, int | None]:
        """HTTP status and code of a refusal; that of a list has no type of its own in the SDK."""
        with pytest.raises(TwilioException):
            call(*args, **more)
        return self.last

    def status_of(self, sid: str) -> int:
        """HTTP status of a fetch."""
        with contextlib.suppress(TwilioRestException):
            self.service.verifications(sid).fetch()
        return self.last[0]

    @property
    def last(self) -> tuple[int, int | None]:
        """HTTP status of the last answer, and the code in its body."""
        return self.http.answers[-1].status_code, self.body.get("code")

    @property
    def body(self) -> dict[str, Any]:
        """The last body, in the order of the wire."""
        found: dict[str, Any] = json.loads(self.http.answers[-1].text or "{}")
        return found


@pytest.fixture
def bench_of() -> Iterator[Callable[..., Bench]]:
    """Start an emulator with these options; everything ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(options: Options | None = None, *, clock: Callable[[], datetime] | None = None) -> Bench:
            emulator = stack.enter_context(serve(options, clock=clock))
            http = Recorder()
            stack.callback(http.close)
            client = Client(emulator.account_sid, emulator.auth_token, http_client=http)
            client.verify.base_url = client.api.base_url = emulator.url
            return Bench(emulator, http, client)

        yield start


@pytest.fixture(scope="session")
def judge() -> Callable[[str, str, int, str], None]:
    """What every test here is held against at its end."""
    return hold


@pytest.fixture
def at_half_a_second() -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: datetime(2026, 11, 2, 12, 30, 0, 512_345, tzinfo=UTC)


@pytest.fixture
def bench(bench_of: Callable[..., Bench]) -> Bench:
    """An emulator with the default options."""
    return bench_of()
