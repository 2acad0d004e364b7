"""The stores that are measured, and for each the bare client that does the same round trips with the same bytes.

A backend is opened for one group and is empty then. Its blocking and its awaiting store see the same records.

Rules of this file: how a store is made, and nothing of what is measured with it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import SecretStr

from otpcore.ports import AsyncStore, Store
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from otpcore_redis.settings import RedisSettings
from otpcore_redis.settings import build as build_redis
from otpcore_redis.settings import build_async as build_async_redis
from otpcore_sql.settings import SQLSettings
from otpcore_sql.settings import build as build_sql
from otpcore_sql.settings import build_async as build_async_sql
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
        url: of the server, as of SQLAlchemy or redis-py; the path of the file; "" for the memory store.
        build: a blocking store.
        build_async: a store for `AsyncEngine`: an awaiting one where there is one.
    """

    name: str
    url: str
    build: Callable[[], Store]
    build_async: Callable[[], Store | AsyncStore]


@contextmanager
def _memory() -> Generator[Backend]:
    yield Backend("memory", "", _roomy, _roomy)


def _roomy() -> MemoryStore:
    """With room for a million records and those of the clients."""
    return MemoryStore(max_records=2_000_000)


@contextmanager
def _tinydb(*, sync: bool) -> Generator[Backend]:
    with folder() as place:
        path = place / "bench.otpdb"
        name = "TinyDB, synced" if sync else "TinyDB, not synced"
        yield Backend(name, str(path), lambda: TinyDBStore(path, sync=sync), lambda: TinyDBStore(path, sync=sync))


@contextmanager
def _redis() -> Generator[Backend]:
    with SERVERS["Redis"]() as url:
        settings = RedisSettings(url=SecretStr(url), connections=CONNECTIONS, timeout_s=10.0)
        yield Backend("Redis", url, lambda: build_redis(settings), lambda: build_async_redis(settings))


@contextmanager
def _server(name: str) -> Generator[Backend]:
    with SERVERS[name]() as url:
        yield _sql(name, url, SQLSettings(url=SecretStr(url), connections=CONNECTIONS, timeout_s=10.0))


@contextmanager
def _sqlite(synchronous: Literal["full", "normal"]) -> Generator[Backend]:
    with folder() as place:
        path = place / "bench.db"
        settings = SQLSettings(url=SecretStr(f"sqlite:///{path}"), synchronous=synchronous)
        yield _sql(f"SQLite, {synchronous}", str(path), settings)


def _sql(name: str, url: str, settings: SQLSettings) -> Backend:
    build_sql(settings).close()  # the tables are made
    return Backend(name, url, lambda: build_sql(settings), lambda: build_async_sql(settings))


BACKENDS: Final[dict[str, Callable[[], AbstractContextManager[Backend]]]] = {
    "memory": _memory,
    "tinydb": lambda: _tinydb(sync=True),
    "tinydb-unsynced": lambda: _tinydb(sync=False),
    "sqlite-full": lambda: _sqlite("full"),
    "sqlite-normal": lambda: _sqlite("normal"),
    "redis": _redis,
    "postgresql": lambda: _server("PostgreSQL"),
    "mariadb": lambda: _server("MariaDB"),
}
"""Opens a backend; raises `Missing` where its server is not here."""
