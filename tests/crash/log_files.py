"""A store's file as the crash tests look at it and spoil it.

Rules of this file: no assertions about the store, no defects.
"""

from __future__ import annotations

import os
from pathlib import Path

from otpcore.stores.tinydb import TinyDBStore
from tests.stores.putting import GC_AT, put

__all__ = ["GC_AT", "append", "data_of", "leave_room", "lines_of", "put"]


def data_of(store: TinyDBStore, key: str) -> bytes | None:
    found = store.load(key)
    return None if found is None else found.data


def lines_of(path: Path) -> bytes:
    """The file without its filler."""
    return path.read_bytes().rstrip(b"\n") + b"\n"


def append(path: Path, data: bytes) -> None:
    """Write behind the last line, as a writer that fails."""
    end = len(lines_of(path))
    with path.open("r+b") as file:
        file.seek(end)
        file.write(data)


def leave_room(path: Path, room: int) -> None:
    """Set the length of the filler."""
    os.truncate(path, len(lines_of(path)))
    append(path, b"\n" * room)
