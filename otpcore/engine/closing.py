"""The end of an engine: providers and store are closed, each even when another fails.

Rules of this file: nothing else ends here; what was opened by half is closed where it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from otpcore.ports import AsyncProvider, AsyncStore, Store

__all__ = ["close", "close_awaited"]


def close(store: Store, providers: Mapping[str, Any]) -> None:
    """Close blocking providers, then the store; the last error is raised."""
    with ExitStack() as closing:
        closing.callback(store.close)
        for each in providers.values():
            closing.callback(each.close)


async def close_awaited(store: AsyncStore, providers: Mapping[str, AsyncProvider]) -> None:
    """The same, awaited."""
    async with AsyncExitStack() as closing:
        for each in (store.close, *[one.close for one in providers.values()]):
            closing.push_async_callback(each)
