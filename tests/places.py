"""Every store that ships, as the tests open it: on a place of its own, in either colour, and again elsewhere.

A place is a value: another process is told its text and opens the same records. What a store needs is asked for by
the fixture `place_of`; where a server is missing the test is skipped, or fails where OTPCORE_REQUIRE_SERVICES=1.

Rules of this file: no assertion about a store; every place has a name of its own, also on a shared server.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final, Self

from pydantic import SecretStr

import otpcore_redis.settings
from otpcore.engine.terms import is_awaiting
from otpcore.engine.workers import awaited_store
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from otpcore_redis import RedisSettings
from tests import sql_places

__all__ = ["COLOURS", "DURABLE", "KINDS", "SERVED", "SQL", "STORES", "Place", "memory", "redis", "sql", "tinydb"]

SQL: Final = ("sqlite", "postgresql", "mariadb")
STORES: Final = ("memory", "tinydb", *SQL, "redis")
SERVED: Final = ("postgresql", "mariadb", "redis")
"""Their server may be stopped, killed or cut off."""

DURABLE: Final = STORES[1:]
"""Their records outlive a process, and several processes share them."""

COLOURS: Final = ("threads", "tasks")
KINDS: Final = tuple(f"{store}-{colour}" for store in STORES for colour in COLOURS)

CONNECTIONS: Final = 16
"""Fewer than the callers of a storm."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the records of one test are.

    Attributes:
        store: of `STORES`.
        address: path of its file, or URL of its server.
        own: what tells it from other places on that server.
    """

    store: str
    address: str = ""
    own: str = ""

    @property
    def text(self) -> str:
        """For the command line of another process."""
        return json.dumps(astuple(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that another process has told."""
        return cls(*json.loads(text))

    def open(self) -> Any:
        """A blocking store on these records."""
        match self.store:
            case "memory":
                return MemoryStore()
            case "tinydb":
                return TinyDBStore(self.address)
            case "redis":
                return otpcore_redis.settings.build(self._redis())
            case _:
                return self.sql.store(connections=CONNECTIONS)

    def open_awaited(self) -> Any:
        """A store for the awaiting engine: one that awaits where there is one."""
        match self.store:
            case "memory" | "tinydb":
                return self.open()
            case "redis":
                return otpcore_redis.settings.build_async(self._redis())
            case _:
                return self.sql.async_store(connections=CONNECTIONS)

    def opened(self, colour: str) -> Any:
        """A store for the engine of one of `COLOURS`."""
        return self.open() if colour == "threads" else self.open_awaited()

    def awaited(self) -> Any:
        """A store that awaits: by the workers of the awaiting engine where it blocks."""
        store = self.open_awaited()
        return store if is_awaiting(store, "commit") else awaited_store(store)

    @property
    def sql(self) -> sql_places.Place:
        """The same place, as an administrator of the database sees it."""
        return sql_places.Place(self.store, self.address, self.own)

    def at(self, address: str) -> Place:
        """The same records by another way, such as a proxy."""
        return Place(self.store, address, self.own)

    def _redis(self) -> RedisSettings:
        return RedisSettings(url=SecretStr(self.address), prefix=self.own, connections=CONNECTIONS)


def memory() -> Place:
    """Each opening is a store of its own."""
    return Place("memory")


def tinydb(folder: Path | str) -> Place:
    """A file of the embedded store."""
    return Place("tinydb", str(Path(folder) / "records.otpdb"))


def redis(url: str) -> Place:
    """A head of keys that no other place has."""
    return Place("redis", url, f"test:{secrets.token_hex(6)}:")


def sql(place: sql_places.Place) -> Place:
    """Tables of a name that no other place has."""
    return Place(place.kind, place.url, place.prefix)
