"""What the tests of the SMTP provider share: a certificate, settings and both colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.ports import MessageText, SendRequest
from otpcore_smtp import AsyncSmtpProvider, SmtpProvider, SmtpSettings
from tests.mail_servers import Certificate

TO, CODE = "Jo.Doe+otp@example.org", "918273"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["blocking", "awaited"])
def colour(request: pytest.FixtureRequest) -> Colour:
    return "blocking" if request.param == "blocking" else "awaited"


@pytest.fixture
def driven(colour: Colour) -> Iterator[Callable[..., Driven]]:
    """Makes a provider of the colour for a server on a port."""
    with ExitStack() as stack:

        def make(port: int, **given: Any) -> Driven:
            terms: dict[str, Any] = {"host": "127.0.0.1", "port": port, "sender": "codes@shop.example", **given}
            settings = SmtpSettings.model_validate({"security": "none", **terms})
            provider = SmtpProvider(settings) if colour == "blocking" else AsyncSmtpProvider(settings)
            return stack.enter_context(Driven(provider, colour, 20.0, lambda: None))

        yield make


@pytest.fixture
def ask() -> Callable[..., SendRequest]:
    """Makes a request."""

    def make(text: str | None = None, subject: str | None = None, **given: Any) -> SendRequest:
        message = MessageText(text, 1, "login", "en", subject) if text is not None else None
        terms: dict[str, Any] = {
            "send_id": "AbC-123_x",
            "recipient": TO,
            "channel": "email",
            "purpose": "login",
            "code": CODE,
            "handle": None,
            "expires_at": datetime.now(UTC) + timedelta(seconds=300),
            "timeout_s": 8.0,
            "message": message,
            **given,
        }
        return SendRequest(**terms)

    return make
