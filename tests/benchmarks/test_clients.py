"""The clients of the benchmarks measure the whole of their work."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import pytest

from tests.benchmarks.clients import threads


@pytest.mark.parametrize("clients", [1, 4])
def test_no_work_is_done_before_its_time_begins(clients: int) -> None:
    """A worker that keeps the interpreter to itself lets nobody else look at the clock meanwhile."""
    spans: list[tuple[float, float]] = []

    def work(_hand: Sequence[int]) -> None:
        began = perf_counter()
        while perf_counter() < began + 0.003:  # less than the interpreter's switch interval
            pass
        spans.append((began, perf_counter()))

    with ThreadPoolExecutor(clients) as pool:
        for _ in range(20):
            spans.clear()
            took = threads(pool, work, [range(1)] * clients)
            assert took >= max(done for _, done in spans) - min(began for began, _ in spans)


def test_whatever_a_client_raises_is_told() -> None:
    def work(_hand: Sequence[int]) -> None:
        raise ValueError(threading.current_thread().name)

    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="ThreadPool"):
        threads(pool, work, [range(1)] * 2)
