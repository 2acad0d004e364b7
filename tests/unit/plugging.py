"""What the tests of the registry share: plugins of this process, and registries of them.

Rules of this file: nothing is mocked; a plugin is an object with marked functions, as a module would have them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from otpcore.errors import RefusedPlugin
from otpcore.hookspecs import (
    Event,
    Guard,
    ProviderType,
    SendIntent,
    StoreType,
    Verdict,
    hookimpl,
)
from otpcore.plugins import Plugins
from otpcore.ports import Provider, Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
INTENT = SendIntent("t", "login", "sms", "k", "CM", "mobile", None)
EVENT = Event("send.accepted", NOW, "t", "login", "k")
SECRET = "+12025550123 code 482915"
ALLOW, DENY = Verdict(Guard.ALLOW, "fine"), Verdict(Guard.DENY, "no")


class NoSettings(BaseModel):
    pass


def build_provider(_: object) -> Provider:
    raise AssertionError("a registry builds nothing")


def build_store(_: object) -> Store:
    raise AssertionError("a registry builds nothing")


def provider_type(name: str) -> ProviderType:
    return ProviderType(name, "for a test", NoSettings, build_provider)


def store_type(name: str) -> StoreType:
    return StoreType(name, "for a test", NoSettings, build_store)


def plugin(**implementations: Callable[..., object]) -> object:
    """An object with these hook implementations, as a module would have them."""
    return SimpleNamespace(**{name: hookimpl(function) for name, function in implementations.items()})


def silent_guard(intent: SendIntent) -> None: ...


def silent_observer(event: Event) -> None: ...


def wrong_argument(request: SendIntent) -> None: ...


def guard_into(asked: list[SendIntent]) -> object:
    def judge(intent: SendIntent) -> None:
        asked.append(intent)

    return plugin(otpcore_guard_send=judge)


def observer_into(told: list[Event]) -> object:
    def observe(event: Event) -> None:
        told.append(event)

    return plugin(otpcore_observe=observe)


def registered(*plugins: object) -> Plugins:
    """A registry of these plugins, named p0, p1, … in the order of registration."""
    registry = Plugins()
    for number, each in enumerate(plugins):
        registry.register(each, name=f"p{number}")
    return registry


def guard(verdict: object) -> object:
    def judge(intent: SendIntent) -> object:
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    return plugin(otpcore_guard_send=judge)


def refusal(implementations: object, registry: Plugins | None = None, name: str = "late") -> str:
    with pytest.raises(RefusedPlugin) as refused:
        (registry or Plugins()).register(implementations, name=name)
    return str(refused.value)
