"""Threads whose calls go together: who leads, who waits, and that nobody is left waiting."""

from __future__ import annotations

from typing import Any

import pytest

from otpcore import CodeOwner, Engine
from otpcore.contract import Conflict, Versioned
from otpcore.engine import combining
from otpcore.engine.combining import CombinedStore, combined
from otpcore.engine.trips import board, settle
from otpcore.errors import CommitUnknown, StoreFull, StoreUnavailable
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import PEPPER, DiskLike
from tests.engine.crowd import PAUSE, Crowd, answer
from tests.engine.gated import GatedStore
from tests.properties.world import EPOCH


def test_who_comes_alone_goes_at_once_on_its_own_thread(crowd: Crowd) -> None:
    crowd.gated.free = True
    version: Any = crowd.store.commit("a", b"x", expect=None, gc_at=EPOCH)
    assert crowd.store.load("a") == Versioned(b"x", version)
    assert [crowd.gated.next().what for _ in range(2)] == ["commit", "load"]


def test_who_comes_meanwhile_goes_together_on_the_next_trip(crowd: Crowd) -> None:
    first = crowd.commit("a")
    gate = crowd.gated.next()
    others = [crowd.commit(f"k{number}") for number in range(10)]
    crowd.until_waiting(10)
    gate.open()
    assert isinstance(answer(first), str)
    gate = crowd.gated.next()
    assert (gate.what, sorted(gate.keys)) == ("commit_many", [f"k{number}" for number in range(10)])
    gate.open()
    assert len({answer(each) for each in others}) == 10
    assert crowd.gated.trips.empty()


def test_loads_and_commits_do_not_wait_for_each_other(crowd: Crowd) -> None:
    commit = crowd.commit("a")
    held = crowd.gated.next()
    load = crowd.load("a")
    crowd.gated.next().open()
    assert answer(load) is None
    held.open()
    answer(commit)


def late_boarding(self: Any) -> None:
    """Planted: whoever came while the trip was on its way is told what it brought."""
    trip: Any
    with self._mutex:
        trip, self.waiting = board(self.waiting)
    answers = self._travel([calls[0] for calls in trip.values()])
    with self._mutex:
        late, self.waiting = self.waiting, []
    for call in late:
        trip.setdefault(call.key, []).append(call)
    settle(trip, answers)
    self._leave()


@pytest.mark.parametrize("planted", [None, late_boarding])
def test_a_load_never_gives_what_was_read_before_it_came(
    planted: Any, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load is on its way and has read; a commit is acknowledged; who loads then sees the commit."""
    if planted is not None:
        monkeypatch.setattr(combining._Lane, "_lead", planted)  # pyright: ignore[reportPrivateUsage]  # where it is decided
    read = crowd.gated.inner.load
    alone, early = crowd.load("a"), None
    gate = crowd.gated.next()
    early = crowd.load("a")
    crowd.until_waiting(1, "_loads")
    gate.open()
    answer(alone)
    gate = crowd.gated.next()
    slow = read("a")  # what the trip has read, before it is back
    crowd.gated.inner.load = lambda key: slow  # type: ignore[method-assign]
    committed = crowd.commit("a", b"new")
    crowd.gated.next().open()
    version = answer(committed)
    late = crowd.load("a")
    crowd.until_waiting(1, "_loads")
    gate.open()
    assert answer(early) is None
    crowd.gated.inner.load = read  # type: ignore[method-assign]
    crowd.gated.free = True
    if planted is None:
        crowd.gated.next().open()
    assert (answer(late) == Versioned(b"new", version)) == (planted is None)


def test_one_hot_key_costs_64_clients_two_trips(crowd: Crowd) -> None:
    """63 who expect absence wait behind the first creation: one trip tells them all."""
    first = crowd.commit("a", b"first")
    gate = crowd.gated.next()
    others = [crowd.commit("a", str(number).encode()) for number in range(63)]
    crowd.until_waiting(63)
    gate.open()
    stands = Versioned(b"first", answer(first))
    gate = crowd.gated.next()
    assert gate.what == "commit"
    gate.open()
    assert [answer(each) for each in others] == [Conflict(stands)] * 63
    assert crowd.gated.trips.empty()


def test_more_than_128_keys_take_several_trips(crowd: Crowd) -> None:
    first = crowd.commit("a")
    gate = crowd.gated.next()
    others = [crowd.commit(f"k{number}") for number in range(150)]
    crowd.until_waiting(150)
    gate.open()
    sizes: list[int] = []
    for _ in range(2):
        gate = crowd.gated.next()
        sizes.append(len(gate.keys))
        gate.open()
    assert sizes == [128, 22]
    assert len({answer(each) for each in (first, *others)}) == 151


def test_an_error_as_an_items_answer_is_raised_to_its_caller_alone(crowd: Crowd) -> None:
    first = crowd.commit("a")
    gate = crowd.gated.next()
    full, fine = crowd.commit("full"), crowd.commit("fine")
    crowd.until_waiting(2)
    crowd.gated.made = lambda commits: [StoreFull() if each.key == "full" else "version" for each in commits]
    gate.open()
    crowd.gated.next().open()
    answer(first)
    with pytest.raises(StoreFull):
        answer(full)
    assert answer(fine) == "version"


@pytest.mark.parametrize("error", [StoreUnavailable("down"), CommitUnknown("in doubt"), ValueError("a driver's")])
def test_what_a_batch_raises_is_raised_to_all_who_were_in_it(crowd: Crowd, error: Exception) -> None:
    first = crowd.commit("a")
    gate = crowd.gated.next()
    others = [crowd.commit("b"), crowd.commit("c")]
    crowd.until_waiting(2)
    gate.open()
    crowd.gated.next().open(error)
    answer(first)
    for each in others:
        with pytest.raises(type(error)):
            answer(each)


def test_a_batch_with_too_few_answers_tells_nobody_anything(crowd: Crowd) -> None:
    first = crowd.commit("a")
    gate = crowd.gated.next()
    others = [crowd.commit("b"), crowd.commit("c")]
    crowd.until_waiting(2)
    crowd.gated.made = lambda _commits: ["version"]
    gate.open()
    crowd.gated.next().open()
    answer(first)
    for each in others:
        with pytest.raises(ValueError, match="1 answers"):
            answer(each)


def test_only_a_store_that_waits_and_takes_batches_is_combined() -> None:
    plain, gated = DiskLike(), GatedStore()
    assert combined(plain) is plain
    assert isinstance(combined(gated), CombinedStore)
    memory = MemoryStore()
    assert combined(memory) is memory


def test_a_wrapper_that_claims_batches_and_has_none_is_driven_without() -> None:
    class Claims(DiskLike):
        @property
        def capabilities(self) -> Any:
            return GatedStore.capabilities

    claims = Claims()
    assert combined(claims) is claims


def test_the_calls_of_an_engines_threads_go_together(crowd: Crowd) -> None:
    vendor = FakeProvider(owner=CodeOwner.CORE)
    with Engine(crowd.gated, vendor, pepper=PEPPER) as engine:
        crowd.gated.free = True
        engine.start("+12025550100")  # what is done once is done
        while not crowd.gated.trips.empty():
            crowd.gated.next()
        crowd.gated.free = False
        starts = [crowd.pool.submit(engine.start, f"+1202555010{number}") for number in range(1, 9)]
        together: list[int] = []
        while not all(each.done() for each in starts):
            if crowd.gated.trips.empty():
                PAUSE.wait(0.001)
                continue
            gate = crowd.gated.next()
            together.append(len(gate.keys))
            gate.open()
        assert sum(together) == 16
        assert len(together) < 16


def test_sweeping_and_closing_go_past_the_lanes(crowd: Crowd) -> None:
    assert crowd.store.capabilities is crowd.gated.capabilities
    assert crowd.store.sweep(EPOCH, limit=1) == 0
    crowd.store.close()
    with pytest.raises(StoreUnavailable):
        crowd.gated.inner.load("a")
