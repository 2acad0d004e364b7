"""Rates and waits of each operation, by the number of clients and of records: information, a table for each store.

A phase is one operation by all clients; its cell says operations a second, and the median and the 99th percentile of
what one took. *Own* keys: each client has recipients of its own, which start, resend and check. *Hot*: all clients have
one recipient, whom a code was sent: what they start is refused, what they check is wrong until the tries are spent.
The policy is the default one but for the waits of its ladder, so that a resend follows a start at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

from otpcore.contract import CommitRequest
from otpcore.engine import AsyncEngine, Engine
from otpcore.phone import PhoneNumber
from otpcore.policy import DEFAULT
from otpcore.ports import Batches, Store
from otpcore.results import Approved, Ended, Sent, Wait, Wrong
from tests.benchmarks.backends import BACKENDS, Backend
from tests.benchmarks.clients import AsyncDesk, Desk, dealt, tasks, threads
from tests.benchmarks.cycle import GC_AT, PEPPER, live_record, number, numbers
from tests.benchmarks.measuring import Absent, Found, Rates, Sizes
from tests.benchmarks.servers import Missing

__all__ = ["ROWS", "measure"]

ROWS: Final = ("",)
COLUMNS: Final = ("clients", "keys", "records", "start", "resend", "check")
NO_WAITS: Final = replace(DEFAULT, ladder=())
BATCH: Final = 128
CLIENTS: Final = (1, 8, 64)

NAMES: Final = ("memory", "tinydb", "sqlite-full", "sqlite-normal", "redis", "postgresql", "mariadb")


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure each store that is here."""
    for name in NAMES:
        say(f"rates on {name}")
        try:
            with BACKENDS[name]() as backend:
                for line in _store(sizes, backend, say):
                    yield Rates(f"Rates on {backend.name}", COLUMNS, line)
        except Missing as missing:
            yield Absent("", f"rates on {name}", str(missing))


def _store(sizes: Sizes, backend: Backend, say: Callable[[str], None]) -> Iterator[tuple[str, ...]]:
    """Few records with any number of clients; then more records with eight of them."""
    few, *more = sizes.filled
    store = backend.build()
    fresh = count(10**6, 10**5)  # each measurement has recipients of its own
    with ThreadPoolExecutor(max(CLIENTS)) as pool:
        _fill(store, 0, few)
        for clients in CLIENTS:
            yield str(clients), "own", f"{few:,}", *_own(sizes, pool, store, clients, next(fresh))
        for clients in CLIENTS:
            yield str(clients), "hot", f"{few:,}", *_hot(sizes, pool, store, clients, next(fresh))
        yield f"{CLIENTS[-1]} tasks", "own", f"{few:,}", *_awaited(sizes, backend, next(fresh))
        before = few
        for records in more:
            say(f"filling {backend.name} with {records:,} records")
            _fill(store, before, records)
            before = records
            yield "8", "own", f"{records:,}", *_own(sizes, pool, store, 8, next(fresh))
    store.close()


def _fill(store: Store, first: int, last: int) -> None:
    record = live_record()
    for at in range(first, last, BATCH):
        page = range(at, min(at + BATCH, last))
        made = [CommitRequest(f"filling/r/{which:024}", record, None, GC_AT) for which in page]
        if isinstance(store, Batches):
            store.commit_many(made)
        else:
            for one in made:
                store.commit(one.key, one.data, expect=one.expect, gc_at=one.gc_at)


class _Phase:
    """One operation by all clients, and how long each call took."""

    def __init__(self) -> None:
        self.took: list[float] = []

    def timed(self, call: Callable[[], Any], kinds: tuple[type, ...]) -> Any:
        """Call, and look whether it answers as it should."""
        began = perf_counter()
        answer = call()
        self.took.append(perf_counter() - began)
        assert isinstance(answer, kinds), answer
        return answer

    async def awaited(self, call: Awaitable[Any], kinds: tuple[type, ...]) -> Any:
        """`timed`, awaited."""
        began = perf_counter()
        answer = await call
        self.took.append(perf_counter() - began)
        assert isinstance(answer, kinds), answer
        return answer

    def cell(self, seconds: float) -> str:
        """Operations a second; median and 99th percentile in milliseconds."""
        late = quantiles(self.took, n=100)[98] if len(self.took) > 1 else self.took[0]
        rate = len(self.took) / seconds
        return f"{rate:,.0f}/s · {_milliseconds(median(self.took))} · {_milliseconds(late)} ms"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.{0 if seconds >= 10e-3 else 1 if seconds >= 1e-3 else 2}f}"


def _run(pool: ThreadPoolExecutor, work: Callable[[_Phase, Any], object], hands: Sequence[Sequence[Any]]) -> str:
    phase = _Phase()

    def all_of(hand: Sequence[Any]) -> None:
        for one in hand:
            work(phase, one)

    return phase.cell(threads(pool, all_of, hands))


def _own(sizes: Sizes, pool: ThreadPoolExecutor, store: Store, clients: int, first: int) -> tuple[str, str, str]:
    desk = Desk()
    engine = Engine(store, desk, pepper=PEPPER, profile=NO_WAITS)
    hands = dealt(numbers(range(first, first + max(sizes.operations, clients))), clients)
    tokens: dict[str, str] = {}

    def start(phase: _Phase, one: PhoneNumber) -> None:
        tokens[one.e164] = phase.timed(lambda: engine.start(one), (Sent,)).session.token

    def resend(phase: _Phase, one: PhoneNumber) -> None:
        phase.timed(lambda: engine.resend(tokens[one.e164], one), (Sent,))

    def check(phase: _Phase, one: PhoneNumber) -> None:
        phase.timed(lambda: engine.check(tokens[one.e164], desk.codes[one.e164]), (Approved,))

    return _run(pool, start, hands), _run(pool, resend, hands), _run(pool, check, hands)


def _hot(sizes: Sizes, pool: ThreadPoolExecutor, store: Store, clients: int, which: int) -> tuple[str, str, str]:
    """The default policy: its waits are what refuses."""
    desk, one = Desk(), number(which)
    engine = Engine(store, desk, pepper=PEPPER)
    sent = engine.start(one)
    assert isinstance(sent, Sent), sent
    token, code = sent.session.token or "", desk.codes[one.e164]
    wrong = str((int(code[0]) + 1) % 10) + code[1:]
    hands = dealt(range(max(sizes.operations, clients)), clients)

    def start(phase: _Phase, _turn: int) -> None:
        phase.timed(lambda: engine.start(one), (Wait,))

    def resend(phase: _Phase, _turn: int) -> None:
        phase.timed(lambda: engine.resend(token, one), (Wait,))

    def check(phase: _Phase, _turn: int) -> None:
        phase.timed(lambda: engine.check(token, wrong), (Wrong, Ended))

    return _run(pool, start, hands), _run(pool, resend, hands), _run(pool, check, hands)


def _awaited(sizes: Sizes, backend: Backend, first: int) -> tuple[str, str, str]:
    """Tasks of one loop, with a store of their own on the same records (but for the memory store)."""
    clients, desk = CLIENTS[-1], AsyncDesk()
    hands = dealt(numbers(range(first, first + max(sizes.operations, clients))), clients)
    tokens: dict[str, str] = {}

    async def phases() -> tuple[str, str, str]:
        engine = AsyncEngine(backend.build_async(), desk, pepper=PEPPER, profile=NO_WAITS)

        async def start(phase: _Phase, one: PhoneNumber) -> None:
            tokens[one.e164] = (await phase.awaited(engine.start(one), (Sent,))).session.token

        async def resend(phase: _Phase, one: PhoneNumber) -> None:
            await phase.awaited(engine.resend(tokens[one.e164], one), (Sent,))

        async def check(phase: _Phase, one: PhoneNumber) -> None:
            await phase.awaited(engine.check(tokens[one.e164], desk.codes[one.e164]), (Approved,))

        async with engine:
            return await _all(start, hands), await _all(resend, hands), await _all(check, hands)

    return asyncio.run(phases())


async def _all(work: Callable[[_Phase, PhoneNumber], Awaitable[None]], hands: Sequence[Sequence[PhoneNumber]]) -> str:
    phase = _Phase()

    async def all_of(hand: Sequence[PhoneNumber]) -> None:
        for one in hand:
            await work(phase, one)

    return phase.cell(await tasks(all_of, hands))
