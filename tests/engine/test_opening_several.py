"""Several providers by settings: their names, their settings, their rules; what is built is closed again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from otpcore import Sent
from otpcore.engine.opening import Instance, open_async_engine, open_engine, prepare
from otpcore.errors import ConfigurationError, PluginError
from otpcore.providers.fake import FakeProvider, FakeSettings
from otpcore.routing import Leg, Routing, Rule
from otpcore.settings import load_settings

NUMBER = "+237671234567"
PAIR: dict[str, Any] = {"providers": "first=fake,second=fake", "store": "memory"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OTPCORE_FIRST_OWNER", "core")
    monkeypatch.setenv("OTPCORE_SECOND_OWNER", "provider")
    monkeypatch.setenv("OTPCORE_DATA_DIR", str(tmp_path))


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    path = tmp_path / "routes.toml"
    path.write_text('[[rules]]\nregions = ["CM"]\nlegs = ["second"]\n')
    return path


def test_each_is_filled_under_its_own_name() -> None:
    parts = prepare(None, None, None, None, None, PAIR)
    assert [(each.name, each.kind.name) for each in parts.providers] == [("first", "fake"), ("second", "fake")]
    owners = [each.settings.owner for each in parts.providers if isinstance(each.settings, FakeSettings)]
    assert [str(owner) for owner in owners] == ["core", "provider"]


def test_without_rules_the_first_one_sends() -> None:
    with open_engine(**PAIR) as engine:
        sent = engine.start(NUMBER)
        assert isinstance(sent, Sent)
        assert sent.session.provider == "first"


def test_the_rules_of_the_file_are_kept(routes: Path) -> None:
    with open_engine(**PAIR, routes=routes) as engine:
        here, elsewhere = engine.start(NUMBER), engine.start("+12025550123")
    assert isinstance(here, Sent)
    assert isinstance(elsewhere, Sent)
    assert (here.session.provider, elsewhere.session.provider) == ("second", "first")


def test_the_awaiting_engine_keeps_them_too(routes: Path) -> None:
    async def one() -> object:
        async with open_async_engine(**PAIR, routes=routes) as engine:
            return await engine.start(NUMBER)

    sent = asyncio.run(one())
    assert isinstance(sent, Sent)
    assert sent.session.provider == "second"


def counted(monkeypatch: pytest.MonkeyPatch) -> list[FakeProvider]:
    """The fakes that are closed."""
    closed: list[FakeProvider] = []

    def close(one: FakeProvider) -> None:
        closed.append(one)

    monkeypatch.setattr(FakeProvider, "close", close)
    return closed


def test_rules_that_cannot_be_kept_close_what_was_built(monkeypatch: pytest.MonkeyPatch, routes: Path) -> None:
    closed = counted(monkeypatch)
    routes.write_text('[[rules]]\nlegs = ["third"]\n')
    with pytest.raises(ConfigurationError, match="rule 1 names provider 'third'; there are first, second"):
        open_engine(**PAIR, routes=routes)
    assert len(closed) == 2


def test_a_provider_that_cannot_be_built_closes_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = counted(monkeypatch)
    build = Instance.build

    def fails(instance: Instance) -> Any:
        if instance.name == "second":
            raise ConfigurationError("no account")
        return build(instance)

    monkeypatch.setattr(Instance, "build", fails)
    with pytest.raises(ConfigurationError, match="no account"):
        open_engine(**PAIR)
    assert len(closed) == 1


def test_settings_of_several_are_given_by_name() -> None:
    given: dict[str, Any] = {"first": {"owner": "provider"}, "second": FakeSettings(seed=1)}
    parts = prepare(None, None, None, given, None, PAIR)
    first, second = (each.settings for each in parts.providers)
    assert isinstance(first, FakeSettings)
    assert str(first.owner) == "provider"
    assert second is given["second"]


@pytest.mark.parametrize("given", [{"owner": "core"}, FakeSettings()])
def test_settings_of_several_that_name_none_are_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="by name: first, second"):
        prepare(None, None, None, given, None, PAIR)


def test_a_type_that_is_not_there_is_named() -> None:
    with pytest.raises(PluginError, match="nobody"):
        open_engine(providers="first=fake,nobody", store="memory")


def test_one_provider_that_a_call_names_wins_over_several_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_PROVIDERS", "first=fake,second=fake")
    assert list(load_settings().instances()) == ["first", "second"]
    assert list(load_settings(provider="console").instances()) == ["console"]
    parts = prepare(load_settings(), None, None, None, None, {"provider": "console"})
    assert [each.name for each in parts.providers] == ["console"]


def test_production_names_each_provider_that_sends_nothing() -> None:
    with pytest.raises(ConfigurationError, match="provider 'first' sends nothing and provider 'second' sends nothing"):
        open_engine(**PAIR, production=True)


def test_the_engine_is_given_the_routing_of_the_settings(routes: Path) -> None:
    parts = prepare(None, None, None, None, None, {**PAIR, "routes": routes})
    assert parts.terms["routing"] == Routing((Rule(legs=(Leg("second"),), regions=frozenset({"CM"})),))
