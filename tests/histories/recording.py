"""Histories: what many callers of one store asked and were told, each with the instants of call and return.

A caller is a flow of the conformance kit, so it is the same in threads, in tasks and in several processes, whose
monotonic clock is the machine's. Every commit writes a number of its own.

Rules of this file: it records; what must hold is judged by `linearizable`.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from otpcore.conformance.store.flow import Flow, later, together
from otpcore.contract import CommitRequest, Conflict, Version, Versioned
from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from tests.histories.linearizable import ABSENT, Effect, Read, Step, Swept, Write, is_linearizable

__all__ = ["CALLERS", "Plan", "Seen", "Stands", "crowd", "is_true", "plan_of", "steps_of", "swept_in_all"]

CALLERS: Final = 64
NOWHERE: Final = -1
"""The state that a version stands for which no record had."""

Stands = tuple[int, str] | None
"""A record as it was told: its number and its version."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One operation and its answer.

    Attributes:
        key: "" of a sweep.
        called, returned: by the monotonic clock, in nanoseconds.
        asked: "load", "commit" or "sweep".
        expect: of a commit.
        wrote: the number that a commit wrote; 0 of a deletion; of a sweep: how many records went.
        due: whether a sweep may take what was written.
        answer: "won" with the version, "lost" or "found" with what stands, or "doubt".
    """

    key: str
    called: int
    returned: int
    asked: str
    expect: str | None = None
    wrote: int = ABSENT
    due: bool = False
    answer: tuple[str, Any] = ("", None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the callers of a history do.

    Attributes:
        keys: which they share.
        operations: of each caller.
        seed: of what is drawn.
        batches: whether some operations go as batches.
    """

    keys: tuple[str, ...]
    operations: int
    seed: int
    batches: bool = False


def plan_of(number: int, operations: int, *, batches: bool = False) -> Plan:
    """The plan of a history: of 1, 4 or 16 keys in turn, which no other has."""
    drawn = secrets.token_hex(4)
    keys = tuple(f"tenant/r/{drawn}-{key}" for key in range((1, 4, 16)[number % 3]))
    return Plan(keys, operations, number, batches)


def crowd(plan: Plan, callers: int, first: int, store: Any, number: int = 0) -> Flow[list[Seen]]:
    """Many callers at once, of whom the first has the number `first` + `number` * `callers`; what they saw."""
    flows = [_Caller(plan, first + number * callers + each).flow(store) for each in range(callers)]
    return [seen for one in (yield from together(flows)) for seen in one]


class _Caller:
    """One caller, who remembers what each key was when it last heard of it."""

    def __init__(self, plan: Plan, number: int) -> None:
        self._plan = plan
        self._draw = random.Random(f"{plan.seed}/{number}")
        self._next = number * 1_000_000
        self._known: defaultdict[str, list[str | None]] = defaultdict(lambda: [None])
        self._seen: list[Seen] = []

    def flow(self, store: Any) -> Flow[list[Seen]]:
        for _ in range(self._plan.operations):
            roll, key = self._draw.random(), self._draw.choice(self._plan.keys)
            if roll < 0.03:
                yield from self._sweep(store)
            elif roll < 0.3:
                yield from self._load(store, key)
            elif self._plan.batches and roll < 0.5:
                some = self._draw.sample(self._plan.keys, min(3, len(self._plan.keys)))
                yield from self._load_many(store, some) if roll < 0.4 else self._commit_many(store, some)
            else:
                yield from self._commit(store, self._drawn(key))
        return self._seen

    def _drawn(self, key: str) -> CommitRequest:
        """An update of what is known, mostly; or a deletion, a creation, or a commit that comes too late."""
        known = self._known[key]
        roll = self._draw.random()
        expect = known[-1] if roll < 0.85 else None if roll < 0.92 else self._draw.choice(known)
        self._next += 1
        deletes = roll < 0.1
        return CommitRequest(
            key,
            None if deletes else b'{"n":%d}' % self._next,
            expect=None if expect is None else Version(expect),
            gc_at=later(hours=-1 if self._draw.random() < 0.2 else 1),
        )

    def _load(self, store: Any, key: str) -> Flow[None]:
        called = time.monotonic_ns()
        try:
            found: Versioned | None = yield store.load(key)
        except StoreError:
            return
        self._heard(key, called, found)

    def _load_many(self, store: Any, keys: Sequence[str]) -> Flow[None]:
        called = time.monotonic_ns()
        try:
            answers: Sequence[Any] = yield store.load_many(keys)
        except StoreError:
            return
        for key, found in zip(keys, answers, strict=True):
            if not isinstance(found, StoreError):
                self._heard(key, called, found)

    def _commit(self, store: Any, asked: CommitRequest) -> Flow[None]:
        called = time.monotonic_ns()
        try:
            answer: Any = yield store.commit(asked.key, asked.data, expect=asked.expect, gc_at=asked.gc_at)
        except StoreError as error:
            answer = error
        self._told(asked, called, answer)

    def _commit_many(self, store: Any, keys: Sequence[str]) -> Flow[None]:
        asked = [self._drawn(key) for key in keys]
        called = time.monotonic_ns()
        try:
            answers: Sequence[Any] = yield store.commit_many(asked)
        except StoreError as error:
            answers = [error] * len(asked)
        for one, answer in zip(asked, answers, strict=True):
            self._told(one, called, answer)

    def _sweep(self, store: Any) -> Flow[None]:
        called = time.monotonic_ns()
        try:
            gone: int = yield store.sweep(later(), limit=self._draw.choice((1, 1000)))
        except StoreError:
            gone = NOWHERE  # nobody knows
        self._seen.append(Seen("", called, time.monotonic_ns(), "sweep", wrote=gone))

    def _heard(self, key: str, called: int, found: Versioned | None) -> None:
        stands = self._stands(key, found)
        self._seen.append(Seen(key, called, time.monotonic_ns(), "load", answer=("found", stands)))

    def _told(self, asked: CommitRequest, called: int, answer: Any) -> None:
        returned = time.monotonic_ns()
        if isinstance(answer, StoreError) and not isinstance(answer, CommitUnknown):
            assert isinstance(answer, StoreUnavailable), answer
            return  # certainly not applied
        if isinstance(answer, CommitUnknown):
            told: tuple[str, Any] = ("doubt", None)
        elif isinstance(answer, Conflict):
            told = ("lost", self._stands(asked.key, answer.current))
        else:
            told = ("won", answer)
            self._known[asked.key].append(None if asked.data is None else answer)
        wrote = ABSENT if asked.data is None else json.loads(asked.data)["n"]
        due = asked.gc_at < later()
        self._seen.append(Seen(asked.key, called, returned, "commit", asked.expect, wrote, due, told))

    def _stands(self, key: str, found: Versioned | None) -> Stands:
        self._known[key].append(None if found is None else found.version)
        return None if found is None else (int(json.loads(found.data)["n"]), found.version)


# --- judging -------------------------------------------------------------------------------------


def steps_of(history: Sequence[Seen]) -> dict[str, list[Step]]:
    """What happened to each key.

    Raises:
        AssertionError: one version stood for two states.
    """
    states: dict[tuple[str, str], int] = {}
    due: defaultdict[str, set[int]] = defaultdict(set)
    for seen in history:
        kind, told = seen.answer
        if seen.due:
            due[seen.key].add(seen.wrote)
        pair = (seen.wrote, told) if kind == "won" and seen.wrote else told if kind in {"lost", "found"} else None
        if pair is not None:
            assert states.setdefault((seen.key, pair[1]), pair[0]) == pair[0], "one version stood for two states"
    steps: dict[str, list[Step]] = {seen.key: [] for seen in history if seen.key}
    for seen in history:
        for key in [seen.key] if seen.key else steps:
            before = ABSENT if seen.expect is None else states.get((key, seen.expect), NOWHERE)
            effect = _effect(seen, before, frozenset(due[key]))
            doubted = isinstance(effect, Write) and effect.doubted
            steps[key].append(Step(seen.called, inf if doubted else seen.returned, effect))
    return steps


def _effect(seen: Seen, before: int, due: frozenset[int]) -> Effect:
    kind, told = seen.answer
    if seen.asked == "sweep":
        return Swept(due)
    stands: int = ABSENT if told is None or kind == "won" else told[0]
    if seen.asked == "load":
        return Read(stands)
    return Read(stands, expected=before) if kind == "lost" else Write(before, seen.wrote, doubted=kind == "doubt")


def swept_in_all(history: Sequence[Seen], left: int) -> bool:
    """Whether the sweeps went as many times as they said: what came, less what was deleted and what is left."""
    swept = [seen.wrote for seen in history if seen.asked == "sweep"]
    if NOWHERE in swept or any(seen.answer[0] == "doubt" for seen in history):
        return True  # nobody can know
    won = [seen for seen in history if seen.answer[0] == "won"]
    came = sum(seen.expect is None and seen.wrote != ABSENT for seen in won)
    deleted = sum(seen.expect is not None and seen.wrote == ABSENT for seen in won)
    return came - deleted - left == sum(swept)


def is_true(history: Sequence[Seen], judge: Callable[[Sequence[Step]], bool] = is_linearizable) -> bool:
    """Whether what happened to each key is linearizable."""
    try:
        return all(judge(steps) for steps in steps_of(history).values())
    except AssertionError:
        return False
