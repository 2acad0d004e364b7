"""Whether what several callers saw of one key can be told as a sequence, in which every operation happened at once.

The search is that of Wing and Gong with the memory of Lowe: an operation may be the next one of the sequence when no
operation that is still missing had returned before it was called; a set of operations with the state behind it is
looked at once. A state is the number of the commit whose record stands, 0 for none: every commit of a history writes
data of its own, so a state is told by what it holds, and one that was left never comes back, but for 0. What needs a
state must therefore come before it is left; that keeps the search of a false history short.

Rules of this file: pure; nothing is known of stores, versions or clocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, TypeAlias

__all__ = ["ABSENT", "Effect", "Read", "Step", "Swept", "Write", "is_linearizable"]

ABSENT: Final = 0
"""The state of a key under which nothing stands."""


@dataclass(frozen=True, slots=True)
class Read:
    """Saw a state and changed none: a load, or a commit that lost and was told what stands instead of the expected."""

    saw: int
    expected: int | None = None  # of a commit that lost: the state that cannot have stood


@dataclass(frozen=True, slots=True)
class Write:
    """Replaced a state by another one; where nobody was told of it, it may have happened, now or later, or never."""

    before: int
    after: int
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Swept:
    """Took the record away, if it was one of these; or did not, for a sweep has a limit."""

    due: frozenset[int]


Effect: TypeAlias = Read | Write | Swept


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on one key.

    Attributes:
        called: when.
        returned: when; infinity where no answer came.
        effect: what it came to.
    """

    called: float
    returned: float
    effect: Effect

    @property
    def is_needed(self) -> bool:
        """Whether it has a place in every sequence."""
        return not (isinstance(self.effect, Swept) or (isinstance(self.effect, Write) and self.effect.doubted))


Place: TypeAlias = tuple[int, int, int]
"""How many operations from the first on have their place in the sequence, which of those behind them have (bits), and
the state."""


def is_linearizable(steps: Sequence[Step]) -> bool:
    """Whether such a sequence exists, that begins with an absent key. Operations may come in any order."""
    if not _is_absent_often_enough(steps):
        return False
    ordered = sorted(steps, key=lambda step: step.called)
    needing: defaultdict[int, list[int]] = defaultdict(list)
    doubting: defaultdict[int, list[int]] = defaultdict(list)
    for number, step in enumerate(ordered):
        if not isinstance(step.effect, Swept):
            state = step.effect.saw if isinstance(step.effect, Read) else step.effect.before
            (needing if step.is_needed else doubting)[state].append(number)
    seen: set[Place] = set()
    stack: list[Place] = [(0, 0, ABSENT)]
    while stack:
        place = _read_on(ordered, stack.pop())
        if place in seen:
            continue
        seen.add(place)
        first, taken, state = place
        window = _window(ordered, first, taken)
        if all(not ordered[number].is_needed for number in window):
            return True  # the window has every needed operation that is left, or one that comes before it
        waiting = [each for each in needing[state] if each >= first and not taken >> (each - first) & 1]
        for number in window:
            after = _after(ordered[number].effect, state)
            if after is not None and (state in {ABSENT, after} or waiting in ([], [number])):
                gone = [] if state in {ABSENT, after} else doubting[state]
                stack.append(_taken(ordered, first, taken, number, after, gone))
    return False


def _is_absent_often_enough(steps: Sequence[Step]) -> bool:
    """Whether there are as many creations as the key can be absent: at first, and after each end of a record."""
    writes = [step.effect for step in steps if isinstance(step.effect, Write)]
    created = sum(not write.doubted and write.before == ABSENT != write.after for write in writes)
    ended = sum(write.before != ABSENT == write.after for write in writes)
    return created <= 1 + ended + sum(isinstance(step.effect, Swept) for step in steps)


def _window(ordered: Sequence[Step], first: int, taken: int) -> list[int]:
    """The operations that may be next."""
    found: list[int] = []
    until = inf
    for number in range(first, len(ordered)):
        step = ordered[number]
        if step.called > until:
            break
        if not taken >> (number - first) & 1:
            found.append(number)
            if step.is_needed:
                until = min(until, step.returned)
    return [number for number in found if ordered[number].called <= until]


def _read_on(ordered: Sequence[Step], place: Place) -> Place:
    """Take every reading that the state allows: it changes nothing, so it need not wait.

    One that would leave out a sweep which had returned before has to: that sweep may come first, and both be true.
    """
    first, taken, state = place
    again = True
    while again:
        again = False
        window = _window(ordered, first, taken)
        ended = min((ordered[number].returned for number in window if not ordered[number].is_needed), default=inf)
        for number in window:
            step = ordered[number]
            if isinstance(step.effect, Read) and step.called <= ended and _after(step.effect, state) is not None:
                taken |= 1 << (number - first)
                again = True
        first, taken = _shifted(first, taken)
    return first, taken, state


def _after(effect: Effect, state: int) -> int | None:
    """The state behind it; None where it cannot be."""
    match effect:
        case Read(saw=saw, expected=expected):
            return state if saw == state != expected else None
        case Write(before=before, after=after):
            return after if before == state else None
        case Swept(due=due):
            return ABSENT if state in due else None


def _taken(ordered: Sequence[Step], first: int, taken: int, number: int, state: int, gone: Sequence[int]) -> Place:
    """The place behind this operation. What need not be is left out if it had returned before, or is now too late."""
    for other in (number, *gone):
        taken |= 1 << (other - first) if other >= first else 0
    for earlier in range(first, number):
        step = ordered[earlier]
        if step.returned < ordered[number].called and not step.is_needed:
            taken |= 1 << (earlier - first)
    return *_shifted(first, taken), state


def _shifted(first: int, taken: int) -> tuple[int, int]:
    while taken & 1:
        first, taken = first + 1, taken >> 1
    return first, taken
