"""What threads were told by a store that loses answers is what single calls, one after the other, could have told."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from otpcore.contract import CommitRequest, Conflict, Versioned
from otpcore.engine import combining
from otpcore.engine.combining import CombinedStore
from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from tests.engine.gated import GatedStore, made
from tests.engine.linear import NEVER, Operation, is_linearizable
from tests.properties.world import EPOCH

PAUSE = threading.Event()


class Unreliable(GatedStore):
    """Loses calls and answers by a plan; remembers the version of a commit that it did not acknowledge."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.free = True
        self.given: dict[bytes | None, Any] = {}
        self._chance = random.Random(seed)  # a plan that can be repeated
        self.made = self._made

    def commit(self, key: str, data: bytes | None, **given: Any) -> Any:
        (one,) = self._made([CommitRequest(key, data, given["expect"], EPOCH)])
        if isinstance(one, StoreError):
            raise one
        return one

    def _made(self, commits: Sequence[CommitRequest]) -> list[Any]:
        PAUSE.wait(0.001)
        fate = self._chance.random()
        if fate < 0.05:
            raise StoreUnavailable
        answers: list[Any] = []
        for each, one in zip(commits, made(self.inner, commits), strict=True):
            lost = fate > 0.9 or self._chance.random() < 0.05
            if lost:
                self.given[each.data] = None if isinstance(one, Conflict) else one
            answers.append(CommitUnknown() if lost else one)
        if fate > 0.9:
            raise CommitUnknown
        return answers


def history(seed: int) -> dict[str, list[Operation]]:
    """8 threads with 15 calls each to two keys, each from what it saw last."""
    store, clock, book = Unreliable(seed), itertools.count(), list[tuple[str, Operation]]()
    both = CombinedStore(store)

    def caller(number: int) -> None:
        chance, seen = random.Random(f"{seed} {number}"), dict[str, Any]()  # as above
        for turn in range(15):
            key, called, given = chance.choice("ab"), next(clock), None
            try:
                if chance.random() < 0.3:
                    told: Any = both.load(key)
                    seen[key] = told
                else:
                    expect = seen[key].version if seen.get(key) else None
                    given = CommitRequest(key, f"{number} {turn}".encode(), expect, EPOCH)
                    told = both.commit(key, given.data, expect=expect, gc_at=EPOCH)
                    seen[key] = told.current if isinstance(told, Conflict) else Versioned(given.data or b"", told)
            except CommitUnknown:
                assert given is not None
                version = store.given.get(given.data or b"")
                book.append((key, Operation(called, NEVER, given, version, lost=True)))
            except StoreUnavailable:
                pass  # certainly not applied: no part of what happened
            else:
                book.append((key, Operation(called, next(clock), given, told)))

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(caller, number) for number in range(8)]:
            each.result()
    return {key: [one for where, one in book if where == key] for key in "ab"}


def is_right(seed: int) -> bool:
    return all(is_linearizable(operations) for operations in history(seed).values())


def test_histories_of_threads_over_a_store_that_loses_answers_are_linearizable() -> None:
    """10 histories of 120 calls to two keys."""
    assert all(is_right(seed) for seed in range(10))


def test_histories_of_callers_who_are_told_too_much_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: whoever did not go has lost to what the first wrote, though it may not have won."""

    def too_much(trip: Any, answers: Any) -> Any:
        for calls, answer in zip(trip.values(), answers, strict=True):
            first, *others = calls
            first.give(answer)
            for call in others:
                given = first.commit and Versioned(first.commit.data or b"", str(answer))  # type: ignore[arg-type]
                call.give(answer if first.commit is None else Conflict(given))
        return []

    monkeypatch.setattr(combining, "settle", too_much)
    assert not all(is_right(seed) for seed in range(10))
