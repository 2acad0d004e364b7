"""H9: what is made for demonstrations does not start in production, whichever door is used; outside it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import product

import pytest

from otpcore.cli.exits import Exit
from otpcore.engine.opening import open_async_engine, open_engine
from otpcore.errors import ConfigurationError
from otpcore.settings import load_settings
from tests.cli.running import NUMBER, PEPPER, Cli

ACCOUNT = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_SERVICE_SID": "VA" + "0" * 32, "TWILIO_AUTH_TOKEN": "x"}
TWILIO = {"OTPCORE_PLUGINS": "twilio", "OTPCORE_PROVIDER": "twilio", **ACCOUNT}
PROVIDERS = {
    "nobody chose one": {},
    "console": {"OTPCORE_PROVIDER": "console"},
    "fake": {"OTPCORE_PROVIDER": "fake"},
    "emulated": {**TWILIO, "OTPCORE_TWILIO_ORIGIN": "http://127.0.0.1:1"},
    "real": TWILIO,
}
SENDS_NOTHING = {"nobody chose one", "console", "fake", "emulated"}
STANDS_IN = {"fake", "emulated"}
"""What may have the profile for demonstrations: it answers as a vendor does, and nobody is sent anything."""

ON, OFF = ("1", "true", "yes", "on", "TRUE"), (None, "", "0", "false", "no", "off")


def by_engine(_otpcore: Cli) -> str:
    try:
        open_engine().close()
    except ConfigurationError as error:
        return str(error)
    return ""


def by_async_engine(_otpcore: Cli) -> str:
    async def opened() -> None:
        await open_async_engine().close()

    try:
        asyncio.run(opened())
    except ConfigurationError as error:
        return str(error)
    return ""


def by_command(otpcore: Cli) -> str:
    ran = otpcore("status", "--recipient", NUMBER)
    assert ran.code in (Exit.CONFIGURATION, Exit.OVER)
    return ran.err if ran.code is Exit.CONFIGURATION else ""


def by_doctor(otpcore: Cli) -> str:
    ran = otpcore("doctor", "--json")
    assert ran.code in (Exit.NO, Exit.OK)
    bad = [each["text"] for each in ran.json["findings"] if each["level"] == "bad"]
    assert bool(bad) is (ran.code is Exit.NO)
    return " ".join(bad)


DOORS: dict[str, Callable[[Cli], str]] = {
    "open_engine": by_engine,
    "open_async_engine": by_async_engine,
    "a command": by_command,
    "doctor": by_doctor,
}
"""Each says why it refused, or nothing when it did not."""


def choose(monkeypatch: pytest.MonkeyPatch, provider: str, profile: str, production: str | None) -> None:
    chosen = {"OTPCORE_PEPPER": PEPPER, "OTPCORE_PROFILE": profile, **PROVIDERS[provider]}
    if production is not None:
        chosen["OTPCORE_PRODUCTION"] = production
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("store_is_there", [True, False])
@pytest.mark.parametrize(("provider", "profile"), list(product(PROVIDERS, ["default", "demo"])))
@pytest.mark.parametrize("production", ["1", None])
def test_each_door_refuses_the_same(
    production: str | None,
    provider: str,
    profile: str,
    door: str,
    otpcore: Cli,
    monkeypatch: pytest.MonkeyPatch,
    *,
    store_is_there: bool,
) -> None:
    monkeypatch.setenv("OTPCORE_PEPPER", PEPPER)
    if store_is_there:
        assert otpcore("start", NUMBER).code is Exit.OK
    choose(monkeypatch, provider, profile, production)
    refused = DOORS[door](otpcore)
    in_production = production is not None and (provider in SENDS_NOTHING or profile == "demo")
    unsuited = profile == "demo" and provider not in STANDS_IN
    assert bool(refused) is (in_production or unsuited), refused
    assert ("OTPCORE_PRODUCTION is set" in refused) is in_production
    if in_production:
        assert ("sends nothing" in refused) is (provider in SENDS_NOTHING)
        assert ("is for demonstrations" in refused) is (profile == "demo")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("production", [*ON, *OFF])
def test_each_way_to_say_yes_is_yes_and_each_way_to_say_no_is_no(
    production: str | None, door: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, "fake", "default", production)
    assert bool(DOORS[door](otpcore)) is (production in ON)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("production", ["maybe", "2", "production", "y e s"])
def test_what_is_neither_yes_nor_no_is_refused(
    production: str, door: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt yes is no no."""
    choose(monkeypatch, "real", "default", production)
    assert "OTPCORE_PRODUCTION" in DOORS[door](otpcore)


def test_what_is_refused_leaves_nothing_behind(
    otpcore: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither a store nor a pepper is made for an engine that may not be."""
    place = tmp_path_factory.mktemp("place")
    choose(monkeypatch, "console", "default", "1")
    monkeypatch.delenv("OTPCORE_PEPPER")
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(place / "codes.otpdb"))
    for door in DOORS.values():
        assert door(otpcore)
    assert list(place.iterdir()) == []


def test_no_plugin_is_in_use_and_nothing_is_for_production_unless_somebody_says_so() -> None:
    """The default lists are empty: whoever sets nothing gets the console, and learns it there."""
    settings = load_settings()
    assert (settings.plugins, settings.production, settings.provider) == ((), False, "console")
