"""A fork that does something and may die of it.

Rules of this file: nothing is opened here; a death is the kernel's work.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Final

__all__ = ["die_in_time", "in_fork"]

DEATHS: Final = (signal.SIGKILL, signal.SIGALRM)
"""`SIGALRM` is the timer's, and as sudden: nobody handles it."""


def in_fork(action: Callable[[], object]) -> bool:
    """Run it in a fork; whether the fork came to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException as error:  # noqa: BLE001  # a fork must never return to the caller's loop
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    ended = os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 0 if ended else os.WTERMSIG(status) in DEATHS, status
    return ended


def die_in_time(seconds: float) -> None:
    """The kernel kills this process in so many seconds; no line of Python runs then."""
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
