"""A process that uses a store, forks, and lets parent and child commit at once; says what went wrong, or nothing.

Run as `python fork_child.py URL PREFIX KEEP`; with KEEP the child does not let go of what is the parent's.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from otpcore_sql import SQLSettings
from otpcore_sql.aio import AsyncSQLStore
from otpcore_sql.settings import build, build_async
from otpcore_sql.store import SQLStore

LATER = datetime.now(UTC) + timedelta(days=30)
TIMES = 60


def count(store: Any, key: str) -> None:
    version = None
    for number in range(TIMES):
        answer = store.commit(key, b"%d" % number, expect=version, gc_at=LATER)
        assert isinstance(answer, str), answer
        version = answer
        assert store.load(key).data == b"%d" % number


def forgets(_store: object) -> None: ...


def awaited(url: str, prefix: str, keep: str) -> int:
    """The parent's tasks have the one connection, and make the tables, when it forks."""
    if keep == "keep":
        setattr(AsyncSQLStore, "after_fork", forgets)  # noqa: B010  # the defect that is planted
    store: Any = build_async(SQLSettings(url=SecretStr(url), prefix=prefix, connections=1, timeout_s=2.0))
    with asyncio.Runner() as runner:
        runner.run(store._room.acquire())
        runner.run(store._preparing.acquire())
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(asyncio.wait_for(store.load("child"), 10))
        except BaseException as error:  # noqa: BLE001  # told by the exit code
            sys.stdout.write(f"child: {error!r}")
            sys.stdout.flush()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str, prefix: str, keep: str) -> int:
    if keep == "keep":
        setattr(SQLStore, "after_fork", forgets)  # noqa: B010  # the defect that is planted
    store: Any = build(SQLSettings(url=SecretStr(url), prefix=prefix, timeout_s=2.0))
    store.commit("before", b"1", expect=None, gc_at=LATER)
    child = os.fork()
    if child == 0:
        try:
            assert not store._connections._idle, "it has its parent's connection"
            count(store, "child")
        except BaseException as error:  # noqa: BLE001  # told by the exit code
            sys.stdout.write(f"child: {error!r}")
            sys.stdout.flush()
            os._exit(1)
        os._exit(0)
    wrong = 0
    try:
        count(store, "parent")
    except Exception as error:  # noqa: BLE001  # likewise
        sys.stdout.write(f"parent: {error!r}")
        wrong = 1
    _, status = os.waitpid(child, 0)
    return wrong or status


if __name__ == "__main__":
    colour, *given = sys.argv[1:]
    sys.exit(1 if (awaited if colour == "awaiting" else main)(*given) else 0)
