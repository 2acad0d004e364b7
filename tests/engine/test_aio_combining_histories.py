"""What tasks were told by a store that loses answers is what single calls, one after the other, could have told."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest

from otpcore.contract import CommitRequest, Conflict, Versioned
from otpcore.engine import aio_combining
from otpcore.engine.aio_combining import AsyncCombinedStore
from otpcore.errors import CommitUnknown, StoreUnavailable
from tests.engine.gated import AsyncGatedStore
from tests.engine.linear import NEVER, Operation, is_linearizable
from tests.properties.world import EPOCH


class Unreliable(AsyncGatedStore):
    """Loses calls and answers by a plan; every trip gives way twice, so that others come meanwhile."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.given: dict[bytes | None, Any] = {}
        self.chance = random.Random(seed)  # a plan that can be repeated

    async def _pass(self, what: str, keys: Any) -> None:
        await asyncio.sleep(0)

    async def commit(self, key: str, data: bytes | None, **given: Any) -> Any:
        (one,) = await self.commit_many([CommitRequest(key, data, given["expect"], EPOCH)])
        if isinstance(one, CommitUnknown):
            raise one
        return one

    async def commit_many(self, commits: Any) -> Any:
        await asyncio.sleep(0)
        fate = self.chance.random()
        if fate < 0.05:
            raise StoreUnavailable
        answers: list[Any] = []
        for each in commits:
            one = self.inner.commit(each.key, each.data, expect=each.expect, gc_at=each.gc_at)
            lost = fate > 0.9 or self.chance.random() < 0.05
            if lost:
                self.given[each.data] = None if isinstance(one, Conflict) else one
            answers.append(CommitUnknown() if lost else one)
        await asyncio.sleep(0)
        if fate > 0.9:
            raise CommitUnknown
        return answers


async def history(seed: int) -> dict[str, list[Operation]]:
    """8 tasks with 15 calls each to two keys, each from what it saw last."""
    store, clock, book = Unreliable(seed), itertools.count(), list[tuple[str, Operation]]()
    both = AsyncCombinedStore(store)

    async def caller(number: int) -> None:
        seen: dict[str, Any] = {}
        for turn in range(15):
            key, called, given = store.chance.choice("ab"), next(clock), None
            try:
                if store.chance.random() < 0.3:
                    told: Any = await both.load(key)
                    seen[key] = told
                else:
                    expect = seen[key].version if seen.get(key) else None
                    given = CommitRequest(key, f"{number} {turn}".encode(), expect, EPOCH)
                    told = await both.commit(key, given.data, expect=expect, gc_at=EPOCH)
                    seen[key] = told.current if isinstance(told, Conflict) else Versioned(given.data or b"", told)
            except CommitUnknown:
                assert given is not None
                version = store.given.get(given.data or b"")
                book.append((key, Operation(called, NEVER, given, version, lost=True)))
            except StoreUnavailable:
                pass  # certainly not applied: no part of what happened
            else:
                book.append((key, Operation(called, next(clock), given, told)))

    await asyncio.gather(*(caller(number) for number in range(8)))
    return {key: [one for where, one in book if where == key] for key in "ab"}


def is_right(seed: int) -> bool:
    return all(is_linearizable(operations) for operations in asyncio.run(history(seed)).values())


def test_histories_of_tasks_over_a_store_that_loses_answers_are_linearizable() -> None:
    """30 histories of 120 calls to two keys."""
    assert all(is_right(seed) for seed in range(30))


def test_histories_of_callers_who_are_told_too_much_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: whoever did not go is told what the first was told."""

    def settle(trip: Any, answers: Any) -> Any:
        for calls, answer in zip(trip.values(), answers, strict=True):
            for call in calls:
                call.give(answer)
        return []

    monkeypatch.setattr(aio_combining, "settle", settle)
    assert not all(is_right(seed) for seed in range(30))
