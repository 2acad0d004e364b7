"""A blocking provider awaited as the core awaits it: by its worker threads.

Rules of this file: the core's own adapter, and only the methods that the provider has.
"""

from __future__ import annotations

from otpcore.engine.workers import AwaitedProvider
from otpcore.ports import AsyncProvider, Provider

__all__ = ["through_workers"]

THREADS = 8

OPTIONAL = ("check", "cancel", "reconcile_check", "report_outcome", "parse_receipt")


def through_workers(provider: Provider) -> AsyncProvider:
    """The provider behind the core's workers.

    The core asks a provider itself what it can do. Here the adapter is the provider, so it must not have more.
    """
    lacking = [name for name in OPTIONAL if not callable(getattr(provider, name, None))]
    kind: type[AwaitedProvider] = type("AwaitedProvider", (AwaitedProvider,), dict.fromkeys(lacking))
    return kind(provider, THREADS)
