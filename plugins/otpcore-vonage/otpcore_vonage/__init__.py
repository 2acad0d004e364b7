"""Vonage Verify v2 for otpcore: `VonageProvider`, blocking; the awaiting engine serves it through its worker threads.

Rules of this file: registration and re-exports; importing it loads neither the SDK nor an HTTP library.
"""

from __future__ import annotations

from collections.abc import Iterable

from otpcore.hookspecs import ProviderType, hookimpl
from otpcore_vonage.settings import VonageSettings
from otpcore_vonage.verify import VonageProvider

__all__ = ["VonageProvider", "VonageSettings"]


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The `vonage` provider type. It has no awaited build: Vonage's SDK has none."""
    return (ProviderType("vonage", "Vonage Verify v2", VonageSettings, VonageProvider),)
