"""How a check is written once and runs in both colours.

A check is a generator that yields what a store's method returned: a value from a blocking store, an awaitable from
an awaited one. The driver of its colour sends the answer back, or throws the error in. `Together` asks for
several flows at once: threads for a blocking store, tasks for an awaited one.

Rules of this file: no check and no expectation of a store; nothing here sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from threading import Barrier
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from otpcore.conformance.processes import as_there, context
from otpcore.ports import AsyncStore, Conflict, Store, Version, Versioned

__all__ = [
    "LATCH_TIMEOUT_S",
    "AnyStore",
    "Flow",
    "Opener",
    "Together",
    "commit",
    "delete",
    "drive",
    "drive_awaited",
    "from_killed_process",
    "in_processes",
    "later",
    "load",
    "load_each",
    "put",
    "run",
    "sweep",
    "together",
]

T = TypeVar("T")
AnyStore: TypeAlias = Store | AsyncStore
Flow: TypeAlias = Generator[Any, Any, T]
Opener: TypeAlias = Callable[[], AnyStore | Awaitable[AnyStore]]

LATCH_TIMEOUT_S = 60.0
"""How long the parties of a race wait for one another to start; a loaded machine spawns processes slowly."""

SWITCH_INTERVAL_S = 1e-5
"""How often threads of a race may change places; the interpreter's 5 ms would let most of them run to their end."""


class Latched(Protocol):
    """What makes the parties of a race start at once: a barrier of threads or of processes."""

    def wait(self, timeout: float | None = None) -> int:
        """Return when all parties have come."""
        ...


@dataclass(frozen=True, slots=True)
class Together:
    """Asks the driver to run flows at once; the answer is the list of their results, in order."""

    flows: Sequence[Flow[Any]]


# --- steps that checks are made of ---------------------------------------------------------------


def later(**duration: float) -> datetime:
    """Now and a `timedelta(**duration)`; real time, for a store may set a lifetime of its own by its own clock."""
    return datetime.now(UTC) + timedelta(**duration)


def load(store: AnyStore, key: str) -> Flow[Versioned | None]:
    """Load the key."""
    return cast("Versioned | None", (yield store.load(key)))


def load_each(store: AnyStore, keys: Iterable[str]) -> Flow[list[Versioned | None]]:
    """Load one key after the other."""
    found: list[Versioned | None] = []
    for key in keys:
        found.append((yield from load(store, key)))  # noqa: PERF401 # a comprehension cannot yield
    return found


def commit(
    store: AnyStore, key: str, data: bytes | None, expect: Version | None, gc_at: datetime | None = None
) -> Flow[Version | Conflict]:
    """Commit; the record may be collected after `gc_at`, in one hour unless it is given."""
    answer = yield store.commit(key, data, expect=expect, gc_at=gc_at or later(hours=1))
    return cast("Version | Conflict", answer)


def put(
    store: AnyStore, key: str, data: bytes, expect: Version | None = None, gc_at: datetime | None = None
) -> Flow[Version]:
    """Commit what must not conflict."""
    answer = yield from commit(store, key, data, expect, gc_at)
    assert not isinstance(answer, Conflict), f"a commit that expected what stands was refused with {answer}"
    return answer


def delete(store: AnyStore, key: str, expect: Version | None) -> Flow[Version | Conflict]:
    """Commit a deletion."""
    return (yield from commit(store, key, None, expect))


def sweep(store: AnyStore, before: datetime, limit: int = 1000) -> Flow[int]:
    """Sweep."""
    return cast("int", (yield store.sweep(before, limit=limit)))


def together(flows: Sequence[Flow[T]]) -> Flow[list[T]]:
    """Run the flows at once; their results in order."""
    return cast("list[T]", (yield Together(flows)))


# --- drivers -------------------------------------------------------------------------------------


def drive(flow: Flow[T]) -> T:
    """Run a flow over a blocking store."""
    answer: Any = None
    while True:
        try:
            asked = flow.send(answer)
        except StopIteration as done:
            return cast("T", done.value)
        answer = _in_threads(asked.flows) if isinstance(asked, Together) else asked


async def drive_awaited(flow: Flow[T]) -> T:
    """Run a flow over an awaited store."""
    step: Callable[[], Any] = partial(flow.send, None)
    while True:
        await asyncio.sleep(0)  # the other flows get their turn also where the store answers without waiting
        try:
            asked = step()
        except StopIteration as done:
            return cast("T", done.value)
        try:
            if isinstance(asked, Together):
                answer = await asyncio.gather(*(drive_awaited(each) for each in asked.flows))
            else:
                answer = await asked if inspect.isawaitable(asked) else asked
        except Exception as error:  # noqa: BLE001 # the flow decides what it expected
            step = partial(flow.throw, error)
        else:
            step = partial(flow.send, answer)


def run(opener: Opener, flow: Callable[[AnyStore], Flow[T]], *, awaited: bool) -> T:
    """Open a store, run one flow over it, close it."""
    if awaited:
        return asyncio.run(_run_awaited(opener, flow))
    store = cast("Store", opener())
    try:
        return drive(flow(store))
    finally:
        # What closing does is a check of its own; here it must not hide another's verdict.
        with contextlib.suppress(Exception):
            store.close()


async def _run_awaited(opener: Opener, flow: Callable[[AnyStore], Flow[T]]) -> T:
    opened = opener()
    store = cast("AsyncStore", await opened if inspect.isawaitable(opened) else opened)
    try:
        return await drive_awaited(flow(store))
    finally:
        with contextlib.suppress(Exception):  # as in `run`
            await store.close()


def _in_threads(flows: Sequence[Flow[T]]) -> list[T]:
    latch = Barrier(len(flows))
    with _eager_switching(), ThreadPoolExecutor(len(flows)) as pool:
        return [one.result() for one in [pool.submit(_after, latch, flow) for flow in flows]]


def _after(latch: Barrier, flow: Flow[T]) -> T:
    latch.wait(LATCH_TIMEOUT_S)
    return drive(flow)


@contextlib.contextmanager
def _eager_switching() -> Generator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


# --- processes -----------------------------------------------------------------------------------

_latch: Latched | None = None


def in_processes(opener: Opener, flow: Callable[[AnyStore, int], Flow[T]], *, parties: int, awaited: bool) -> list[T]:
    """Run a flow in `parties` new processes at once, each over a store of its own from `opener`.

    Args:
        opener: picklable, as `flow` is: a class, a function of an importable module, or a `partial` of those.
        flow: is given the store and the number of its process, from 0.
        parties: how many.
        awaited: the colour of the store.

    Returns:
        The results, in order of the numbers.
    """
    made = context()
    given = (made.Barrier(parties), dict(os.environ))
    with ProcessPoolExecutor(parties, mp_context=made, initializer=_begin, initargs=given) as pool:
        asked = [pool.submit(_work, opener, flow, number, awaited=awaited) for number in range(parties)]
        return [one.result() for one in asked]


def from_killed_process(
    opener: Opener, flow: Callable[[Callable[[T], None], AnyStore], Flow[None]], *, awaited: bool
) -> list[T]:
    """Run a flow that kills its own process, in a new one.

    Args:
        opener: as for `in_processes`.
        flow: is given a way to say something to this process, and the store; picklable.
        awaited: the colour of the store.

    Returns:
        What it said before it died.
    """
    made = context()
    receiver, sender = made.Pipe(duplex=False)
    process = made.Process(target=_say_and_die, args=(opener, flow, sender, awaited, dict(os.environ)))
    process.start()
    sender.close()
    said: list[T] = []
    with receiver, contextlib.suppress(EOFError):
        while True:
            said.append(receiver.recv())
    process.join()
    return said


def _say_and_die(
    opener: Opener,
    flow: Callable[[Callable[[T], None], AnyStore], Flow[None]],
    sender: Connection,
    awaited: bool,  # a process takes its arguments by place
    environment: Mapping[str, str],
) -> None:
    as_there(environment)
    run(opener, partial(flow, sender.send), awaited=awaited)


def _begin(latch: Latched, environment: Mapping[str, str]) -> None:
    global _latch  # noqa: PLW0603 # a barrier reaches a pool's process only through its initializer
    _latch = latch
    as_there(environment)


def _work(opener: Opener, flow: Callable[[AnyStore, int], Flow[T]], number: int, *, awaited: bool) -> T:
    return run(opener, partial(_latched, flow, number), awaited=awaited)


def _latched(flow: Callable[[AnyStore, int], Flow[T]], number: int, store: AnyStore) -> Flow[T]:
    if _latch is not None:
        _latch.wait(LATCH_TIMEOUT_S)
    return (yield from flow(store, number))
