"""Threads over a gated store, each with one call, and who of them waits.

Rules of this file: nobody sleeps for a race; what is waited for stays.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from otpcore.engine.combining import CombinedStore
from tests.engine.gated import TIMEOUT_S, GatedStore
from tests.properties.world import EPOCH

__all__ = ["PAUSE", "Crowd", "answer"]

PAUSE = threading.Event()


class Crowd:
    """Threads over a gated store, each with one call."""

    def __init__(self) -> None:
        self.gated = GatedStore()
        self.store = CombinedStore(self.gated)
        self.pool = ThreadPoolExecutor(300)

    def load(self, key: str) -> Future[Any]:
        return self.pool.submit(self.store.load, key)

    def commit(self, key: str, data: bytes | None = b"x", expect: Any = None) -> Future[Any]:
        return self.pool.submit(self.store.commit, key, data, expect=expect, gc_at=EPOCH)

    def until_waiting(self, count: int, lane: str = "_commits") -> None:
        """Return when that many wait."""
        for _ in range(int(TIMEOUT_S * 1000)):
            if len(getattr(self.store, lane).waiting) == count:
                return
            PAUSE.wait(0.001)  # for a state, not for a race: whoever waits stays
        raise AssertionError(f"{count} were to wait in {lane}")


def answer(future: Future[Any]) -> Any:
    return future.result(TIMEOUT_S)
