"""Where records are kept while processes come and go.

Rule of this file: what another process does with a store, and nothing of a recipient.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore

__all__ = ["STORES", "File", "Memory"]


class Memory:
    """The store that lives as long as this object, whichever process asks."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def reopened(self) -> MemoryStore:
        return self.store

    def close(self) -> None:
        """Nothing to do."""


class File:
    """The embedded store; another process opens the file anew."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self.store = self._open()

    def _open(self) -> TinyDBStore:
        return TinyDBStore(self._folder / "records.otpdb", sync=False)

    def reopened(self) -> TinyDBStore:
        self.store.close()
        self.store = self._open()
        return self.store

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self._folder)


STORES: Final[dict[str, Callable[[], Memory | File]]] = {"memory": Memory, "tinydb": File}
