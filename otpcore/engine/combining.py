"""Concurrent calls of several threads as one trip to a store that takes batches.

Who comes alone goes at once, on its own thread, by the store's single methods. Who comes while a trip is on its way
waits, and goes with all the others who do; the first of them carries the call of each. There is no thread of ours.

Rules of this file: who waits for whom; who goes together and what it means is in `otpcore.engine.trips`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, Final, cast

from otpcore.contract import CommitRequest, Conflict, StoreCapabilities, Version, Versioned
from otpcore.engine.trips import Call, Trip, board, fail, raised, settle
from otpcore.ports import Batches, Store

__all__ = ["CombinedStore", "combined", "takes_batches"]


PATIENCE_S: Final = 30.0
"""Longer than a store takes to give up. Who waits so long goes alone: the thread that was on its way is no more, for a
signal's exception met it between two steps; and if it is only slow, a second trip beside it harms nobody."""


class _Call(Call):
    """The call of a thread that waits.

    Attributes:
        way: its lane's, when its thread has the next trip to make.
        turn: free when it was told its answer, or has the way.
    """

    __slots__ = ("answer", "is_told", "turn", "way")

    def __init__(self, key: str, commit: CommitRequest | None = None) -> None:
        super().__init__(key, commit)
        self.answer: object = None
        self.is_told = False
        self.way: Lock | None = None
        self.turn = Lock()
        self.turn.acquire()

    def give(self, answer: object) -> None:
        if not self.is_told:
            self.answer, self.is_told = answer, True
            self.turn.release()


class _Lane:
    """Calls of one kind, one trip at a time.

    Args:
        travel: makes the calls on one trip; an answer for each, in order.

    Attributes:
        way: held by the thread that is on a trip.
        waiting: whose calls go with the next one; its first may be a thread that has the way already.
    """

    def __init__(self, travel: Callable[[Sequence[Call]], Sequence[object]]) -> None:
        self._travel = travel
        self.reset()

    def reset(self) -> None:
        """Nobody is here: at first, and in a forked child, which has none of its parent's threads."""
        self._mutex = Lock()
        self.way = Lock()
        self.waiting: list[_Call] = []

    def wake(self) -> None:
        """The next trip, by a thread that waits, if the way is still free."""
        with self._mutex:
            if self.waiting and self.way.acquire(blocking=False):
                self._follow()

    def _leave(self, way: Lock, first: Sequence[_Call] = ()) -> None:
        """Hand the way on: to who goes `first`, to who waits, or to who comes."""
        with self._mutex:
            self.waiting[:0] = first
            if way is not self.way:  # it was taken over
                way = self.way
                if not way.acquire(blocking=False):
                    return
            if self.waiting:
                self._follow()
            else:
                way.release()

    def _follow(self) -> None:
        """The first who waits has the way now, and is on board for certain."""
        following = self.waiting[0]
        following.way = self.way
        following.turn.release()

    def ride(self, call: _Call) -> object:
        """The answer of a call that goes with others; raises what it is answered with, or what its trip raised."""
        with self._mutex:  # who frees the way looks afterwards whether somebody waits, so none is overlooked
            self.waiting.append(call)
            if self.way.acquire(blocking=False):
                self._follow()
        try:
            while not call.turn.acquire(timeout=PATIENCE_S):
                self._take_over(call)
            if call.way is not None:
                self._lead(call.way)
        except BaseException:  # a thread that is interrupted while it waits must not keep the others waiting
            self._withdraw(call)
            raise
        return raised(call.answer)

    def _take_over(self, call: _Call) -> None:
        with self._mutex:
            if call in self.waiting and call.way is None:  # else its trip is on its way, or begins
                self.waiting.remove(call)
                self.waiting.insert(0, call)
                self.way = Lock()
                self.way.acquire()
                self._follow()

    def _lead(self, way: Lock) -> None:
        trip: Trip[_Call] = {}
        go_on: Sequence[_Call] = ()
        try:
            with self._mutex:
                trip, self.waiting = board(self.waiting)
            go_on = self._made(trip)
        except BaseException as error:
            go_on = fail(trip, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._leave(way, go_on)

    def _made(self, trip: Trip[_Call]) -> Sequence[_Call]:
        answers = self._travel([calls[0] for calls in trip.values()])
        if len(answers) != len(trip):
            raise ValueError(f"A batch of {len(trip)} was answered with {len(answers)} answers.")
        return settle(trip, answers)

    def _withdraw(self, call: _Call) -> None:
        with self._mutex:
            if call not in self.waiting:
                return  # its trip is on its way, or over
            self.waiting.remove(call)
        if call.way is not None:
            self._leave(call.way)


class CombinedStore:
    """A store whose concurrent calls go together.

    Args:
        store: takes batches.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batches = cast("Batches", store)
        self._loads = _Lane(self._load_together)
        self._commits = _Lane(self._commit_together)
        self.sweep = store.sweep
        self.close = store.close
        _combined.add(self)

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the store behind it."""
        return self._store.capabilities

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        lane = self._loads
        way = lane.way
        if way.acquire(False):
            try:
                return self._store.load(key)
            finally:
                way.release()
                if lane.waiting:
                    lane.wake()
        return cast("Versioned | None", lane.ride(_Call(key)))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        lane = self._commits
        way = lane.way
        if way.acquire(False):
            try:
                return self._store.commit(key, data, expect=expect, gc_at=gc_at)
            finally:
                way.release()
                if lane.waiting:
                    lane.wake()
        return cast("Version | Conflict", lane.ride(_Call(key, CommitRequest(key, data, expect, gc_at))))

    def after_fork(self) -> None:
        """A child has nobody on the way."""
        self._loads.reset()
        self._commits.reset()

    def _load_together(self, calls: Sequence[Call]) -> Sequence[object]:
        if len(calls) == 1:
            return (self._store.load(calls[0].key),)
        return self._batches.load_many([call.key for call in calls])

    def _commit_together(self, calls: Sequence[Call]) -> Sequence[object]:
        commits = [call.commit for call in calls if call.commit is not None]
        if len(commits) == 1:
            (one,) = commits
            return (self._store.commit(one.key, one.data, expect=one.expect, gc_at=one.gc_at),)
        return self._batches.commit_many(commits)


_combined: weakref.WeakSet[CombinedStore] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in list(_combined):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)


def combined(store: Store) -> Store:
    """The store as a blocking engine drives it: as it is, unless it takes batches."""
    return CombinedStore(store) if takes_batches(store) else store


def takes_batches(store: Any) -> bool:
    """Whether calls go together for this store, of either colour.

    Not where nobody waits, so that there is nobody to go with; and not where a wrapper passes on the capabilities of
    the store behind it, but has no methods for batches.
    """
    can: StoreCapabilities = store.capabilities
    return can.batch and can.blocking_io and isinstance(store, Batches)
