"""From settings to an engine."""

from __future__ import annotations

import asyncio
import inspect
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import otpcore
from otpcore.contract import Durability, StoreCapabilities
from otpcore.engine import Engine
from otpcore.engine.bounding import CONCURRENCY
from otpcore.engine.opening import open_async_engine, open_engine
from otpcore.errors import ConfigurationError, PepperError, UnknownPlugin
from otpcore.hookspecs import ProviderType, StoreType, hookimpl
from otpcore.plugins import Plugins
from otpcore.providers.fake import FakeProvider
from otpcore.results import Approved, Refusal, Refused, Sent, Wait
from otpcore.settings import load_settings
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBSettings, TinyDBStore

NUMBER = "+12025550123"
PEPPER = "QfTZ0pX9v3yK1mWc7dRb5nLs8hGj2aEu4tIo6wVxYzA"
OTHER_PEPPER = "Zx9cVb7nMa1sDf3gHj5kLq2wEr4tYu6iOp8zXc0vBnM"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OTPCORE_", "TWILIO_")):
            monkeypatch.delenv(name)


class Given(BaseModel):
    """No settings."""


class Listening(MemoryStore):
    """Says how often it was closed, claims what the test needs, and keeps its records when it is closed."""

    def __init__(self, *, shared: bool) -> None:
        super().__init__()
        self.closed = 0
        self.claims = StoreCapabilities(Durability.DISK, multi_process=True, shared=shared)

    @property
    def capabilities(self) -> StoreCapabilities:
        return self.claims

    def close(self) -> None:
        self.closed += 1


class Bench:
    """A plugin with two store types and a provider type, each of one instance; `opened` says which were built."""

    def __init__(self) -> None:
        self.stores = {"listening": Listening(shared=False), "shared": Listening(shared=True)}
        self.provider = FakeProvider()
        self.opened: list[str] = []
        self.plugins = Plugins()
        self.plugins.discover()
        self.plugins.register(self, name="bench")

    def build(self, name: str) -> Listening:
        self.opened.append(name)
        return self.stores[name]

    @hookimpl
    def otpcore_stores(self) -> list[StoreType]:
        return [
            StoreType("listening", "for tests", Given, lambda _: self.build("listening")),
            StoreType("shared", "for tests", Given, lambda _: self.build("shared")),
        ]

    @hookimpl
    def otpcore_providers(self) -> list[ProviderType]:
        return [ProviderType("pigeon", "for tests", Given, lambda _: self.provider)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def wait_of(engine: Engine) -> timedelta:
    """The first wait of the engine's ladder."""
    sent = engine.start(NUMBER)
    assert isinstance(sent, Sent)
    assert sent.next.resend_at is not None
    return sent.next.resend_at - datetime.now(UTC)


def test_the_default_is_one_file_and_a_pepper_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "otp" / "codes.otpdb"
    with open_engine(provider="fake", store_settings={"path": path}) as engine:
        assert isinstance(engine.start(NUMBER), Sent)
    pepper = path.parent / "pepper"
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600
    with open_engine(provider="fake", store_settings={"path": path}) as engine:  # the same pepper, the same budget
        assert isinstance(engine.start(NUMBER), Wait)


def test_a_pepper_that_is_gone_is_missed_before_limits_start_again(tmp_path: Path) -> None:
    path = tmp_path / "codes.otpdb"

    def begin() -> object:
        with open_engine(provider="fake", store_settings={"path": path}) as engine:
            return engine.start(NUMBER)

    assert isinstance(begin(), Sent)
    pepper = tmp_path / "pepper"
    kept = pepper.rename(tmp_path / "backup")
    with pytest.raises(PepperError, match="put it back"):
        begin()
    assert not pepper.exists()
    kept.rename(pepper)
    assert isinstance(begin(), Wait)


def test_a_pepper_is_made_where_no_record_needs_one(tmp_path: Path) -> None:
    path = tmp_path / "codes.otpdb"
    with closing(TinyDBStore(path)) as store:
        store.commit("otp/default/c/imported", b"{}", expect=None, gc_at=datetime.now(UTC) + timedelta(days=1))
    with open_engine(provider="fake", store_settings={"path": path}) as engine:
        assert isinstance(engine.start(NUMBER), Sent)


def test_a_whole_session_works(bench: Bench) -> None:
    with open_engine(plugins=bench.plugins, provider="pigeon", store="memory") as engine:
        sent = engine.start(NUMBER)
        assert isinstance(sent, Sent)
        assert sent.session.provider == "pigeon"
        assert isinstance(engine.check(sent.session.token or "", bench.provider.code_for(NUMBER)), Approved)


def test_the_environment_is_read_and_arguments_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_PROVIDER", "fake")
    monkeypatch.setenv("OTPCORE_PROFILE", "signal")
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(tmp_path / "environment.otpdb"))
    with open_engine(profile="twilio") as engine:
        assert timedelta(seconds=25) < wait_of(engine) <= timedelta(seconds=30)
    assert (tmp_path / "environment.otpdb").exists()


def test_an_env_file_fills_engine_and_plugins(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text(
        f"OTPCORE_PROVIDER=fake\nOTPCORE_TINYDB_PATH={tmp_path / 'file.otpdb'}\nOTPCORE_PURPOSES=login,payment\n"
    )
    with open_engine(env_file=file) as engine:
        assert isinstance(engine.start(NUMBER, purpose="payment"), Sent)
    assert (tmp_path / "file.otpdb").exists()


def test_settings_that_were_read_are_taken_and_can_be_overridden() -> None:
    settings = load_settings(provider="fake", store="memory", profile="demo", deny_regions=("US",))
    with open_engine(settings) as engine:
        refused = engine.start(NUMBER)
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.DESTINATION_DENIED
    with open_engine(settings, deny_regions=()) as engine:
        assert wait_of(engine) <= timedelta(seconds=3)  # the profile is still that of the settings


def test_a_whole_model_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(tmp_path / "not this one"))
    model = TinyDBSettings(path=tmp_path / "this.otpdb", sync=False)
    with open_engine(provider="fake", store_settings=model):
        pass
    assert {each.name for each in tmp_path.iterdir()} >= {"this.otpdb", "pepper"}
    assert not (tmp_path / "not this one").exists()


def test_closing_the_engine_closes_its_store(bench: Bench) -> None:
    with open_engine(plugins=bench.plugins, provider="pigeon", store="listening", pepper=PEPPER):
        assert bench.stores["listening"].closed == 0
    assert bench.stores["listening"].closed == 1


@pytest.mark.parametrize("opening", [open_engine, open_async_engine])
def test_a_store_for_several_machines_needs_a_configured_pepper(opening: Callable[..., Any], bench: Bench) -> None:
    with pytest.raises(PepperError, match="OTPCORE_PEPPER"):
        opening(plugins=bench.plugins, provider="fake", store="shared")
    assert bench.stores["shared"].closed == 1  # what was opened is closed again
    with open_engine(plugins=bench.plugins, provider="fake", store="shared", pepper=PEPPER) as engine:
        assert isinstance(engine.start(NUMBER), Sent)


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        pytest.param((PEPPER,), Wait, id="kept among the previous ones"),
        pytest.param((), Sent, id="lost: a second budget"),
    ],
)
def test_a_pepper_that_is_rotated_out_still_finds_its_records(
    previous: tuple[str, ...], expected: type, bench: Bench
) -> None:
    with open_engine(plugins=bench.plugins, provider="fake", store="listening", pepper=PEPPER) as before:
        assert isinstance(before.start(NUMBER), Sent)
    with open_engine(
        plugins=bench.plugins, provider="fake", store="listening", pepper=OTHER_PEPPER, previous_peppers=previous
    ) as rotated:
        assert isinstance(rotated.start(NUMBER), expected)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"provider": "console"}, "'console' sends nothing"),
        ({"provider": "fake"}, "'fake' sends nothing"),
        ({"provider": "fake", "profile": "demo"}, "'demo' is for demonstrations"),
    ],
)
@pytest.mark.parametrize("opening", [open_engine, open_async_engine])
def test_production_refuses_what_is_made_for_demonstrations(
    opening: Callable[..., Any], given: dict[str, Any], named: str, bench: Bench
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        opening(plugins=bench.plugins, store="listening", pepper=PEPPER, production=True, **given)
    assert bench.opened == []  # refused before the store was opened


def test_a_lifetime_of_601_seconds_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="OTPCORE_CODE_LIFETIME_S"):
        open_engine(provider="fake", store="memory", code_lifetime_s=601)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(UnknownPlugin, match=r"console.*fake"):
        open_engine(provider="dove", store="memory")
    with pytest.raises(UnknownPlugin, match=r"memory.*tinydb"):
        open_engine(store="dove")


def test_an_installed_plugin_is_used_only_when_it_is_named() -> None:
    with pytest.raises(UnknownPlugin, match="OTPCORE_PLUGINS"):
        open_engine(provider="twilio", store="memory")
    account = {"account_sid": "AC" + "0" * 32, "service_sid": "VA" + "0" * 32, "auth_token": "0" * 32}
    with pytest.raises(ConfigurationError, match="for demonstrations"):  # it is there: the profile does not suit it
        open_engine(plugins=["twilio"], provider="twilio", store="memory", provider_settings=account, profile="demo")
    with open_engine(plugins=["twilio"], provider="twilio", store="memory", provider_settings=account):
        pass


def test_the_awaiting_twin_works(tmp_path: Path, bench: Bench) -> None:
    async def story() -> None:
        given = {"path": tmp_path / "async.otpdb"}
        async with open_async_engine(plugins=bench.plugins, provider="pigeon", store_settings=given) as engine:
            sent = await engine.start(NUMBER)
            assert isinstance(sent, Sent)
            assert isinstance(await engine.check(sent.session.token or "", bench.provider.code_for(NUMBER)), Approved)

    asyncio.run(story())


@pytest.mark.parametrize(("given", "bound"), [(None, CONCURRENCY), ("3", 3)])
def test_the_bound_of_calls_comes_from_settings(monkeypatch: pytest.MonkeyPatch, given: str | None, bound: int) -> None:
    if given is not None:
        monkeypatch.setenv("OTPCORE_PROVIDER_CONCURRENCY", given)
    told: list[int] = []

    class Telling(Engine):
        def __init__(self, *things: Any, provider_concurrency: int, **named: Any) -> None:
            told.append(provider_concurrency)
            super().__init__(*things, provider_concurrency=provider_concurrency, **named)

    monkeypatch.setattr("otpcore.engine.opening.Engine", Telling)
    with open_engine(store="memory", provider="fake"):
        assert told == [bound]


def test_both_twins_take_the_same_arguments() -> None:
    one, other = inspect.signature(open_engine), inspect.signature(open_async_engine)
    assert list(one.parameters.values()) == list(other.parameters.values())


def test_importing_the_package_does_not_pay_for_settings_or_asyncio() -> None:
    assert otpcore.open_engine is open_engine
    assert otpcore.open_async_engine is open_async_engine
    program = (
        "import sys, otpcore; bad = {'pydantic_settings', 'asyncio', 'typer', 'otpcore.settings'} & set(sys.modules);"
        "assert not bad, bad; otpcore.open_engine"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
