"""How both kits start the processes that some of their checks need.

Such a process has nothing of the tests' own: no lock, no thread, no descriptor, so it is never a fork of it. Where the
system can, it is a fork of a server that has done nothing but import the kit (the default of Python 3.14 on Linux); a
new interpreter would spend a second of work on that, each time. Elsewhere it is a new interpreter.

Rules of this file: how a process begins; what it does is its check's.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, SpawnContext

__all__ = ["PRELOADED", "as_there", "context"]

PRELOADED = ["otpcore.conformance.store", "otpcore.conformance.provider"]
"""Modules that the server imports when it starts, at the first process. A suite may add what its stores import."""


def context() -> ForkServerContext | SpawnContext:
    """What makes processes, their latches and pipes."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    return server


def as_there(environment: Mapping[str, str]) -> None:
    """Take over the environment of the process of the tests, as it is now; the server's is from when it started."""
    os.environ.clear()
    os.environ.update(environment)
