"""One suite, both colours: an engine that a test drives without knowing which it is.

Rules of this file: the awaiting engine runs on one event loop per object; nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otpcore.engine.aio import AsyncEngine
from otpcore.engine.sync import Engine
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.stores.memory import MemoryStore

PEPPER = bytes(range(32))
NUMBER = "+12025550123"


class DiskLike(MemoryStore):
    """A memory store that says that it may wait: the awaiting engine then uses its workers."""

    @property
    def capabilities(self) -> Any:
        from dataclasses import replace

        return replace(super().capabilities, blocking_io=True)


class AwaitingStore:
    """A memory store that awaits."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities

    async def load(self, key: str) -> Any:
        await asyncio.sleep(0)
        return self.inner.load(key)

    async def commit(self, key: str, data: bytes | None, **given: Any) -> Any:
        await asyncio.sleep(0)
        return self.inner.commit(key, data, **given)

    async def sweep(self, before: Any, *, limit: int) -> int:
        return self.inner.sweep(before, limit=limit)

    async def close(self) -> None:
        self.inner.close()


@dataclass
class Driven:
    """An engine of either colour; `call` gives the result of an operation, awaited where need be."""

    engine: Any
    vendor: Any
    store: MemoryStore
    run: Callable[[Any], Any]

    def call(self, operation: str, *given: Any, **named: Any) -> Any:
        return self.run(getattr(self.engine, operation)(*given, **named))


def plain(answer: Any) -> Any:
    return answer


def awaited(answer: Any) -> Any:
    return asyncio.run(answer)


COLOURS = ["blocking", "awaiting", "awaiting a blocking provider", "awaiting over workers"]


def driven(colour: str, exchange: Exchange, **given: Any) -> Driven:
    """An engine of this colour over one store and one vendor.

    Args:
        colour: one of `COLOURS`.
        exchange: the vendor.
        **given: of the engine's.
    """
    given = {"pepper": PEPPER, **given}
    store = given.pop("store", MemoryStore())
    vendor = given.pop("vendor", None)
    if colour == "blocking":
        vendor = vendor or FakeProvider(exchange=exchange)
        return Driven(Engine(store, vendor, **given), vendor, store, plain)
    vendor = vendor or (
        AsyncFakeProvider(exchange=exchange) if colour == "awaiting" else FakeProvider(exchange=exchange)
    )
    kept: Any = AwaitingStore(store) if colour == "awaiting" else store
    return Driven(AsyncEngine(kept, vendor, **given), vendor, store, awaited)
