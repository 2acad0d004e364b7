"""Tasks whose calls go together: what arrives in one tick is one trip, and nobody who gives up stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from otpcore import Sent
from otpcore.contract import CodeOwner, Conflict, Versioned
from otpcore.engine import aio_combining
from otpcore.engine.aio import AsyncEngine
from otpcore.engine.aio_combining import AsyncCombinedStore
from otpcore.engine.trips import raised
from otpcore.engine.workers import AwaitedStore, awaited_store
from otpcore.errors import CommitUnknown, StoreFull, StoreUnavailable
from otpcore.providers.fake import AsyncFakeProvider
from tests.engine.colours import PEPPER, AwaitingStore, DiskLike
from tests.engine.gated import AsyncGatedStore, GatedStore
from tests.numbers import phone
from tests.properties.world import EPOCH


class Crowd:
    """Tasks over a gated store, each with one call."""

    def __init__(self) -> None:
        self.gated = AsyncGatedStore()
        self.store = AsyncCombinedStore(self.gated)

    def load(self, key: str) -> asyncio.Task[Any]:
        return asyncio.create_task(self.store.load(key))

    def commit(self, key: str, data: bytes | None = b"x", expect: Any = None) -> asyncio.Task[Any]:
        async def make() -> Any:
            return await self.store.commit(key, data, expect=expect, gc_at=EPOCH)

        return asyncio.create_task(make())

    async def trip(self) -> tuple[str, list[str], asyncio.Future[None]]:
        """The only trip that is on its way."""
        await settled()
        ((what, keys, fate),) = [each for each in self.gated.trips if not each[2].done()]
        return what, keys, fate


async def settled() -> None:
    """Everybody has gone as far as they can without an answer."""
    for _ in range(10):
        await asyncio.sleep(0)


def told(story: Callable[[Crowd], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test whose story is awaited."""

    def test() -> None:
        async def run() -> None:
            await asyncio.wait_for(story(Crowd()), 30)

        asyncio.run(run())

    return test


@told
async def test_who_comes_alone_goes_at_once_in_its_own_task(crowd: Crowd) -> None:
    alone = crowd.load("a")
    what, keys, fate = await crowd.trip()
    assert (what, keys) == ("load", ["a"])
    alone.cancel()  # and takes its own trip with it
    await settled()
    assert fate.cancelled()


@told
async def test_who_comes_meanwhile_goes_together_on_the_next_trip(crowd: Crowd) -> None:
    calls = [crowd.commit(f"k{number}") for number in range(10)]
    what, keys, fate = await crowd.trip()
    assert (what, keys) == ("commit", ["k0"])
    fate.set_result(None)
    what, keys, fate = await crowd.trip()
    assert (what, keys) == ("commit_many", [f"k{number}" for number in range(1, 10)])
    fate.set_result(None)
    assert len(set(await asyncio.gather(*calls))) == 10


@told
async def test_what_those_who_were_just_answered_ask_next_goes_with_the_next_trip(crowd: Crowd) -> None:
    """One behind the trip does not go alone while the many of the trip are about to ask again."""

    async def twice(key: str) -> None:
        await crowd.store.load(key)
        await crowd.store.load(key)

    calls = [asyncio.create_task(twice(f"k{number}")) for number in range(4)]
    (await crowd.trip())[2].set_result(None)
    _, keys, fate = await crowd.trip()
    assert keys == ["k1", "k2", "k3", "k0"]
    late = crowd.load("late")
    await settled()
    fate.set_result(None)
    _, keys, fate = await crowd.trip()
    assert sorted(keys) == ["k1", "k2", "k3", "late"]
    fate.set_result(None)
    await asyncio.gather(late, *calls)


@told
async def test_a_caller_that_gives_up_does_not_stop_the_trip_of_the_others(crowd: Crowd) -> None:
    calls = [crowd.commit(key) for key in "abcd"]
    _, _, fate = await crowd.trip()
    calls[3].cancel()  # while it waits: it never leaves
    fate.set_result(None)
    _, keys, fate = await crowd.trip()
    assert keys == ["b", "c"]
    calls[1].cancel()  # on its way: nobody knows, and its companion goes on
    await settled()
    assert not fate.done()
    fate.set_result(None)
    assert isinstance(await calls[2], str)
    assert crowd.gated.inner.load("b") is not None
    assert crowd.gated.inner.load("d") is None
    alone = crowd.load("a")
    (await crowd.trip())[2].set_result(None)
    assert (await alone).data == b"x"


def test_a_caller_that_takes_the_trip_of_the_others_with_it_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted, for the test before."""

    async def ride(lane: Any, call: Any) -> object:
        lane._waiting.append(call)
        try:
            return raised(await call.future)
        except asyncio.CancelledError:
            if lane._trip is not None:
                lane._trip.cancel()
            raise

    monkeypatch.setattr(aio_combining._Lane, "ride", ride)  # pyright: ignore[reportPrivateUsage]  # planted
    with pytest.raises(AssertionError):
        test_a_caller_that_gives_up_does_not_stop_the_trip_of_the_others()


@told
async def test_a_caller_that_gives_up_alone_frees_the_way(crowd: Crowd) -> None:
    alone, behind = crowd.load("a"), crowd.load("b")
    await settled()
    alone.cancel()
    what, keys, fate = await crowd.trip()
    assert (what, keys) == ("load", ["b"])
    fate.set_result(None)
    assert await behind is None


@told
async def test_when_all_who_wait_give_up_nothing_leaves(crowd: Crowd) -> None:
    alone, behind = crowd.load("a"), crowd.load("b")
    _, _, fate = await crowd.trip()
    behind.cancel()
    fate.set_result(None)
    await alone
    await settled()
    assert len(crowd.gated.trips) == 1
    again = crowd.load("c")
    (await crowd.trip())[2].set_result(None)
    assert await again is None


@told
async def test_one_hot_key_costs_64_clients_two_trips(crowd: Crowd) -> None:
    calls = [crowd.commit("a", str(number).encode()) for number in range(64)]
    (await crowd.trip())[2].set_result(None)
    what, keys, fate = await crowd.trip()
    assert (what, keys) == ("commit", ["a"])
    fate.set_result(None)
    version, *lost = await asyncio.gather(*calls)
    assert lost == [Conflict(Versioned(b"0", version))] * 63


@told
async def test_an_error_as_an_items_answer_is_raised_to_its_caller_alone(crowd: Crowd) -> None:
    def answered(_commits: Any) -> Any:
        return [StoreFull(), "version"]

    crowd.gated.made = answered
    first, full, fine = crowd.commit("a"), crowd.commit("full"), crowd.commit("fine")
    for _ in range(2):
        (await crowd.trip())[2].set_result(None)
    await first
    with pytest.raises(StoreFull):
        await full
    assert await fine == "version"


@told
async def test_a_batch_with_too_few_answers_tells_nobody_anything(crowd: Crowd) -> None:
    def answered(_commits: Any) -> Any:
        return ["version"]

    crowd.gated.made = answered
    first, *others = [crowd.commit(key) for key in "abc"]
    for _ in range(2):
        (await crowd.trip())[2].set_result(None)
    await first
    for each in others:
        with pytest.raises(ValueError, match="1 answers"):
            await each


@told
async def test_what_a_batch_raises_is_raised_to_all_who_were_in_it(crowd: Crowd) -> None:
    first, *others = [crowd.commit(key) for key in "abc"]
    (await crowd.trip())[2].set_result(None)
    (await crowd.trip())[2].set_exception(CommitUnknown())
    await first
    for each in others:
        with pytest.raises(CommitUnknown):
            await each


@told
async def test_a_trip_that_is_stopped_from_outside_tells_its_callers_and_the_next_goes(crowd: Crowd) -> None:
    """As when a loop ends and stops every task."""
    first, loaded, other = crowd.load("a"), crowd.load("b"), crowd.load("c")
    (await crowd.trip())[2].set_result(None)
    _, _, fate = await crowd.trip()
    behind = crowd.load("d")
    await settled()
    fate.cancel()
    await first
    for each in (loaded, other):
        with pytest.raises(StoreUnavailable):
            await each
    (await crowd.trip())[2].set_result(None)
    assert await behind is None


def test_a_loop_that_ends_leaves_the_way_free_for_another() -> None:
    crowd = Crowd()

    async def abandoned() -> None:
        calls = [crowd.load(key) for key in "abc"]
        (await crowd.trip())[2].set_result(None)
        await calls[0]
        await crowd.trip()

    async def after() -> None:
        call = crowd.load("d")
        (await crowd.trip())[2].set_result(None)
        assert await call is None

    asyncio.run(abandoned())
    crowd.gated.trips.clear()
    asyncio.run(after())


def test_a_store_is_combined_only_where_it_takes_batches() -> None:
    gated: Any = AsyncGatedStore()
    assert isinstance(awaited_store(gated), AsyncCombinedStore)
    assert isinstance(awaited_store(GatedStore()), AsyncCombinedStore)
    assert isinstance(awaited_store(DiskLike()), AwaitedStore)


def test_a_wrapper_that_claims_batches_and_has_none_is_driven_without() -> None:
    claims: Any = AwaitingStore(DiskLike())
    claims.capabilities = AsyncGatedStore.capabilities
    assert awaited_store(claims) is claims


@pytest.mark.parametrize("blocking", [True, False])
def test_the_calls_of_an_engines_tasks_go_together(blocking: bool) -> None:
    """16 starts commit twice each; a blocking store is asked by one worker for all of them."""

    async def story() -> None:
        store: Any = GatedStore() if blocking else AsyncGatedStore()
        together: list[int] = []

        def count(what: str, keys: Any, *work: Any) -> Any:
            together.append(len(keys))
            return work[0]() if work else asyncio.sleep(0)

        store._pass = count
        async with AsyncEngine(store, AsyncFakeProvider(owner=CodeOwner.CORE), pepper=PEPPER) as engine:
            await engine.start(phone(100))  # what is done once is done
            together.clear()
            for each in await asyncio.gather(*(engine.start(phone(number)) for number in range(16))):
                assert isinstance(each, Sent)
        assert sum(together) == 32
        assert len(together) <= 8

    asyncio.run(story())
