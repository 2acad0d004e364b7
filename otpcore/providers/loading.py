"""How a provider loads its SDK at the first use, in a process that may fork meanwhile.

Rules of this file: one lock for all of them, and it is taken after every other. A fork waits for whoever holds it: a
child would inherit half of an import, whose lock nobody in it can open.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["loading"]

_lock = threading.RLock()

# Hooks before a fork run last to first. Whoever holds a lock of his own over a fork and loads under it imports this
# module before he registers, so that both take the two in the same order.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@contextmanager
def loading() -> Generator[None]:
    """One thread loads at a time, and no fork happens before it is done. May be nested; nothing may wait within."""
    with _lock:
        yield
