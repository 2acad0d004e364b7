"""Threads whose calls go together, when one is interrupted or forks: nobody else is left waiting."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from otpcore.engine import combining
from otpcore.engine.combining import CombinedStore
from otpcore.engine.trips import board, settle
from otpcore.errors import CommitUnknown
from tests.engine.crowd import Crowd, answer
from tests.engine.gated import TIMEOUT_S
from tests.properties.world import EPOCH


def keeps_the_way(self: Any, way: Any) -> None:
    """Planted: a trip that fails tells nobody, and the way is not handed on."""
    trip: Any
    with self._mutex:
        trip, self.waiting = board(self.waiting)
    self.lost = [call for calls in trip.values() for call in calls]  # so that the test can end
    settle(trip, self._travel([calls[0] for calls in trip.values()]))
    self._leave(way)


@pytest.mark.parametrize("planted", [None, keeps_the_way])
def test_a_leader_that_is_interrupted_takes_nobody_with_it(
    planted: Any, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its companions are told that nobody knows, and the next goes on."""
    if planted is not None:
        monkeypatch.setattr(combining._Lane, "_lead", planted)  # pyright: ignore[reportPrivateUsage]  # where it is decided
    first = crowd.commit("a")
    gate = crowd.gated.next()
    leader = crowd.commit("b")
    crowd.until_waiting(1)
    companion = crowd.commit("c")
    crowd.until_waiting(2)
    gate.open()
    gate = crowd.gated.next()
    behind = crowd.commit("d")
    crowd.until_waiting(1)
    gate.open(KeyboardInterrupt())
    answer(first)
    with pytest.raises(KeyboardInterrupt):
        answer(leader)
    if planted is not None:  # the leader has gone, and both wait for ever
        assert_nobody_goes(crowd, companion, behind)
        return
    crowd.gated.next().open()
    with pytest.raises(CommitUnknown):
        answer(companion)
    assert isinstance(answer(behind), str)


def assert_nobody_goes(crowd: Crowd, companion: Future[Any], behind: Future[Any]) -> None:
    """The way is taken and nobody has it; then both are let go, so that the test ends."""
    lane: Any = crowd.store._commits  # pyright: ignore[reportPrivateUsage]  # whether anybody will ever go
    with lane._mutex:  # no thread is between two steps
        assert lane.way.locked()
        assert [(call.key, call.way is not None) for call in lane.waiting] == [("d", False)]
    assert not companion.done()
    assert not behind.done()
    for call in lane.lost:
        call.give(None)
    lane._leave(lane.way)
    crowd.gated.next().open()
    answer(companion)
    answer(behind)


def test_who_is_interrupted_alone_on_its_way_frees_it(crowd: Crowd) -> None:
    alone = crowd.load("a")
    gate = crowd.gated.next()
    behind = crowd.load("b")
    crowd.until_waiting(1, "_loads")
    gate.open(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        answer(alone)
    crowd.gated.next().open()
    assert answer(behind) is None


def stays(_lane: Any, _call: Any) -> None:
    """Planted: an interrupted call stays in the row."""


@pytest.mark.parametrize("withdraws", [True, False])
def test_a_thread_that_is_interrupted_while_it_waits_does_not_keep_the_lead(
    withdraws: bool, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal reaches the main thread, which waits first in the row; the thread behind it makes the trip."""
    if not withdraws:
        monkeypatch.setattr(combining._Lane, "_withdraw", stays)  # pyright: ignore[reportPrivateUsage]  # planted

    def interrupted(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupted)
    main = threading.get_ident()
    first = crowd.commit("a")
    gate = crowd.gated.next()
    behind: list[Future[Any]] = []

    def interrupt() -> None:
        crowd.until_waiting(1)
        behind.append(crowd.commit("behind"))
        crowd.until_waiting(2)
        signal.pthread_kill(main, signal.SIGUSR1)

    interrupting = crowd.pool.submit(interrupt)
    with pytest.raises(KeyboardInterrupt):
        crowd.store.commit("main", b"x", expect=None, gc_at=EPOCH)
    answer(interrupting)
    signal.signal(signal.SIGUSR1, before)
    gate.open()
    answer(first)
    lane = crowd.store._commits  # pyright: ignore[reportPrivateUsage]  # whether anybody will ever go
    if withdraws:
        crowd.gated.next().open()
        assert isinstance(answer(behind[0]), str)
        assert crowd.gated.inner.load("main") is None
    else:
        with lane._mutex:  # pyright: ignore[reportPrivateUsage]  # no thread is between two steps
            assert [call.key for call in lane.waiting if call.way is not None] == ["main"]
            dead = lane.waiting.pop(0)
        assert dead.key == "main"
        lane._leave(lane.way)  # pyright: ignore[reportPrivateUsage]  # so that this test ends
        crowd.gated.next().open()
        answer(behind[0])


def same(_store: Any) -> None:
    """Planted: a child goes on with what its parent had."""


def child(answers: Any, store: CombinedStore) -> None:
    gated: Any = store._store  # pyright: ignore[reportPrivateUsage]  # of this child
    gated.free, gated.inner.load = True, str.upper
    taken = store._loads.way.locked()  # pyright: ignore[reportPrivateUsage]  # nobody here would ever free it
    answers.put("taken" if taken else store.load("a"))


@pytest.mark.parametrize("begins_anew", [True, False])
def test_a_forked_child_begins_with_a_free_way(
    begins_anew: bool, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the control the way stays taken by a thread of the parent."""
    if not begins_anew:
        monkeypatch.setattr(CombinedStore, "after_fork", same)
    alone = crowd.load("a")
    gate = crowd.gated.next()
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=child, args=(answers, crowd.store))
    process.start()
    process.join(TIMEOUT_S)
    hung = process.exitcode is None
    if hung:
        os.kill(process.pid or 0, signal.SIGKILL)
    gate.open()
    answer(alone)
    assert not hung
    assert answers.get() == ("A" if begins_anew else "taken")


@pytest.mark.parametrize("takes_over", [True, False])
def test_a_way_that_nobody_hands_on_is_taken_over(
    takes_over: bool, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal's exception between two steps may leave the way taken for ever: who comes then waits no longer."""
    monkeypatch.setattr(combining, "PATIENCE_S", 0.01)
    lane = crowd.store._commits  # pyright: ignore[reportPrivateUsage]  # what an interrupted thread leaves behind
    assert lane.way.acquire(blocking=False)
    tried = threading.Event()

    def waits_on(_call: object) -> None:
        tried.set()

    if not takes_over:
        monkeypatch.setattr(lane, "_take_over", waits_on)
    crowd.gated.free = True
    calls = [crowd.commit(f"k{number}") for number in range(3)]
    if takes_over:
        assert all(isinstance(answer(call), str) for call in calls)
        assert isinstance(answer(crowd.commit("later")), str)
    else:
        assert tried.wait(TIMEOUT_S)
        assert not any(call.done() for call in calls)
        lane.way.release()
        lane.wake()
        assert all(isinstance(answer(call), str) for call in calls)


def test_who_is_only_slow_hands_on_no_way_but_its_own(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trips at once do no harm, and the slow one's end frees nothing that another holds."""
    monkeypatch.setattr(combining, "PATIENCE_S", 0.01)
    lane = crowd.store._commits  # pyright: ignore[reportPrivateUsage]  # who holds what
    slow = crowd.commit("slow")
    held = crowd.gated.next()
    other = crowd.commit("other")
    second = crowd.gated.next()  # it took the way over
    held.open()
    assert isinstance(answer(slow), str)
    assert lane.way.locked()
    second.open()
    assert isinstance(answer(other), str)
    crowd.gated.free = True
    assert isinstance(answer(crowd.commit("later")), str)
