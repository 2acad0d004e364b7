"""TinyDB's own classes over the log: `LogDB`, its tables and its storage.

What TinyDB offers works as its documentation says, with these differences: document ids are strings; an
update holds the lock from reading to writing and appends the touched documents alone, so that no update
of another thread or process is lost; query results are not cached, because another process may write;
a table without documents does not exist.

Rules of this file: documents, decoded when they are looked at. Versions, instants and durability are the
log's; the store contract is in `otpcore.stores.tinydb`.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final, NoReturn, cast

import tinydb
from tinydb.storages import Storage
from tinydb.table import Table

from otpcore.errors import ConfigurationError
from otpcore.stores import frames
from otpcore.stores.frames import Record
from otpcore.stores.log import RecordLog
from otpcore.stores.segment import Entry, Segment

__all__ = ["LogDB", "LogStorage", "LogTable", "decode", "new_version"]

Doc = dict[str, Any]
WHOLE_FILE: Final = (
    "this file is written document by document: open it with LogDB(path); a CachingMiddleware or a stock table would"
    " write all of it from memory"
)


def decode(value: bytes) -> Doc:
    """The document that a value stands for; bytes that are no JSON object show as `{"base64": …}`."""
    doc: object = json.loads(value)
    return cast("Doc", doc) if isinstance(doc, dict) else {"base64": doc}


def new_version() -> str:
    """A token that never comes again: 96 random bits, so no counter can be set back by a restore or a fork."""
    return os.urandom(12).hex()


class Docs(MutableMapping[str, Any]):
    """The documents of one table as they stood when this was made; changes stay here until they are asked for.

    Keys may be given as integers, as stock code does.
    """

    def __init__(self, log: RecordLog, segment: Segment, entries: Mapping[str, Entry]) -> None:
        self._log = log
        self._segment = segment
        self._entries = entries
        self._docs: dict[str, Doc | None] = {}

    def __getitem__(self, key: str) -> Doc:
        key = str(key)
        if key not in self._docs:
            self._docs[key] = decode(self._log.value(self._segment, self._entries[key]))
        doc = self._docs[key]
        if doc is None:
            raise KeyError(key)
        return doc

    def __setitem__(self, key: str, doc: Doc) -> None:
        self._docs[str(key)] = doc

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._docs[str(key)] = None

    def clear(self) -> None:
        """Delete all, none of them looked at: the inherited way takes time that grows with their square."""
        self._docs = dict.fromkeys((*self._docs, *self._entries))

    def __contains__(self, key: object) -> bool:
        key = str(key)
        return self._docs[key] is not None if key in self._docs else key in self._entries

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self._entries if self._docs.get(key, True) is not None)
        yield from (key for key, doc in self._docs.items() if doc is not None and key not in self._entries)

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._docs else len(self._entries)

    def changes(self, table: str) -> list[Record]:
        """What has to be written: documents that are new, gone or not equal to what the file holds."""
        return [record for key, doc in self._docs.items() if (record := self._change(table, key, doc)) is not None]

    def _change(self, table: str, key: str, doc: Doc | None) -> Record | None:
        entry = self._entries.get(key)
        gc_us = frames.NEVER if entry is None else entry.gc_us
        if doc is None:
            return None if entry is None else Record(table, key, new_version(), gc_us, frames.DELETED)
        if entry is not None and decode(self._log.value(self._segment, entry)) == doc:
            return None
        value = json.dumps(doc, separators=(",", ":"), allow_nan=False).encode()
        return Record(table, key, new_version(), gc_us, value)


class Tables(Mapping[str, Docs]):
    """All tables, each as it stands when it is looked at."""

    def __init__(self, log: RecordLog) -> None:
        self._log = log

    def __getitem__(self, name: str) -> Docs:
        with self._log.reading() as segment:
            return Docs(self._log, segment, dict(segment.index.tables[name]))

    def __iter__(self) -> Iterator[str]:
        with self._log.reading() as segment:
            names = list(segment.index.tables)
        return iter(names)

    def __len__(self) -> int:
        with self._log.reading() as segment:
            return len(segment.index.tables)

    def __setitem__(self, name: str, docs: object) -> NoReturn:
        raise ConfigurationError(WHOLE_FILE)


class LogStorage(Storage):
    """TinyDB's storage interface over a log. Only `LogTable` writes, through `log`.

    Raises:
        ConfigurationError: it was not made by `LogDB` (a middleware or a stock `TinyDB` gives a path).
    """

    def __init__(self, log: RecordLog) -> None:
        super().__init__()
        if not isinstance(cast("object", log), RecordLog):  # a middleware passes on what TinyDB was given
            raise ConfigurationError(
                "LogStorage works with its own tables only; open the file with LogDB(path), without a middleware"
            )
        self.log = log

    def read(self) -> dict[str, dict[str, Any]] | None:
        """A lazy view of all tables."""
        return cast("dict[str, dict[str, Any]]", Tables(self.log))  # a mapping that decodes when looked at

    def write(self, data: dict[str, dict[str, Any]]) -> NoReturn:  # noqa: ARG002 - TinyDB's signature
        """Refused: a whole database from memory would undo what others wrote since it was read."""
        raise ConfigurationError(WHOLE_FILE)

    def close(self) -> None:
        """Release the file."""
        self.log.close()


class LogTable(Table):
    """A TinyDB table whose document ids are strings and whose updates are atomic among processes."""

    document_id_class = str  # type: ignore[assignment]  # TinyDB documents the override, its types say int
    default_query_cache_capacity = 0

    def __init__(self, storage: Storage, name: str, cache_size: int = 0, persist_empty: bool = False) -> None:
        if cache_size:
            raise ConfigurationError("a query cache would hide what other processes wrote; leave cache_size out")
        super().__init__(storage, name, cache_size=0, persist_empty=persist_empty)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """As TinyDB's; by `doc_id` it reads one line of the file."""
        if set(kwargs) != {"doc_id"} or args:
            return cast("Any", super()).get(*args, **kwargs)
        found = self._log.find(self.name, str(kwargs["doc_id"]))
        return None if found is None else self.document_class(decode(found[1]), kwargs["doc_id"])

    @property
    def _log(self) -> RecordLog:
        return cast("LogStorage", self._storage).log

    def _get_next_id(self) -> Any:
        return uuid.uuid4().hex  # counting would give two processes the same one

    def _update_table(self, updater: Callable[[Any], None]) -> None:
        with self._log.exclusive() as segment:
            docs = Docs(self._log, segment, segment.index.tables.get(self.name, {}).copy())
            updater(docs)
            if changes := docs.changes(self.name):
                self._log.append(changes)


class LogDB(tinydb.TinyDB):
    """`tinydb.TinyDB` on an otpcore store file.

    Args:
        path: of the file; made when missing.
        sync: an update is on the disk when it returns.

    Raises:
        ConfigurationError, StoreUnavailable, StoreFormatError: the file cannot be used; see `TinyDBStore`.
    """

    table_class = LogTable

    def __init__(self, path: str | os.PathLike[str] | RecordLog, *, sync: bool = True, **options: Any) -> None:
        if options:
            raise ConfigurationError(f"LogDB takes no {', '.join(options)}: it has a storage of its own")
        log = path if isinstance(path, RecordLog) else RecordLog(path, sync=sync)
        cast("Any", super()).__init__(log, storage=LogStorage)

    def drop_table(self, name: str) -> None:
        """Remove a table with its documents."""
        cast("LogTable", cast("Any", self).table(name)).truncate()
        self._tables.pop(name, None)

    def drop_tables(self) -> None:
        """Remove all tables, one after the other."""
        for name in self.tables():
            self.drop_table(name)
