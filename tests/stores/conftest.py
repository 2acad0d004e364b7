"""The embedded store over a file of one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otpcore.stores.tinydb import TinyDBStore

__all__ = ["path", "store"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.otpdb"


@pytest.fixture
def store(path: Path) -> Iterator[TinyDBStore]:
    opened = TinyDBStore(path)
    yield opened
    opened.close()
