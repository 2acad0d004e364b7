"""Writers of the embedded store's file in processes of their own: `python -m tests.crash.writers_child …`.

One is killed amid its writes, or several add to one number. Each is a fork of this process; what was found afterwards
is printed as JSON. `caching` is a store that keeps writes in memory, `no-lock` and `compacting` are what is wrong with
a process that adds, or what it does besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from itertools import count, islice
from multiprocessing.synchronize import Barrier
from typing import Any, Final, cast

from otpcore.contract import Conflict
from otpcore.engine.workers import awaited_store
from otpcore.errors import StoreFormatError
from otpcore.ports import AsyncStore, Store
from otpcore.stores.hostlock import HostLock
from otpcore.stores.tinydb import TinyDBStore
from tests.crash.log_child import GC_AT, KEY, put
from tests.crash.openers import OPENERS
from tests.places import COLOURS

__all__ = ["PROCESSES"]

PROCESSES: Final = 4


def acknowledge(kind: str, colour: str, path: str, first: int, writes: int) -> None:
    """Write records that grow and shrink, and say each after it was acknowledged."""
    store = OPENERS[kind](path)
    if isinstance(store, TinyDBStore):
        store.log.compactor.min_lines = 60  # some compactions among so few writes
    records = ((number, b'{"n":%d,"pad":"%s"}' % (number, b"p" * (number * 37 % 900))) for number in count(first))
    if colour == "tasks":
        asyncio.run(acknowledge_awaited(awaited_store(cast("Store", store)), islice(records, writes)))
    else:
        for number, data in islice(records, writes):
            put(store, f"k{number % 7}", data)
            print(number, flush=True)
    signal.pause()  # wait to be killed: an orderly close would write what was kept back


async def acknowledge_awaited(store: AsyncStore, records: Iterable[tuple[int, bytes]]) -> None:
    """As the awaiting engine writes to a store that blocks: by its workers."""
    for number, data in records:
        key = f"k{number % 7}"
        found = await store.load(key)
        answer = await store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
        assert not isinstance(answer, Conflict)
        print(number, flush=True)


def kill_after(kind: str, colour: str, path: str, first: int, writes: int, acknowledged: int) -> int:
    """Kill a writer once it has said so many writes; the number of the last that it said."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writing, 1)
        os.close(writing)
        try:
            acknowledge(kind, colour, path, first, writes)
        finally:
            os._exit(1)  # it came to its end
    os.close(writing)
    with os.fdopen(reading) as said:
        heard = [int(said.readline()) for _ in range(acknowledged)]
        os.kill(pid, signal.SIGKILL)
        heard += map(int, said)  # what it said before the signal reached it
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    return heard[-1]


def numbers(kind: str, path: str) -> dict[int, int]:
    """The number in each of the seven records."""
    store = OPENERS[kind](path)
    found = {key: store.load(f"k{key}") for key in range(7)}
    store.close()
    return {key: json.loads(record.data)["n"] for key, record in found.items() if record is not None}


def kill_writers(kind: str, path: str, writes: int, kills: int) -> dict[str, int]:
    """Kill writers among so many writes, a blocking one and an awaiting one in turn; what was lost that they said."""
    first = lost = 0
    for turn in range(kills):
        last = kill_after(kind, COLOURS[turn % 2], path, first, writes, writes // kills * turn + 10)
        found = numbers(kind, path)
        lost += sum(found.get(number % 7, -1) < number for number in range(max(0, last - 6), last + 1))
        first = last + 1
    return {"lost": lost, "acknowledged": first}


def add_up(defect: str, path: str, times: int) -> dict[str, list[int | None] | int | None]:
    """What the number is after several processes added to it, and how each ended; None: the store cannot be read."""
    context = multiprocessing.get_context("fork")
    latch = context.Barrier(PROCESSES)
    workers = [context.Process(target=increments, args=(defect, path, times, latch)) for _ in range(PROCESSES)]
    TinyDBStore(path).close()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total = None
    with contextlib.suppress(StoreFormatError):
        store = TinyDBStore(path)
        found = store.load(KEY)
        store.close()
        total = json.loads(found.data)["n"] if found else None
    return {"ends": [worker.exitcode for worker in workers], "total": total}


def increments(defect: str, path: str, times: int, latch: Barrier) -> None:
    """Add one to a number `times` times, by compare and swap, when all are ready."""
    if defect == "no-lock":
        write = os.write

        def give_way(fd: int, data: Any) -> int:
            for _ in range(200):
                os.sched_yield()
            return write(fd, data)

        os.write = give_way
        HostLock.acquire = lambda self: None  # type: ignore[method-assign]  # the defect
    store = TinyDBStore(path)
    store.log.compactor.min_lines = 50 if defect == "compacting" else 10**9
    latch.wait(60)
    for _ in range(times):
        while True:
            found = store.load(KEY)
            number = json.loads(found.data)["n"] + 1 if found else 1
            expect = found.version if found else None
            if not isinstance(store.commit(KEY, b'{"n":%d}' % number, expect=expect, gc_at=GC_AT), Conflict):
                break
    store.close()


def main(scenario: str, *args: str) -> None:
    """Run one scenario."""
    result: object
    match scenario, *args:
        case "writers", kind, path, writes, kills:
            result = kill_writers(kind, path, int(writes), int(kills))
        case "writer", kind, path, writes:
            result = kill_after(kind, "threads", path, 0, int(writes), int(writes))
        case "increments", defect, path, times:
            result = add_up(defect, path, int(times))
        case _:
            raise SystemExit(f"no scenario {scenario} {args}")
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
