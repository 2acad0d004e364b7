"""Any REST gateway for otpcore, by configuration: a file that describes it, or a preset.

    provider = build(HttpSettings(file="pigeon.toml", secrets={"api_key": "…"}))
    provider = build(KannelSettings(username="otp", password="…"))

Rules of this file: registration and re-exports; importing it loads no HTTP library.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otpcore.hookspecs import CommandGroup, ProviderType, hookimpl
from otpcore_http.gateway import Gateway, read_gateway
from otpcore_http.mapping import Mapped, mapped
from otpcore_http.presets import PRESETS, preset
from otpcore_http.settings import (
    AfricasTalkingSettings,
    AndroidGatewaySettings,
    ElksSettings,
    GatewaySettings,
    HttpSettings,
    KannelSettings,
    build,
    build_async,
)

__all__ = [
    "PRESETS",
    "AfricasTalkingSettings",
    "AndroidGatewaySettings",
    "ElksSettings",
    "Gateway",
    "GatewaySettings",
    "HttpSettings",
    "KannelSettings",
    "Mapped",
    "build",
    "build_async",
    "mapped",
    "preset",
    "read_gateway",
]


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """`http`, and a type for each preset."""
    return (
        ProviderType("http", "any REST gateway, described in a file", HttpSettings, build, build_async),
        ProviderType("africastalking", "Africa's Talking, bulk SMS", AfricasTalkingSettings, build, build_async),
        ProviderType("android-gateway", "SMS Gateway for Android", AndroidGatewaySettings, build, build_async),
        ProviderType("kannel", "Kannel's smsbox", KannelSettings, build, build_async),
        ProviderType("46elks", "46elks", ElksSettings, build, build_async),
    )


@hookimpl
def otpcore_commands() -> Iterable[CommandGroup]:
    """`otpcore http`."""
    return (CommandGroup(("http",), _load_commands, "Check the description of a gateway, show a preset"),)


def _load_commands() -> Any:
    from otpcore_http.command import app  # noqa: PLC0415  # loads the command line

    return app
