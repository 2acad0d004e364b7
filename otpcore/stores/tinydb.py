"""The embedded default store: TinyDB over an append-only log, for threads and processes of one machine.

Records are documents of the table `records`, under their key. The store itself handles them as bytes;
TinyDB's API shows the same records decoded (`TinyDBStore.db`).

Rules of this file: the store contract, and the plugin's registration. The file is in `log.py` and below.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from otpcore.contract import CommitRequest, Conflict, Durability, StoreCapabilities, Version, Versioned
from otpcore.errors import StoreError
from otpcore.hookspecs import StoreType, hookimpl
from otpcore.stores import frames
from otpcore.stores.export import export_json
from otpcore.stores.frames import Record
from otpcore.stores.log import LogStats, RecordLog
from otpcore.stores.segment import Entry, Segment
from otpcore.stores.tables import LogDB, new_version

__all__ = ["RECORDS", "TinyDBSettings", "TinyDBStore", "export_json", "otpcore_stores"]

RECORDS: Final = "records"
"""The table that holds the store's records."""
SWEEP_BATCH: Final = 256
"""Deletions written under one hold of the lock: some 40 kB, well under a millisecond's write."""


class TinyDBStore:
    """A `Store` in one file, `<path>`, with `<path>.lock` beside it. Also offers `scan`.

    Args:
        path: of the file. Made with mode 0600 when missing, its folders with 0700. `~` is expanded.
        sync: an acknowledged commit survives power loss. Without, it survives the death of the process.

    Attributes:
        log: the file; not part of the store contract.

    Raises:
        ConfigurationError: the path is on a network file system, or names a folder, a device, a pipe or a socket.
        StoreFormatError: the file is not one of ours, of a newer schema, or damaged in its middle.
        StoreUnavailable: the file cannot be opened or made.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        self.log = RecordLog(path, sync=sync)
        self._capabilities = StoreCapabilities(
            durability=Durability.DISK if sync else Durability.PROCESS,
            multi_process=True,
            shared=False,
            batch=True,
            blocking_io=True,
        )

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return self._capabilities

    @property
    def db(self) -> LogDB:
        """TinyDB's API on the same file: `store.db.table("records").search(…)`. Closing it closes the store."""
        return LogDB(self.log)

    @property
    def stats(self) -> LogStats:
        """Size of the file and what was repaired, for `doctor`."""
        return self.log.stats

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        found = self.log.find(RECORDS, key)
        return None if found is None else Versioned(frames.unwrap(found[1]), Version(found[0].version))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        record = _record(key, data, gc_at)
        segment = self.log.enter()  # the hot path: a context manager costs as much as the lock
        lost = None
        try:
            entries = segment.index.tables.get(RECORDS)
            entry = None if entries is None else entries.get(key)
            if (None if entry is None else entry.version) != expect:
                lost = Conflict(self.load(key))
            elif entry is not None or data is not None:
                self.log.append((record,))
        except BaseException:
            self.log.leave()
            raise
        self.log.finish()
        return Version(record.version) if lost is None else lost

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`."""
        with self.log.reading() as segment:
            entries = segment.index.tables.get(RECORDS, {})
            return [self._shown(segment, entries.get(key)) for key in keys]

    def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`. One append and one sync for all of them."""
        records = [_record(each.key, each.data, each.gc_at) for each in commits]
        answers: list[Version | Conflict | StoreError] = []
        won: list[Record] = []
        with self.log.exclusive() as segment:
            entries = segment.index.tables.get(RECORDS, {})
            for each, record in zip(commits, records, strict=True):
                entry = entries.get(each.key)
                if (None if entry is None else entry.version) != each.expect:
                    stands = self._shown(segment, entry)
                    answers.append(stands if isinstance(stands, StoreError) else Conflict(stands))
                    continue
                answers.append(Version(record.version))
                if entry is not None or each.data is not None:
                    won.append(record)
            if won:
                self.log.append(won)
        return answers

    def _shown(self, segment: Segment, entry: Entry | None) -> Versioned | StoreError | None:
        """What one of several is answered with."""
        if entry is None:
            return None
        try:
            return Versioned(frames.unwrap(self.log.value(segment, entry)), Version(entry.version))
        except StoreError as error:
            return error

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`. Goes in batches; other writers get the lock between them."""
        limit_us = frames.micros(before)
        with self.log.reading() as segment:
            entries = segment.index.tables.get(RECORDS, {})
            due = [key for key, entry in entries.items() if entry.gc_us < limit_us]
        due = heapq.nsmallest(limit, due)
        gone = 0
        for start in range(0, len(due), SWEEP_BATCH):
            with self.log.exclusive() as segment:
                entries = segment.index.tables.get(RECORDS, {})
                batch = [
                    Record(RECORDS, key, new_version(), entry.gc_us, frames.DELETED)
                    for key in due[start : start + SWEEP_BATCH]
                    if (entry := entries.get(key)) is not None and entry.gc_us < limit_us
                ]
                if batch:
                    self.log.append(batch)
            gone += len(batch)
        return gone

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`."""
        with self.log.reading() as segment:
            entries = dict(segment.index.tables.get(RECORDS, {}))
        keys = heapq.nsmallest(limit, (key for key in entries if key > after))
        # the segment's lines stay readable, so this is the state of one instant
        return [
            (key, Versioned(frames.unwrap(self.log.value(segment, entries[key])), Version(entries[key].version)))
            for key in keys
        ]

    def close(self) -> None:
        """See `Store.close`."""
        self.log.close()


def _record(key: str, data: bytes | None, gc_at: datetime) -> Record:
    value = frames.DELETED if data is None else frames.wrap(data)
    return Record(RECORDS, key, new_version(), frames.micros(gc_at), value)


def _default_path() -> Path:
    from otpcore.settings import data_folder  # noqa: PLC0415  # settings cost a quarter of a second

    return data_folder() / "otpcore.otpdb"


class TinyDBSettings(BaseModel):
    """Settings of the embedded store.

    Attributes:
        path: of the file; `~` is expanded. By default `otpcore.otpdb` in `otpcore.settings.data_folder`.
        sync: an acknowledged commit survives power loss of the machine.
    """

    path: Path = Field(default_factory=_default_path)
    sync: bool = True


def build(settings: TinyDBSettings) -> TinyDBStore:
    """Make the store from its settings."""
    return TinyDBStore(settings.path, sync=settings.sync)


@hookimpl
def otpcore_stores() -> list[StoreType]:
    """The embedded default."""
    return [
        StoreType(
            name="tinydb",
            summary="one file on this machine, for any number of its processes (TinyDB)",
            settings=TinyDBSettings,
            build=build,
        )
    ]
