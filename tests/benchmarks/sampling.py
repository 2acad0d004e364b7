"""Where the time of some work goes: what the main thread is doing, looked up two thousand times a second.

A moment counts for the part that the innermost frame known to any part belongs to; what a library does is thus its
caller's, unless the library is a part by itself. A clock of the wall is looked at, so waiting counts where it is done.

Rules of this file: the standard library alone, for the peers' process runs it too.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, process_time
from types import FrameType
from typing import Final

__all__ = ["Profile", "profiled"]

PERIOD_S: Final = 0.0005

Profile = dict[str, float]
"""Seconds of one unit of the work, by part; "wall" is their sum, and "CPU" what of it this process computed."""


def profiled(work: Callable[[], int], parts: Mapping[str, Sequence[str]], rest: str) -> Profile:
    """Do some work in the main thread and say where its time went.

    Args:
        work: answers with the number of units done.
        parts: by name, pieces of "file:function" that make a frame one of the part; the first that has one counts.
        rest: name of the part for moments in which no frame is of any.
    """
    seen: Counter[str] = Counter()
    known: dict[str, str | None] = {}

    def part_of(frame: FrameType) -> str | None:
        code = f"{frame.f_code.co_filename}:{frame.f_code.co_name}"
        if code not in known:
            known[code] = next((part for part, pieces in parts.items() if any(each in code for each in pieces)), None)
        return known[code]

    def look(_signal: int, frame: FrameType | None) -> None:
        while frame is not None:
            if (part := part_of(frame)) is not None:
                seen[part] += 1
                return
            frame = frame.f_back
        seen[rest] += 1

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, PERIOD_S, PERIOD_S)
    try:
        began, computed = perf_counter(), process_time()
        units = work()
        wall, cpu = perf_counter() - began, process_time() - computed
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    moments = max(1, seen.total())
    shares = {part: wall / units * seen[part] / moments for part in (*parts, rest)}
    return {**shares, "wall": wall / units, "CPU": cpu / units}
