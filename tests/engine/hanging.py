"""A vendor whose sends hang, two hundred callers of it in either colour, and who goes on meanwhile: S13.

Rules of this file: what hangs hangs on a latch, and nothing is measured before all of it does; every latch is opened.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from statistics import quantiles
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from otpcore.contract import CodeOwner, SendRequest
from otpcore.engine.aio import AsyncEngine
from otpcore.engine.sync import Engine
from otpcore.events import SendIntent
from otpcore.hookspecs import hookimpl
from otpcore.plugins import Plugins
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.results import Approved, SendResult, Sent
from tests.engine.colours import PEPPER
from tests.numbers import phone
from tests.places import Place

__all__ = ["CHECKS", "COLOURS", "HUNG", "Hanging", "checks_amid_hung_sends", "open_transactions", "p99"]

COLOURS: Final = ("blocking", "awaiting", "awaiting a blocking provider")
HUNG: Final = 200
CHECKS: Final = 200

HELD: Final = 500
"""The first number whose send hangs."""

BOUND_S: Final = 60.0
"""Only so that a mistake ends."""


class ByPurpose:
    """A route: payments by "slow", everything else by "quick"."""

    @hookimpl
    def otpcore_route(self, intent: SendIntent, candidates: Sequence[str]) -> Sequence[str]:
        return [name for name in candidates if name == ("slow" if intent.purpose == "payment" else "quick")]


class Hanging:
    """An engine over two vendors, one of which hangs while `latch` is closed.

    Attributes:
        slow: serves payments.
        quick: everything else.
        latch: closed, and the sends of `slow` hang.
        entered: released by each send that hangs.
    """

    def __init__(self, colour: str, store: Any, *, owner: CodeOwner = CodeOwner.CORE, **given: Any) -> None:
        plugins = Plugins()
        plugins.register(ByPurpose(), name="by-purpose")
        self.latch, self.entered = threading.Event(), threading.Semaphore(0)
        self.latch.set()
        self.hangs: asyncio.Event | None = None
        make = AsyncFakeProvider if colour == "awaiting" else FakeProvider
        self.slow: Any = make(owner=owner)
        self.quick: Any = make(owner=owner)
        self.slow.before_send = self._awaits if colour == "awaiting" else self._waits
        self.colour = colour
        kind: Any = Engine if colour == "blocking" else AsyncEngine
        self.engine: Any = kind(
            store,
            {"slow": self.slow, "quick": self.quick},
            plugins=plugins,
            purposes=("login", "payment"),
            **{"pepper": PEPPER, "timeout_s": 10.0, "provider_concurrency": HUNG, **given},
        )
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(HUNG + 8)
        self._ahead: list[Any] = []

    def _waits(self, _request: SendRequest) -> None:
        if not self.latch.is_set():
            self.entered.release()
            self.latch.wait(BOUND_S)

    async def _awaits(self, _request: SendRequest) -> None:
        if not self.latch.is_set():
            self.entered.release()
            assert self.hangs is not None
            await self.hangs.wait()

    def call(self, operation: str, *given: Any, **named: Any) -> Any:
        """One operation, to its end."""
        answer = getattr(self.engine, operation)(*given, **named)
        return answer if self.colour == "blocking" else self._loop.run_until_complete(answer)

    @contextmanager
    def hung(self, count: int = HUNG, *, hanging: int | None = None) -> Generator[None]:
        """While this many sends, or `hanging` of them, hang at the slow vendor; afterwards `results` are theirs."""
        self.latch.clear()
        numbers = [phone(HELD + n) for n in range(count)]
        if self.colour == "blocking":
            for number in numbers:
                self._ahead.append(self._pool.submit(self.call, "start", number, purpose="payment"))
        else:
            self._loop.run_until_complete(self._begin(numbers))
        try:
            for _ in range(count if hanging is None else hanging):
                if self.colour == "blocking":
                    assert self.entered.acquire(timeout=BOUND_S)
                else:
                    self._loop.run_until_complete(self._until_entered())
            yield
        finally:
            self.latch.set()
            if self.hangs is not None:
                self.hangs.set()

    async def _begin(self, numbers: Sequence[str]) -> None:
        self.hangs = asyncio.Event()
        for number in numbers:
            start: Coroutine[Any, Any, SendResult] = self.engine.start(number, purpose="payment")
            self._ahead.append(asyncio.ensure_future(start))

    async def _until_entered(self) -> None:
        end = time.monotonic() + BOUND_S
        while not self.entered.acquire(blocking=False):
            assert time.monotonic() < end
            await asyncio.sleep(0.001)  # for a state, not for a race: whoever hangs stays

    def results(self) -> list[Any]:
        """What became of the sends that hung."""
        if self.colour == "blocking":
            return [each.result(BOUND_S) for each in self._ahead]

        async def gathered() -> list[Any]:
            return list(await asyncio.gather(*self._ahead))

        return self._loop.run_until_complete(gathered())

    def close(self) -> None:
        """Let everybody go."""
        self.latch.set()
        self.results()
        self._pool.shutdown()
        self.call("close")
        self._loop.close()


def p99(times: Sequence[float]) -> float:
    """The 99th percentile."""
    return quantiles(times, n=100)[98]


def checks_amid_hung_sends(
    colour: str, owner: CodeOwner, store: Any, *, checks: int = CHECKS, meanwhile: Callable[[], None] | None = None
) -> float:
    """200 sends of a provider hang; its checks are answered all the same.

    Args:
        colour: of `COLOURS`.
        owner: of the codes; those of the provider are checked by the provider whose sends hang.
        store: for the engine.
        checks: how many.
        meanwhile: called while everything hangs, after the checks.

    Returns:
        The 99th percentile of a check's seconds.
    """
    world = Hanging(colour, store, owner=owner)
    try:
        tokens: list[tuple[Any, str]] = []
        for n in range(checks):
            sent = world.call("start", phone(n), purpose="payment")
            assert isinstance(sent, Sent)
            tokens.append((sent.session.token, world.slow.code_for(phone(n))))
        times: list[float] = []
        with world.hung():
            for token, code in tokens:
                began = time.perf_counter()
                answer = world.call("check", token, code)
                times.append(time.perf_counter() - began)
                assert isinstance(answer, Approved), answer
            if meanwhile is not None:
                meanwhile()
        assert all(isinstance(result, Sent) for result in world.results())
        return p99(times)
    finally:
        world.close()


def open_transactions(place: Place) -> int:
    """How many transactions are open on these records; at least one where the store cannot count them."""
    if place.store == "sqlite":
        path = place.address.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            try:
                # refused while another writes; and what it leaves in the log stays there while another reads
                other.executescript("BEGIN IMMEDIATE; CREATE TABLE looked (at); DROP TABLE looked; COMMIT")
                busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError:
                return 1
            return int(busy)
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        f"AND xact_start IS NOT NULL AND query LIKE '%%{place.own}_records%%'"
    )
    engine = sa.create_engine(place.address, poolclass=NullPool)
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(asked).scalar_one())
