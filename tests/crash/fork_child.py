"""What the fork tests of the embedded store run in a process of their own.

`python fork_child.py <scenario> <path> <defect>`

The defects: `none`; `shared`, a child that goes on with its parent's descriptors and locks. Exit status 0: as required.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta

from otpcore.contract import Conflict
from otpcore.errors import StoreUnavailable
from otpcore.stores.log import RecordLog
from otpcore.stores.tinydb import TinyDBStore

GC_AT = datetime.now(UTC) + timedelta(days=1)
KEY = "tenant/r/key"
TIMES = 150


def add(store: TinyDBStore, times: int) -> None:
    """Add one to a number, by compare and swap."""
    for _ in range(times):
        answer: object = Conflict(None)
        while isinstance(answer, Conflict):
            found = store.load(KEY)
            data = b'{"n":%d}' % ((json.loads(found.data)["n"] if found else 0) + 1)
            answer = store.commit(KEY, data, expect=found.version if found else None, gc_at=GC_AT)


def give_way() -> None:
    """From now on the others may run between the look at the file and the write to it."""
    write = os.write

    def later(fd: int, data: bytes) -> int:
        for _ in range(200):
            os.sched_yield()
        return write(fd, data)

    os.write = later  # type: ignore[assignment]  # the store gives bytes


def both_write(path: str) -> bool:
    """Parent and child, with the store opened before the fork, both add; nothing is lost."""
    give_way()
    store = TinyDBStore(path)
    add(store, 1)
    pid = os.fork()
    add(store, TIMES)
    if pid == 0:
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    found = TinyDBStore(path).load(KEY)
    return status == 0 and found is not None and json.loads(found.data)["n"] == 1 + 2 * TIMES


def do_not_wait() -> None:
    """From now on a lock that is not free is refused."""
    flock = fcntl.flock

    def at_once(fd: int, operation: int) -> None:
        flock(fd, operation | fcntl.LOCK_NB)

    fcntl.flock = at_once  # type: ignore[assignment]  # the store gives descriptors


def child_is_kept_out(path: str) -> bool:
    """A child that is forked while its parent has the lock does not have it too."""
    store = TinyDBStore(path)
    with store.log.exclusive():
        pid = os.fork()
        if pid == 0:
            do_not_wait()
            try:
                add(store, 1)
            except StoreUnavailable:
                os._exit(0)
            os._exit(1)
        _, status = os.waitpid(pid, 0)
    return status == 0


def lock_dies_with_its_holder(path: str) -> bool:
    """An idle child does not keep the lock of a parent that was killed while it had it."""
    store = TinyDBStore(path)
    said, say = os.pipe()
    stay, _go = os.pipe()
    holder = os.fork()
    if holder == 0:
        inner = TinyDBStore(path)
        with inner.log.exclusive():
            if os.fork() == 0:
                os.close(_go)
                os.write(say, b"x")
                os.read(stay, 1)  # idle until the test is over
                os._exit(0)
            signal.pause()
    os.read(said, 1)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    do_not_wait()
    try:
        add(store, 1)
    except StoreUnavailable:
        return False
    return True


def main(scenario: str, path: str, defect: str) -> bool:
    """Run one scenario."""
    print("begun", flush=True)
    if defect == "shared":
        RecordLog.after_fork = lambda self: None  # type: ignore[method-assign]  # the defect
    return {"both": both_write, "kept-out": child_is_kept_out, "dies": lock_dies_with_its_holder}[scenario](path)


if __name__ == "__main__":
    sys.exit(not main(*sys.argv[1:]))
