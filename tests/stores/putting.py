"""Writing to a store whatever stands there.

Rules of this file: no assertions about the store.
"""

from __future__ import annotations

from datetime import UTC, datetime

from otpcore.contract import Conflict, Version
from otpcore.stores.tinydb import TinyDBStore

__all__ = ["GC_AT", "put"]

GC_AT = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def put(store: TinyDBStore, key: str, data: bytes | None) -> Version:
    found = store.load(key)
    answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
    assert not isinstance(answer, Conflict)
    return answer
