"""Whether what callers of one key were told can have come of one call after the other.

Rules of this file: it says what calls came to; whether that has an order is judged by `tests.histories.linearizable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from otpcore.contract import CommitRequest, Conflict, Version, Versioned
from tests.histories.linearizable import ABSENT, Effect, Read, Step, Write
from tests.histories.linearizable import is_linearizable as all_fit

__all__ = ["NEVER", "Operation", "is_linearizable"]

NEVER: Final = inf
"""When a call returns of which its caller heard nothing: it may take effect at any later time."""

NOWHERE: Final = -1
"""A state that nobody wrote."""


@dataclass(frozen=True)
class Operation:
    """One call on the key, from an instant to another on one clock.

    Attributes:
        commit: None for a load.
        answer: what the caller was told; None of a load: the key is absent.
        lost: the caller was told that nobody knows; `answer` is then the version that the store gave, if it did.
    """

    called: float
    returned: float
    commit: CommitRequest | None
    answer: Any
    lost: bool = False


def is_linearizable(operations: Sequence[Operation], start: Versioned | None = None) -> bool:
    """Whether there is an order that keeps to real time, in which each answer is right.

    A version stands for one state.
    """
    written = [] if start is None else [start]
    written += [one for one in map(_written, operations) if one is not None]
    if len({one.version for one in written}) < len(written):
        return False
    states = {(one.version, one.data): number for number, one in enumerate(written, ABSENT + 1)}
    by_version = {version: number for (version, _), number in states.items()}

    def state(found: Versioned | None) -> int:
        return ABSENT if found is None else states.get((found.version, found.data), NOWHERE)

    steps = [] if start is None else [Step(-2, -1, Write(ABSENT, state(start)))]
    for one in operations:
        effect: Effect
        if one.commit is None:
            effect = Read(state(one.answer))
        else:
            expect = one.commit.expect
            before = ABSENT if expect is None else by_version.get(expect, NOWHERE)
            if isinstance(one.answer, Conflict):
                effect = Read(state(one.answer.current), expected=before)
            elif one.answer is None:
                continue  # lost, and not applied
            else:
                effect = Write(before, state(_written(one)), doubted=one.lost)
        steps.append(Step(one.called, one.returned, effect))
    return all_fit(steps)


def _written(operation: Operation) -> Versioned | None:
    """The record that a commit made, as far as the store knows."""
    commit, answer = operation.commit, operation.answer
    if commit is None or commit.data is None or answer is None or isinstance(answer, Conflict):
        return None
    return Versioned(commit.data, Version(answer))
