"""Discovery over really installed distributions: folders with metadata on `sys.path`, as pip leaves them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from otpcore.errors import UnknownPlugin
from otpcore.hookspecs import PROJECT
from otpcore.plugins import PluginInfo, Plugins, PluginState
from tests.distributions import Install, installing

GOOD = """
    from pydantic import BaseModel
    from otpcore.hookspecs import ProviderType, hookimpl

    class Nothing(BaseModel):
        pass

    @hookimpl
    def otpcore_providers():
        return [ProviderType({name!r}, "for a test", Nothing, lambda settings: None)]
"""


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Install a distribution with one module, for one test."""
    with installing(tmp_path) as make:
        yield make


def discovered(*allow: str, block: tuple[str, ...] = ()) -> Plugins:
    registry = Plugins(allow, block)
    registry.discover()
    return registry


def found(registry: Plugins, distribution: str) -> PluginInfo:
    (info,) = [info for info in registry.listing() if info.distribution == distribution]
    return info


def test_an_allowed_plugin_is_active_with_version_and_hooks(install: Install) -> None:
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon", version="2.5")
    registry = discovered("pigeon")
    assert found(registry, "otp-pigeon") == PluginInfo(
        "pigeon", PluginState.ACTIVE, distribution="otp-pigeon", version="2.5", hooks=("otpcore_providers",)
    )
    assert registry.provider("pigeon").name == "pigeon"


def test_installed_is_not_active_and_not_imported(install: Install) -> None:
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon")
    registry = discovered()
    info = found(registry, "otp-pigeon")
    assert info.state is PluginState.INSTALLED
    assert "OTPCORE_PLUGINS" in info.why
    assert "otp_pigeon" not in sys.modules
    with pytest.raises(UnknownPlugin, match=r"plugin pigeon \(otp-pigeon 1\.0\) is not in use\. Nobody allowed it"):
        registry.provider("pigeon")
    with pytest.raises(UnknownPlugin, match=r"there are: console, fake.*Installed and not allowed: .*pigeon") as caught:
        registry.provider("stork")
    assert "Nobody" not in str(caught.value)


def test_the_control_imports_the_module_that_discovery_leaves_alone(install: Install) -> None:
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon")
    discovered("pigeon")
    assert "otp_pigeon" in sys.modules


def test_the_block_list_wins_over_the_allow_list_and_over_the_core(install: Install) -> None:
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon")
    registry = discovered("pigeon", block=("pigeon", "console"))
    assert found(registry, "otp-pigeon").state is PluginState.BLOCKED
    assert "otp_pigeon" not in sys.modules
    assert "console" not in registry.providers
    assert [i.state for i in registry.listing() if i.name == "console"] == [PluginState.BLOCKED]


def test_the_plugins_of_the_core_need_no_permission() -> None:
    registry = discovered()
    core = [info for info in registry.listing() if info.is_core]
    assert {"memory", "console", "fake"} <= {info.name for info in core}
    assert {info.state for info in core} == {PluginState.ACTIVE}


BROKEN = {
    "import": ("import there_is_no_such_module", "there_is_no_such_module"),
    "syntax": ("def otpcore_providers(:", "SyntaxError"),
    "error": ("raise ValueError('+12025550123')", "ValueError at otp_broken.py:1"),
    "exit": ("import sys; sys.exit(3)", "SystemExit at otp_broken.py:1"),
    "coroutine": (
        "from otpcore.hookspecs import hookimpl\n@hookimpl\nasync def otpcore_observe(event): ...",
        "broken (otp-broken 1.0) implements otpcore_observe with async def",
    ),
    "generator": (
        "from otpcore.hookspecs import hookimpl\n@hookimpl\ndef otpcore_providers():\n    yield",
        "implements otpcore_providers as a generator",
    ),
    "misspelt": (
        "from otpcore.hookspecs import hookimpl\n@hookimpl\ndef otpcore_observer(event): ...",
        "did you mean otpcore_observe?",
    ),
    "arguments": (
        "from otpcore.hookspecs import hookimpl\n@hookimpl\ndef otpcore_observe(evnt): ...",
        "'evnt'",
    ),
    "console": (GOOD.format(name="console"), "console (otpcore 0.1.0) and broken (otp-broken 1.0)"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_quarantined_with_its_reason_and_the_others_are_active(install: Install, kind: str) -> None:
    source, reason = BROKEN[kind]
    install("otp-broken", source, entry="broken")
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon")
    registry = discovered("broken", "pigeon")
    info = found(registry, "otp-broken")
    assert info.state is PluginState.QUARANTINED
    assert reason in info.why
    assert "2025550123" not in info.why
    assert {"pigeon", "console"} <= set(registry.providers)


def test_loading_all_entry_points_at_once_would_lose_every_plugin_to_a_broken_one(install: Install) -> None:
    """The planted defect: pluggy's own loader stops at the first import that fails."""
    install("otp-broken", *BROKEN["import"][:1], entry="broken")
    registry = Plugins()
    with pytest.raises(ModuleNotFoundError):
        registry._manager.load_setuptools_entrypoints(PROJECT, "broken")  # pyright: ignore[reportPrivateUsage]  # the defect itself


@pytest.mark.parametrize(
    "text", ["[otpcore]\nbroken\n", "[otpcore]\nbroken = \xff\xfe\n", "[otpcore]\nbroken = 1 2 3\n"]
)
def test_entry_points_that_cannot_be_read_hide_no_other_plugin(install: Install, text: str) -> None:
    install("otp-broken", "", entry="broken", text=text)
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon")
    registry = discovered("broken", "pigeon")
    assert [info.name for info in registry.listing() if info.state is PluginState.QUARANTINED]
    assert {"pigeon", "console"} <= set(registry.providers)


def test_of_two_distributions_that_claim_one_name_neither_is_imported(install: Install) -> None:
    for distribution in ("otp-honest", "otp-other"):
        install(distribution, GOOD.format(name=distribution), entry="pigeon")
    registry = discovered("pigeon")
    for distribution in ("otp-honest", "otp-other"):
        info = found(registry, distribution)
        assert info.state is PluginState.QUARANTINED
        assert "pigeon (otp-honest 1.0), pigeon (otp-other 1.0)" in info.why
        assert distribution.replace("-", "_") not in sys.modules


def test_a_name_of_the_core_cannot_be_taken_over(install: Install) -> None:
    install("otp-other", GOOD.format(name="console"), entry="console")
    registry = discovered("console")
    assert found(registry, "otp-other").why.startswith("The name belongs to the core: console (otpcore ")
    assert "otp_other" not in sys.modules
    assert "console" in registry.providers


def test_of_two_plugins_with_one_provider_the_second_by_name_is_quarantined_naming_both(install: Install) -> None:
    for letter in "ab":
        install(f"otp-{letter}", GOOD.format(name="pigeon"), entry=letter)
    registry = discovered("a", "b")
    assert found(registry, "otp-a").state is PluginState.ACTIVE
    assert "a (otp-a 1.0) and b (otp-b 1.0)" in found(registry, "otp-b").why


def test_a_name_that_is_allowed_and_not_installed_is_listed() -> None:
    (info,) = [info for info in discovered("pigeonn").listing() if info.name == "pigeonn"]
    assert info.state is PluginState.QUARANTINED
    assert "no installed distribution" in info.why


def test_an_application_may_register_what_it_did_not_allow_by_name(install: Install) -> None:
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon")
    registry = discovered()
    registry.register(importlib.import_module("otp_pigeon"), name="pigeon")
    assert "pigeon" in registry.providers


def test_discovering_twice_changes_nothing(install: Install) -> None:
    install("otp-broken", "raise ValueError", entry="broken")
    registry = discovered("broken")
    before = registry.listing()
    registry.discover()
    assert registry.listing() == before


def test_a_plugin_of_the_application_keeps_its_name_from_an_installed_one(install: Install) -> None:
    install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon")
    registry = Plugins(["pigeon"])
    registry.register(SimpleNamespace(), name="pigeon")
    registry.discover()
    assert found(registry, "otp-pigeon").why == "The name is taken by pigeon (registered in this process)."
    assert "otp_pigeon" not in sys.modules


def test_a_distribution_that_is_installed_twice_counts_once(install: Install) -> None:
    for version in ("1.0", "2.0"):
        install("otp-pigeon", GOOD.format(name="pigeon"), entry="pigeon", version=version)
    assert found(discovered("pigeon"), "otp-pigeon").state is PluginState.ACTIVE
