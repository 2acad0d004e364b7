"""The fixtures of the embedded store's own tests, and the same file opened several times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otpcore.stores.tinydb import TinyDBStore
from tests.crash.counted import Opens
from tests.stores.conftest import path, store

__all__ = ["open_store", "path", "store"]


@pytest.fixture
def open_store(path: Path) -> Iterator[Opens]:
    """Opens the same file again, as another process does."""
    opened: list[TinyDBStore] = []

    def one_more() -> TinyDBStore:
        opened.append(TinyDBStore(path))
        return opened[-1]

    yield one_more
    for each in opened:
        each.close()
