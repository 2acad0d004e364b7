"""The stores that the crash tests compare: ours, stock TinyDB with the contract on top, that with a cache, and SQLite.

Rules of this file: the two stock ones are the planted defects, written as a newcomer would.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, cast

from tinydb import TinyDB
from tinydb.middlewares import CachingMiddleware
from tinydb.storages import JSONStorage
from tinydb.table import Document, Table

from otpcore.contract import Conflict, Version, Versioned
from otpcore.stores.tinydb import TinyDBStore
from tests.places import Place


class AnyStore(Protocol):
    """What the scenarios use of a store."""

    def load(self, key: str) -> Versioned | None: ...
    def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict: ...
    def close(self) -> None: ...


class OsFile(io.FileIO):
    """A file whose writes go through `os.write`, where this module can count and stop them."""

    def write(self, data: Any, /) -> int:
        return os.write(self.fileno(), data)


class StockStorage(JSONStorage):
    """JSONStorage as it is, on such a file."""

    def __init__(self, path: str) -> None:
        cast("Any", super()).__init__(path)
        self._handle.close()
        self._handle = io.TextIOWrapper(io.BufferedRandom(cast("Any", OsFile(path, "r+"))))


class StringIds(Table):
    document_id_class = str  # type: ignore[assignment]  # TinyDB documents the override, its types say int


class StockStore:
    """The store contract on stock TinyDB, as a newcomer would write it."""

    def __init__(self, path: str, storage: Any = StockStorage) -> None:
        self.between: Callable[[], object] = lambda: None
        self.db = TinyDB(path, storage=storage)
        self.table = StringIds(self.db.storage, "records", cache_size=0)

    def load(self, key: str) -> Versioned | None:
        doc = cast("Any", self.table).get(doc_id=key)
        return None if doc is None else Versioned(doc["data"].encode(), Version(doc["version"]))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        found = self.load(key)
        if (found.version if found else None) != expect:
            return Conflict(found)
        self.between()
        version = os.urandom(8).hex()
        if data is None:
            cast("Any", self.table).remove(doc_ids=[key])
        else:
            doc = Document({"data": data.decode(), "version": version}, cast("Any", key))
            cast("Any", self.table).upsert(doc)
        return Version(version)

    def close(self) -> None:
        self.db.close()


def open_ours(path: str) -> AnyStore:
    return TinyDBStore(path)


def open_caching(path: str) -> AnyStore:
    return StockStore(path, cast("Any", CachingMiddleware)(JSONStorage))


def open_sqlite(path: str) -> AnyStore:
    store: AnyStore = Place("sqlite", f"sqlite:///{path}", "otpcore").open()
    return store


OPENERS: dict[str, Callable[[str], AnyStore]] = {
    "ours": open_ours,
    "stock": StockStore,
    "caching": open_caching,
    "sqlite": open_sqlite,
}
