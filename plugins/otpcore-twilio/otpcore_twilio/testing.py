"""The emulator as a pytest fixture: `pytest_plugins = ["otpcore_twilio.testing"]` in a project's own conftest.py.

A test that asks for `twilio_emulator` has a fresh emulator on a free port of this machine, with the official SDK in
front of it. To start it with other options, a project defines a fixture `twilio_emulator_options` of its own. It needs
the extra `otpcore-twilio[emulator]`.

Rule of this file: fixtures; what the emulator can do is in `otpcore_twilio.emulator`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from otpcore_twilio.emulator import Emulator, Options, serve

__all__ = ["TwilioEmulator", "twilio_emulator", "twilio_emulator_options"]

_TIMEOUT_S = 10
"""Of the client, whose own default is to wait for ever."""


@dataclass(frozen=True, slots=True)
class TwilioEmulator(Emulator):
    """A running emulator and a client of it.

    Attributes:
        client: a `twilio.rest.Client` with the emulator's credentials. `client.http_client.timeout` is 10 seconds.
    """

    client: Any


@pytest.fixture
def twilio_emulator_options() -> Options:
    """How the emulator of this test behaves; to be overridden."""
    return Options()


@pytest.fixture
def twilio_emulator(twilio_emulator_options: Options) -> Iterator[TwilioEmulator]:
    """A fresh emulator, which ends with the test."""
    from twilio.http.http_client import (  # type: ignore[import-untyped]  # noqa: PLC0415  # the SDK carries no types and costs 0.2 s
        TwilioHttpClient,
    )
    from twilio.rest import Client  # type: ignore[import-untyped]  # noqa: PLC0415  # as above

    with serve(twilio_emulator_options) as emulator:
        http: Any = TwilioHttpClient(timeout=_TIMEOUT_S)
        http.session.trust_env = False  # no proxy between the test and this machine
        client = Client(emulator.account_sid, emulator.auth_token, http_client=http)
        client.region = client.edge = None  # TWILIO_REGION and TWILIO_EDGE would be written into the address
        client.verify.base_url = client.api.base_url = emulator.url
        try:
            yield TwilioEmulator(emulator.url, emulator.account, client)
        finally:
            http.session.close()
