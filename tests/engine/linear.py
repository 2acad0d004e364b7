"""Whether what callers of one key were told can have come of one call after the other (Wing and Gong, 1993).

Rules of this file: it judges a history; it makes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otpcore.contract import CommitRequest, Conflict, Version, Versioned

__all__ = ["NEVER", "Operation", "is_linearizable"]

NEVER = 1 << 60
"""When a call returns of which its caller heard nothing: it may take effect at any later time."""


@dataclass(frozen=True)
class Operation:
    """One call on the key, from an instant to another on one clock.

    Attributes:
        commit: None for a load.
        answer: what the caller was told; None of a load: the key is absent.
        lost: the caller was told that nobody knows; `answer` is then the version that the store gave, if it did.
    """

    called: int
    returned: int
    commit: CommitRequest | None
    answer: Any
    lost: bool = False


def is_linearizable(operations: Sequence[Operation], start: Versioned | None = None) -> bool:
    """Whether there is an order that keeps to real time, in which each answer is right."""
    seen: set[tuple[frozenset[int], Versioned | None]] = set()

    def search(left: frozenset[int], state: Versioned | None) -> bool:
        if all(operations[one].lost for one in left):
            return True
        if (left, state) in seen:
            return False
        seen.add((left, state))
        earliest = min(operations[one].returned for one in left)
        for one in left:
            if operations[one].called > earliest:
                continue  # another had returned before it was called
            if _fits(operations[one], state) and search(left - {one}, _after(operations[one], state)):
                return True
        return False

    return search(frozenset(range(len(operations))), start)


def _fits(operation: Operation, state: Versioned | None) -> bool:
    """Whether its answer is right in this state."""
    commit, answer = operation.commit, operation.answer
    if commit is None:
        return bool(answer == state)
    expected = commit.expect == (state.version if state else None)
    if isinstance(answer, Conflict):
        return not expected and answer.current == state
    return expected and answer is not None


def _after(operation: Operation, state: Versioned | None) -> Versioned | None:
    commit, answer = operation.commit, operation.answer
    if commit is None or isinstance(answer, Conflict):
        return state
    return None if commit.data is None else Versioned(commit.data, Version(answer))
