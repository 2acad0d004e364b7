"""Records that are numbers, and stores that are opened on one file as other processes do.

Rules of this file: no assertions about the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from otpcore.contract import Conflict, Version
from otpcore.stores.tinydb import TinyDBStore

GC_AT = datetime.now(UTC) + timedelta(days=1)

Opens = Callable[[], TinyDBStore]


def put(store: TinyDBStore, key: str, number: int) -> Version:
    found = store.load(key)
    data = b'{"n":%d}' % number
    answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
    assert not isinstance(answer, Conflict)
    return answer


def number_of(store: TinyDBStore, key: str) -> int | None:
    found = store.load(key)
    return None if found is None else int(json.loads(found.data)["n"])


def add_one(store: TinyDBStore, key: str) -> None:
    answer: Version | Conflict = Conflict(None)
    while isinstance(answer, Conflict):
        found = store.load(key)
        data = b'{"n":%d}' % ((json.loads(found.data)["n"] if found else 0) + 1)
        answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
