"""Records in this process's memory: for tests, demonstrations and single-process services that may forget.

Rules of this file: no policy and no expiry; a record leaves only by a commit or by `sweep`, never to make
room. Nothing here waits for a disk, a lock held across I/O or a network, so the async engine calls it directly.
"""

from __future__ import annotations

import heapq
import itertools
import os
import secrets
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

import msgspec
from pydantic import BaseModel, PositiveInt

from otpcore.errors import StoreFull, StoreUnavailable
from otpcore.hookspecs import StoreType, hookimpl
from otpcore.ports import Conflict, Durability, StoreCapabilities, Version, Versioned

__all__ = ["MemorySettings", "MemoryStore"]

CAPABILITIES = StoreCapabilities(durability=Durability.VOLATILE, multi_process=False, blocking_io=False)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MAX_RECORDS: Final = 250_000
"""A flood of new recipients, each with a session, so stays below 256 MiB (some 900 bytes a record, measured)."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record; integers for version and instant keep it 100 bytes smaller than their objects would.

    `gc=False` here and in `otpcore.model`: texts, numbers and instants make no cycle, so nobody has to look for one.
    """

    data: bytes
    serial: int
    gc_at_us: int


class MemoryStore:
    """A `Store` in a dictionary. Everything is gone with the process.

    The part of a key before its first "/" is its tenant; a cap on it keeps one tenant from taking the room
    of the others.

    Args:
        max_records: how many records it takes in all; a new key beyond that raises StoreFull. The default takes
            some 220 MiB where each has one session.
        max_records_per_tenant: how many of them may be one tenant's; None for no bound but `max_records`.
    """

    def __init__(self, *, max_records: int = MAX_RECORDS, max_records_per_tenant: int | None = None) -> None:
        self._max_records = max_records
        self._max_per_tenant = max_records if max_records_per_tenant is None else max_records_per_tenant
        self._lock = Lock()
        self._records: dict[str, Entry] = {}
        self._tenants: Counter[str] = Counter()
        self._closed = False
        self._over = "This memory store was closed; build a new one (its records are gone)."
        # A version must not recur when a service builds a new store and an old version comes back to it.
        self._instance = secrets.token_hex(8)
        self._serials: Iterator[int] = itertools.count(1)
        _stores.add(self)

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return CAPABILITIES

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        with self._lock:
            self._require_open()
            return self._versioned(self._records.get(key))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`. `gc_at` must be aware (TypeError)."""
        gc_at_us = (gc_at - EPOCH) // MICROSECOND
        with self._lock:
            self._require_open()
            stands = self._records.get(key)
            if (None if stands is None else self._version(stands.serial)) != expect:
                return Conflict(self._versioned(stands))
            serial = next(self._serials)
            if data is not None:
                if stands is None:
                    self._take_room(key)
                self._records[key] = Entry(bytes(data), serial, gc_at_us)
            elif stands is not None:
                self._drop(key)
            return self._version(serial)

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`. Looks at every record until `limit` have gone: some 60 ms for a million."""
        before_us = (before - EPOCH) // MICROSECOND
        with self._lock:
            self._require_open()
            due: Iterable[str] = (key for key, entry in self._records.items() if entry.gc_at_us < before_us)
            gone = list(itertools.islice(due, max(limit, 0)))
            for key in gone:
                self._drop(key)
        return len(gone)

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`."""
        with self._lock:
            self._require_open()
            keys = heapq.nsmallest(limit, (key for key in self._records if key > after))
            entries = [(key, self._records[key]) for key in keys]
        return [(key, Versioned(entry.data, self._version(entry.serial))) for key, entry in entries]

    def close(self) -> None:
        """See `Store.close`. Drops every record."""
        with self._lock:
            self._closed = True
            self._records.clear()
            self._tenants.clear()

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(self._over)

    def after_fork(self) -> None:
        """A child has a copy, and with it a second budget for everybody: it refuses."""
        self._lock = Lock()  # a thread of the parent may have held the other
        self._closed = True
        self._over = (
            "This memory store was made before a fork, and is of no use after it: build it, or open the engine, in "
            "the process that serves, and run one. Processes share a store such as tinydb."
        )

    def _version(self, serial: int) -> Version:
        return Version(f"{self._instance}-{serial}")

    def _versioned(self, entry: Entry | None) -> Versioned | None:
        return None if entry is None else Versioned(entry.data, self._version(entry.serial))

    def _take_room(self, key: str) -> None:
        if len(self._records) >= self._max_records:
            raise StoreFull(f"The memory store holds its {self._max_records} records (max_records); sweep or raise it.")
        tenant = _tenant(key)
        if self._tenants[tenant] >= self._max_per_tenant:
            raise StoreFull(
                f"One tenant holds its {self._max_per_tenant} records of the memory store (max_records_per_tenant); "
                "sweep or raise it."
            )
        self._tenants[tenant] += 1

    def _drop(self, key: str) -> None:
        del self._records[key]
        tenant = _tenant(key)
        self._tenants[tenant] -= 1
        if not self._tenants[tenant]:
            del self._tenants[tenant]


_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in list(_stores):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _tenant(key: str) -> str:
    return key.partition("/")[0]


class MemorySettings(BaseModel):
    """What the memory store takes from settings; the fields are the arguments of `MemoryStore`."""

    max_records: PositiveInt = MAX_RECORDS
    max_records_per_tenant: PositiveInt | None = None


def _build(settings: MemorySettings) -> MemoryStore:
    return MemoryStore(
        max_records=settings.max_records,
        max_records_per_tenant=settings.max_records_per_tenant,
    )


@hookimpl
def otpcore_stores() -> Iterable[StoreType]:
    """Bring the store type `memory`."""
    return [
        StoreType(
            name="memory",
            summary="records in this process's memory; forgets everything when it ends",
            settings=MemorySettings,
            build=_build,
        )
    ]
