"""How the plugin presents itself: what it registers, what it loads and when, and that a recorder can listen in."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import pytest
import typer
import vcr  # type: ignore[import-untyped]  # carries no types

import otpcore_twilio
from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.ports import (
    Accepted,
    AsyncCancels,
    AsyncChecks,
    AsyncProvider,
    AsyncTakesFeedback,
    Cancels,
    CheckRequest,
    Checks,
    HasNativeClient,
    Provider,
    ReadsReceipts,
    SendRequest,
    TakesFeedback,
)
from otpcore.providers import transport
from otpcore_twilio import TwilioMessagingSettings, TwilioSettings

SID = "VE" + "a" * 32
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., TwilioSettings]


class Ask(Protocol):
    def __call__(self, settings: TwilioSettings, *requests: SendRequest | CheckRequest | str) -> list[Any]: ...


def test_the_entry_point_names_the_plugin() -> None:
    (found,) = entry_points(group="otpcore", name="twilio")
    assert found.load() is otpcore_twilio


def test_it_registers_verify_in_both_colours(settings_for: MakeSettings) -> None:
    provider, _ = otpcore_twilio.otpcore_providers()
    settings = settings_for("https://verify.twilio.com")
    assert (provider.name, provider.settings) == ("twilio", TwilioSettings)
    assert provider.build_async is not None
    blocking, awaited = provider.build(settings), provider.build_async(settings)
    for protocol in (Provider, Checks, Cancels, HasNativeClient):
        assert isinstance(blocking, protocol)
    for twin in (AsyncProvider, AsyncChecks, AsyncCancels, HasNativeClient):
        assert isinstance(awaited, twin)


def test_it_registers_messages_in_both_colours() -> None:
    _, provider = otpcore_twilio.otpcore_providers()
    assert (provider.name, provider.settings) == ("twilio-messaging", TwilioMessagingSettings)
    assert provider.build_async is not None
    settings = TwilioMessagingSettings.model_validate(
        {"account_sid": "AC" + "0" * 32, "auth_token": "t", "sender": "ACME"}
    )
    blocking, awaited = provider.build(settings), provider.build_async(settings)
    for protocol in (Provider, TakesFeedback, ReadsReceipts, HasNativeClient):
        assert isinstance(blocking, protocol)
    for twin in (AsyncProvider, AsyncTakesFeedback, ReadsReceipts, HasNativeClient):
        assert isinstance(awaited, twin)
    assert not isinstance(blocking, Checks | Cancels)


def test_it_brings_the_emulators_command() -> None:
    (group,) = otpcore_twilio.otpcore_commands()
    assert group.path == ("emulator", "twilio")
    assert isinstance(group.load(), typer.Typer)


def test_importing_and_configuring_it_loads_neither_the_sdk_nor_an_http_library() -> None:
    script = (
        "import sys, otpcore_twilio as t; list(t.otpcore_providers()); list(t.otpcore_commands());"
        "t.TwilioProvider(t.TwilioSettings(account_sid='AC'+'0'*32, auth_token='t', service_sid='VA'+'1'*32));"
        "t.TwilioMessagingProvider(t.TwilioMessagingSettings(account_sid='AC'+'0'*32, auth_token='t', sender='ACME'));"
        "heavy = {'twilio', 'requests', 'urllib3', 'aiohttp', 'starlette', 'uvicorn', 'typer'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


@pytest.mark.parametrize("loaded", [True, False], ids=["sdk-loaded", "sdk-loaded-while-recording"])
def test_a_recorder_sees_every_request_and_can_play_the_answer(
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
    tmp_path: Path,
    loaded: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(_request: WireRequest) -> WireAnswer:
        return WireAnswer.of_json(201, {"sid": SID, "status": "pending"})

    for package, name in (
        (otpcore_twilio, "transport"),
        (otpcore_twilio, "aio_transport"),
        (transport, "requests"),
        (transport, "urllib3"),
    ):
        importlib.import_module(f"{package.__name__}.{name}")
        if not loaded:  # both places, so that both are as before when the test is over
            monkeypatch.delitem(sys.modules, f"{package.__name__}.{name}")
            monkeypatch.delattr(package, name)
    recorder: Any = vcr.VCR(filter_headers=["authorization"], match_on=["method", "uri", "raw_body"])
    path = str(tmp_path / "send.yaml")
    with MisbehavingServer(answer) as server:
        settings = settings_for(server.origin)
        with recorder.use_cassette(path) as cassette:
            assert ask(settings, a_send()) == [Accepted(SID)]
            assert len(cassette) == 1
    with recorder.use_cassette(path, record_mode="none") as cassette:
        assert ask(settings, a_send()) == [Accepted(SID)]
        assert cassette.all_played
