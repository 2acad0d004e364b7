"""Concurrent calls of several tasks as one trip to a store that takes batches: what arrives in one tick goes together.

Who comes alone goes at the end of that tick, in its own task, by the store's single methods. Did it not wait for that,
the first of many who come at once would go alone each time, and keep the others waiting. Who comes while a trip is on
its way waits. A trip of several is a task of its own, which nobody who gives up can stop.

Rules of this file: as for `otpcore.engine.combining`; one store serves one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import cast

from otpcore.contract import CommitRequest, Conflict, StoreCapabilities, Version, Versioned
from otpcore.engine.trips import Call, Trip, board, fail, raised, settle
from otpcore.ports import AsyncBatches, AsyncStore

__all__ = ["AsyncCombinedStore"]


class _Call(Call):
    """The call of a task that waits; its future never has an exception, which nobody might fetch."""

    __slots__ = ("future",)

    def __init__(self, key: str, commit: CommitRequest | None = None) -> None:
        super().__init__(key, commit)
        self.future: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def give(self, answer: object) -> None:
        if not self.future.done():
            self.future.set_result(answer)


class _Lane:
    """Calls of one kind, one trip at a time.

    Args:
        travel: makes the calls on one trip; an answer for each, in order.
    """

    def __init__(self, travel: Callable[[Sequence[Call]], Awaitable[Sequence[object]]]) -> None:
        self._travel = travel
        self._waiting: list[_Call] = []
        self._trip: asyncio.Task[None] | None = None  # the loop itself keeps no task alive
        self.busy = False

    async def has_company(self) -> bool:
        """Take the way, which is free, and look at the end of the tick whether others came.

        Returns:
            Others did: who asks goes with them and rides. Else it goes alone, and leaves when it is back.
        """
        self.busy = True
        try:
            await asyncio.sleep(0)
        except BaseException:
            self.leave()
            raise
        self.leave()  # those who came, if they still wait, have a trip now
        if self.busy:
            return True
        self.busy = True
        return False

    async def ride(self, call: _Call) -> object:
        """The answer of a call that goes with others; raises what it is answered with, or what its trip raised."""
        self._waiting.append(call)
        return raised(await call.future)

    def leave(self, first: Sequence[_Call] = ()) -> None:
        """The next trip, if anybody waits.

        It begins after those who were just answered have had their turn: what they ask next goes with it.

        Args:
            first: who goes on it before the others.
        """
        self._waiting = [call for call in (*first, *self._waiting) if not call.future.done()]
        self.busy = bool(self._waiting)
        if self.busy:
            asyncio.get_running_loop().call_soon(self._depart)

    def _depart(self) -> None:
        trip, self._waiting = board(call for call in self._waiting if not call.future.done())
        self.busy = bool(trip)
        self._trip = asyncio.get_running_loop().create_task(self._make(trip)) if trip else None

    async def _make(self, trip: Trip[_Call]) -> None:
        go_on: Sequence[_Call] = ()
        try:
            answers = await self._travel([calls[0] for calls in trip.values()])
            if len(answers) != len(trip):
                raise ValueError(f"A batch of {len(trip)} was answered with {len(answers)} answers.")  # noqa: TRY301  # told to the callers
            go_on = settle(trip, answers)
        except BaseException as error:
            go_on = fail(trip, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self.leave(go_on)


class AsyncCombinedStore:
    """An awaited store whose concurrent calls go together.

    Args:
        store: takes batches.
    """

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._batches = cast("AsyncBatches", store)
        self._loads = _Lane(self._load_together)
        self._commits = _Lane(self._commit_together)
        self.sweep = store.sweep
        self.close = store.close

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the store behind it."""
        return self._store.capabilities

    async def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        lane = self._loads
        if lane.busy or await lane.has_company():
            return cast("Versioned | None", await lane.ride(_Call(key)))
        try:
            return await self._store.load(key)
        finally:
            lane.leave()

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        """See `Store.commit`."""
        lane = self._commits
        if lane.busy or await lane.has_company():
            call = _Call(key, CommitRequest(key, data, expect, gc_at))
            return cast("Version | Conflict", await lane.ride(call))
        try:
            return await self._store.commit(key, data, expect=expect, gc_at=gc_at)
        finally:
            lane.leave()

    async def _load_together(self, calls: Sequence[Call]) -> Sequence[object]:
        if len(calls) == 1:
            return (await self._store.load(calls[0].key),)
        return await self._batches.load_many([call.key for call in calls])

    async def _commit_together(self, calls: Sequence[Call]) -> Sequence[object]:
        commits = [call.commit for call in calls if call.commit is not None]
        if len(commits) == 1:
            (one,) = commits
            return (await self._store.commit(one.key, one.data, expect=one.expect, gc_at=one.gc_at),)
        return await self._batches.commit_many(commits)
