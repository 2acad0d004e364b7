"""The stores that are measured, and for each the bare client that does the same round trips with the same bytes.

A backend is opened for one group and is empty then. Its blocking and its awaiting store see the same records.

Rules of this file: how a store is made, and nothing of what is measured with it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from otpcore.ports import AsyncStore, Store
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from otpcore_redis.settings import RedisSettings
from otpcore_redis.settings import build as build_redis
from otpcore_redis.settings import build_async as build_async_redis
from tests.benchmarks.cycle import folder
from tests.benchmarks.servers import SERVERS

__all__ = ["BACKENDS", "Backend"]

CONNECTIONS: Final = 8
"""Of each store on a server: as `otpcore` makes it."""


@dataclass(frozen=True)
class Backend:
    """A store that is open for measuring.

    Attributes:
        name: as the page says it.
        url: of the server or the file, as of SQLAlchemy or redis-py; "" for the memory store.
        build: a blocking store.
        build_async: a store for `AsyncEngine`: an awaiting one where there is one.
    """

    name: str
    url: str
    build: Callable[[], Store]
    build_async: Callable[[], Store | AsyncStore]


@contextmanager
def _memory() -> Generator[Backend]:
    yield Backend("memory", "", MemoryStore, MemoryStore)


@contextmanager
def _tinydb(*, sync: bool) -> Generator[Backend]:
    with folder() as place:
        path = place / "bench.otpdb"
        name = "TinyDB, synced" if sync else "TinyDB, not synced"
        yield Backend(name, str(path), lambda: TinyDBStore(path, sync=sync), lambda: TinyDBStore(path, sync=sync))


@contextmanager
def _redis() -> Generator[Backend]:
    with SERVERS["Redis"]() as url:
        settings = RedisSettings(url=SecretStr(url), connections=CONNECTIONS)
        yield Backend("Redis", url, lambda: build_redis(settings), lambda: build_async_redis(settings))


BACKENDS: Final[dict[str, Callable[[], AbstractContextManager[Backend]]]] = {
    "memory": _memory,
    "tinydb": lambda: _tinydb(sync=True),
    "tinydb-unsynced": lambda: _tinydb(sync=False),
    "redis": _redis,
}
"""Opens a backend; raises `Missing` where its server is not here."""
