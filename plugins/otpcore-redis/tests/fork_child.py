"""A process that uses a store, forks, and lets parent and child commit at once; says what went wrong, or nothing.

Run as `python fork_child.py URL KEEP`; with KEEP "keep" the child does not let go of what is the parent's.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from otpcore_redis import RedisSettings
from otpcore_redis.connections import Connections
from otpcore_redis.settings import build

LATER = datetime.now(UTC) + timedelta(days=30)
TIMES = 60


def count(store: Any, key: str) -> None:
    version = None
    for number in range(TIMES):
        answer = store.commit(key, b"%d" % number, expect=version, gc_at=LATER)
        assert isinstance(answer, str), answer
        version = answer
        assert store.load(key).data == b"%d" % number


def forgets(_pool: Connections) -> None: ...


def main(url: str, keep: str) -> int:
    if keep == "keep":
        setattr(Connections, "after_fork", forgets)  # noqa: B010  # the defect that is planted
    store: Any = build(RedisSettings(url=SecretStr(url)))
    store.commit("before", b"1", expect=None, gc_at=LATER)
    child = os.fork()
    if child == 0:
        try:
            (pool,) = store._wire._pools.values()
            assert not pool._idle, "it has its parent's connection"
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
    sys.exit(1 if main(*sys.argv[1:]) else 0)
