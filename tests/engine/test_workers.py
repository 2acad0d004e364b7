"""Blocking plugins behind the awaiting engine: bounded, apart from each other, and taken back when still queued."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import selectors
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, Refusal, Refused, SendState, Sent, Undecided
from otpcore.contract import CheckAnswer, CheckRequest, CheckVerdict, CodeOwner, SendRequest
from otpcore.engine import workers
from otpcore.engine.aio import AsyncEngine
from otpcore.engine.bounding import NotStarted
from otpcore.engine.workers import AwaitedProvider, AwaitedStore, DirectStore, Workers, awaited_store
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import NUMBER, PEPPER, AwaitingStore, DiskLike
from tests.numbers import phone


@pytest.fixture
def latch() -> Iterator[threading.Event]:
    """Holds what waits for it until the test is over."""
    held = threading.Event()
    yield held
    held.set()


def test_no_more_threads_than_its_bound(latch: threading.Event) -> None:
    """S13."""

    async def story() -> int:
        pool = Workers("test", 3)
        running: list[None] = []
        started = threading.Semaphore(0)

        def call() -> None:
            running.append(None)
            started.release()
            latch.wait()

        tasks = [asyncio.create_task(pool.run(call)) for _ in range(10)]
        await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.to_thread(started.acquire)
        count = len(running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        latch.set()
        pool.close()
        return count

    assert asyncio.run(story()) == 3


def test_a_call_that_is_still_queued_at_its_deadline_is_taken_back(latch: threading.Event) -> None:
    async def story() -> None:
        pool, ran = Workers("test", 1), list[int]()
        first = asyncio.create_task(pool.run(latch.wait))
        await asyncio.sleep(0)
        with pytest.raises(NotStarted):
            await pool.run(lambda: ran.append(1), timeout_s=0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first), 0.01)
        latch.set()
        await first
        pool.close()
        assert ran == []

    asyncio.run(story())


def test_a_call_that_is_still_queued_when_its_pool_closes_never_ran(latch: threading.Event) -> None:
    """Its caller was not cancelled, and must not look as if: an engine that closes takes nobody's answer away."""

    async def story() -> None:
        pool, ran = Workers("test", 1), list[int]()
        first = asyncio.create_task(pool.run(latch.wait))
        queued = asyncio.create_task(pool.run(lambda: ran.append(1), timeout_s=10))
        await asyncio.sleep(0)
        pool.close()
        with pytest.raises(NotStarted):
            await queued
        latch.set()
        await first
        assert ran == []

    asyncio.run(story())


def test_a_call_under_way_at_its_deadline_may_have_run(latch: threading.Event) -> None:
    async def story() -> None:
        pool = Workers("test", 1)
        with pytest.raises(TimeoutError):
            await pool.run(latch.wait, timeout_s=0.01)
        latch.set()
        pool.close()

    asyncio.run(story())


def test_a_call_that_never_got_a_worker_is_given_back(latch: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 1: certainly not sent, so the step returns; a check is throttled and its try returns."""
    monkeypatch.setattr(workers, "LATE_S", 0.01)

    async def story() -> None:
        vendor = FakeProvider()
        entered, checks = threading.Event(), threading.Event()

        def hang(_request: SendRequest) -> None:
            entered.set()
            latch.wait()

        def hangs(_request: CheckRequest) -> CheckAnswer:
            checks.set()
            latch.wait()
            return CheckAnswer(CheckVerdict.WRONG)

        engine = AsyncEngine(MemoryStore(), vendor, pepper=PEPPER, timeout_s=0.05, provider_concurrency=1)
        sent, other = await engine.start("+12025550111"), await engine.start("+12025550113")
        assert isinstance(sent, Sent)
        assert isinstance(other, Sent)
        vendor.before_send = hang
        monkeypatch.setattr(vendor, "check", hangs)
        first = asyncio.create_task(engine.start("+12025550112"))
        await asyncio.to_thread(entered.wait)
        refused = await engine.start(NUMBER)
        assert isinstance(refused, Refused)
        assert refused.kind is Refusal.TRANSIENT
        lost = asyncio.create_task(engine.check(other.session.token or "", "123456"))
        await asyncio.to_thread(checks.wait)
        checked = await engine.check(sent.session.token or "", "123456")
        assert isinstance(checked, Refused)
        assert (checked.kind, checked.next.checks_left) == (Refusal.RATE_LIMITED, 5)
        assert isinstance(await lost, Undecided)
        hung = await first
        assert isinstance(hung, Sent)
        assert hung.state is SendState.UNKNOWN
        latch.set()
        await engine.close()

    asyncio.run(story())


def sends_that_hang_hold_up_no_report() -> None:
    """S13: the check of a core's code asks nobody, and its report does not queue behind sends."""
    latch, entered = threading.Event(), threading.Semaphore(0)

    async def story() -> None:
        vendor = FakeProvider(owner=CodeOwner.CORE)
        engine = AsyncEngine(MemoryStore(), vendor, pepper=PEPPER, timeout_s=2, provider_concurrency=8)
        sent = await engine.start(NUMBER)
        assert isinstance(sent, Sent)

        def hang(_request: SendRequest) -> None:
            entered.release()
            latch.wait()

        code = vendor.code_for(NUMBER)
        vendor.before_send = hang
        hung = [asyncio.create_task(engine.start(phone(n))) for n in range(9)]
        await asyncio.sleep(0)
        for _ in range(8):
            await asyncio.to_thread(entered.acquire)
        try:
            assert isinstance(await engine.check(sent.session.token or "", code), Approved)
            assert len(vendor.reported) == 1
        finally:
            latch.set()
            await asyncio.gather(*hung)
            await engine.close()

    asyncio.run(story())


def test_sends_that_hang_hold_up_no_report() -> None:
    sends_that_hang_hold_up_no_report()


def test_a_provider_that_hangs_holds_up_neither_the_store_nor_another_recipient(latch: threading.Event) -> None:
    """S13: the store has threads of its own."""

    async def story() -> None:
        slow, quick = FakeProvider(), FakeProvider()

        def hang(_request: SendRequest) -> None:
            latch.wait()

        slow.before_send = hang
        engine = AsyncEngine(DiskLike(), {"slow": slow, "quick": quick}, pepper=PEPPER)
        hung = [asyncio.create_task(engine.start(phone(n))) for n in range(40)]
        other = AsyncEngine(engine_store(engine), quick, pepper=PEPPER)
        for n in range(100, 110):
            assert isinstance(await other.start(phone(n)), Sent)
        latch.set()
        await asyncio.gather(*hung)
        await engine.close()

    asyncio.run(story())


def engine_store(engine: AsyncEngine) -> Any:
    """The store behind the adapter of an engine."""
    store: Any = engine._store  # pyright: ignore[reportPrivateUsage]  # two engines over one store object
    return store._store


def test_a_cancelled_caller_leaves_a_reserved_send_that_its_lease_settles(latch: threading.Event) -> None:
    """Invariant 1: the step stays taken, and nobody knows whether the message left."""
    from otpcore.model import RecipientRecord

    async def story() -> None:
        from tests.properties.world import EPOCH

        now = [EPOCH]
        entered, vendor, store = threading.Event(), FakeProvider(clock=lambda: EPOCH), MemoryStore()

        def hang(_request: SendRequest) -> None:
            entered.set()
            latch.wait()

        vendor.before_send = hang
        engine = AsyncEngine(store, vendor, pepper=PEPPER, clock=lambda: now[0])
        task = asyncio.create_task(engine.start(NUMBER, by_recipient=True))
        await asyncio.to_thread(entered.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        def states() -> list[SendState]:
            (entry,) = [found for key, found in store.scan("", 10) if "/r/" in key]
            return [send.state for send in RecipientRecord.decode(entry.data).sends]

        assert states() == [SendState.RESERVED]
        now[0] += timedelta(minutes=3)
        vendor.before_send = None
        latch.set()
        assert isinstance(await engine.start(NUMBER, by_recipient=True), Sent)
        assert states() == [SendState.UNKNOWN, SendState.ACCEPTED]
        await engine.close()

    asyncio.run(story())


class Leaping(asyncio.SelectorEventLoop):
    """Its time stands still while it has something to do, and then leaps to what is due next: nobody waits."""

    def __init__(self) -> None:
        now = self._now = [0.0]

        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
                now[0] += max(timeout or 0.0, 0.0)
                return super().select(0)

        super().__init__(Selector())

    def time(self) -> float:
        return self._now[0]


@pytest.mark.parametrize("lane", ["send", "check"])
def test_a_coroutine_that_never_ends_is_waited_for_a_second_longer(lane: str) -> None:
    """S13: the deadline is the engine's too; docs/concepts/availability.md names the second."""

    async def hang(_request: object) -> None:
        await asyncio.Event().wait()

    async def story(loop: asyncio.AbstractEventLoop) -> float:
        vendor = AsyncFakeProvider()
        setattr(vendor, lane, hang)
        engine = AsyncEngine(MemoryStore(), vendor, pepper=PEPPER, timeout_s=0.25)
        sent = await engine.start(NUMBER)
        assert isinstance(sent, Sent)
        if lane == "send":
            assert sent.state is SendState.UNKNOWN
        else:  # whose send took no time
            assert isinstance(await engine.check(sent.session.token or "", "123456"), Undecided)
        return loop.time()

    with asyncio.Runner(loop_factory=Leaping) as runner:
        assert runner.run(story(runner.get_loop())) == pytest.approx(1.25)


def child(answers: Any, pool: Workers) -> None:
    answers.put((asyncio.run(pool.run(os.getpid)), os.getpid()))


def test_workers_start_anew_in_a_forked_child() -> None:
    pool = Workers("test", 1)
    asyncio.run(pool.run(os.getpid))
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=child, args=(answers, pool))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    ran_in, was = answers.get()
    assert ran_in == was
    pool.close()


def test_a_store_is_adapted_only_where_it_blocks() -> None:
    assert isinstance(awaited_store(MemoryStore()), DirectStore)
    assert isinstance(awaited_store(DiskLike()), AwaitedStore)
    awaiting: Any = AwaitingStore(MemoryStore())
    assert awaited_store(awaiting) is awaiting


@pytest.mark.parametrize("make", [DirectStore, AwaitedStore])
def test_an_adapted_store_is_the_store(make: Callable[[Any], Any]) -> None:
    from tests.properties.world import EPOCH

    async def story() -> None:
        inner = MemoryStore()
        store = make(inner)
        assert store.capabilities == inner.capabilities
        version = await store.commit("t/r/k", b"x", expect=None, gc_at=EPOCH)
        assert (await store.load("t/r/k")).version == version
        assert await store.sweep(EPOCH + timedelta(days=1), limit=5) == 1
        await store.close()
        await store.close()

    asyncio.run(story())


def test_an_adapted_provider_is_the_provider() -> None:
    class Asked(FakeProvider):
        def reconcile_check(self, handle: str, timeout_s: float) -> None:
            return None

    async def story() -> None:
        inner = Asked()
        provider = AwaitedProvider(inner, 2)
        assert provider.capabilities == inner.capabilities
        assert await provider.cancel("none", 1.0) is False
        assert await provider.reconcile_check("none", 1.0) is None
        answer = await provider.check(CheckRequest("none", None, "123456", 1.0))
        assert answer.verdict is CheckVerdict.GONE
        await provider.close()

    asyncio.run(story())
