"""What the crash tests of the embedded store run in processes of their own: `python -m tests.crash.log_child …`.

Scenarios that kill do it in forks of this process, by SIGKILL at a chosen byte or before a chosen system call,
and print what was found afterwards as JSON. `ours` is the store; `stock` is TinyDB's JSONStorage with the
same contract on top, `caching` its CachingMiddleware: the planted defects with which the same bodies are red.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, cast

from otpcore.contract import Conflict, Version
from otpcore.errors import StoreError
from otpcore.stores.tinydb import TinyDBStore
from tests.crash.openers import OPENERS, AnyStore, StockStore

GC_AT = datetime.now(UTC) + timedelta(days=1)
OTHERS = {f"other/{number}": b'{"n":%d,"pad":"%s"}' % (number, b"x" * 60 * number) for number in range(4)}
KEY = "tenant/r/key"
OLD = b'{"state":"old","pad":"%s"}' % (b"o" * 300)
NEW = b'{"state":"new","pad":"%s"}' % (b"n" * 150)
"""Shorter than the old one: a file that shrinks is where stock storage leaves rubbish."""


def put(store: AnyStore, key: str, data: bytes | None) -> Version:
    """Commit over whatever stands."""
    found = store.load(key)
    answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
    assert not isinstance(answer, Conflict)
    return answer


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def in_fork(action: Callable[[], object]) -> bool:
    """Run it in a fork; whether the fork came to its end."""
    pid = os.fork()
    if pid == 0:
        action()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, status
    return status == 0


def fill(path: str, opener: Callable[[str], AnyStore]) -> None:
    store = opener(path)
    for key, data in ((KEY, OLD), *OTHERS.items()):
        put(store, key, data)
    store.close()


def found_after(path: str, opener: Callable[[str], AnyStore], allowed: dict[bytes | None, str]) -> str:
    """What another process finds after the crash: one of the allowed states, or what is wrong."""
    try:
        store = opener(path)
        for key, data in OTHERS.items():
            found = store.load(key)
            if found is None or found.data != data:
                return "another record is lost"
        found = store.load(KEY)
        state = allowed.get(found.data if found else None, "neither old nor new")
        put(store, "later", b'{"after":"the crash"}')  # and it can go on
        store.close()
    except (ValueError, KeyError, StoreError):
        return "unreadable"
    return state


# --- scenarios -----------------------------------------------------------------------------------


def lines_end(path: str) -> int:
    """Where the lines of a store's file end and its filler begins."""
    return len(Path(path).read_bytes().rstrip(b"\n")) + 1


def kill_at_bytes(kind: str, path: str, offsets: int, room: int | None) -> dict[str, int]:
    """Kill a commit after each of the first `offsets` bytes that it writes; `room`: so much filler is left."""
    opener, template, outcomes = OPENERS[kind], path + ".template", Counter[str]()
    fill(template, opener)
    if room is not None:
        os.truncate(template, lines_end(template) + room)
    for offset in range(offsets):
        shutil.copy(template, path)

        def commit(offset: int = offset) -> None:
            store = opener(path)
            left, write = offset, os.write

            def some(fd: int, data: Any) -> int:
                nonlocal left
                if len(data) > left:
                    write(fd, data[:left])
                    die()
                left -= len(data)
                return write(fd, data)

            os.write = some
            put(store, KEY, NEW)

        in_fork(commit)
        outcomes[found_after(path, opener, {OLD: "old", NEW: "new"})] += 1
    return outcomes


CALLS = (
    *((os, name) for name in ("write", "lseek", "fdatasync", "fsync", "replace", "ftruncate", "open", "unlink")),
    (fcntl, "flock"),
)


def die_before_call(number: int) -> None:
    """From now on, the call with this number among all of `CALLS` kills this process instead."""
    calls = count()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == number:
                die()
            return real(*args, **kwargs)

        return call

    for module, name in CALLS:
        setattr(module, name, counted(getattr(module, name)))


def kill_at_calls(kind: str, action: str, path: str) -> dict[str, int]:
    """Kill an action before each of its system calls, until it comes to its end."""
    opener, template, outcomes = OPENERS[kind], path + ".template", Counter[str]()
    fill(template, opener)
    if action == "recover":
        end = lines_end(template)
        with Path(template).open("r+b") as file:
            file.seek(end)
            file.write(b'["00000000",0,"records","tenant/r/key","ab')
    states: dict[bytes | None, str] = {OLD: "old"}
    if action in {"commit", "delete"}:
        states[NEW if action == "commit" else None] = "new"
    if action == "create":
        OTHERS.clear()
        states = {None: "old"}
    for number in count():
        if action == "create":
            Path(path).unlink(missing_ok=True)
        else:
            shutil.copy(template, path)

        def act(number: int = number) -> None:
            die_before_call(number)
            store = opener(path)
            match action:
                case "commit":
                    put(store, KEY, NEW)
                case "delete":
                    put(store, KEY, None)
                case "compact":
                    cast("TinyDBStore", store).log.compact()
                case "recover" | "create":
                    store.load(KEY)
                case _:
                    raise AssertionError(action)
            store.close()

        ended = in_fork(act)
        outcomes[found_after(path, opener, states)] += 1
        if ended:
            return outcomes
    raise AssertionError


def threads(kind: str, path: str) -> dict[str, int]:
    """16 threads add one 25 times to one number."""
    store = OPENERS[kind](path)
    if isinstance(store, StockStore):
        meeting, met = threading.Barrier(16), threading.local()

        def once() -> None:
            if not getattr(met, "done", False):
                met.done = True
                meeting.wait()

        store.between = once
    errors: list[str] = []

    def add() -> None:
        try:
            for _ in range(25):
                answer: object = Conflict(None)
                while isinstance(answer, Conflict):
                    found = store.load(KEY)
                    number = json.loads(found.data)["n"] + 1 if found else 1
                    expect = found.version if found else None
                    answer = store.commit(KEY, b'{"n":%d}' % number, expect=expect, gc_at=GC_AT)
        except Exception as error:  # noqa: BLE001 - whatever a broken store raises is counted
            errors.append(repr(error))

    workers = [threading.Thread(target=add) for _ in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    try:
        found = store.load(KEY)
    except ValueError:
        found = None
    return {"total": json.loads(found.data)["n"] if found else 0, "errors": len(errors)}


def main(scenario: str, *args: str) -> None:
    """Run one scenario."""
    result: dict[str, int]
    match scenario, *args:
        case "bytes", kind, path, offsets:
            result = kill_at_bytes(kind, path, int(offsets), None)
        case "bytes", kind, path, offsets, room:
            result = kill_at_bytes(kind, path, int(offsets), int(room))
        case "calls", kind, action, path:
            result = kill_at_calls(kind, action, path)
        case "threads", kind, path:
            result = threads(kind, path)
        case _:
            raise SystemExit(f"no scenario {scenario} {args}")
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
