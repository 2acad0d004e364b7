"""The checker itself: histories of which it is known what they are, and all small ones against a search without wit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories.linearizable import ABSENT, Read, Step, Swept, Write, is_linearizable

Checker = Callable[[Sequence[Step]], bool]


def at(called: float, returned: float, effect: Read | Write | Swept) -> Step:
    return Step(called, returned, effect)


def doubted(called: float, before: int, after: int) -> Step:
    return Step(called, inf, Write(before, after, doubted=True))


MADE = at(0, 1, Write(ABSENT, 1))

TRUE: dict[str, list[Step]] = {
    "nothing": [],
    "one after the other": [MADE, at(2, 3, Read(1)), at(4, 5, Write(1, 2)), at(6, 7, Read(2)), at(8, 9, Write(2, 0))],
    "a read beside a write saw what was before": [MADE, at(2, 5, Write(1, 2)), at(3, 4, Read(1))],
    "a read beside a write saw what came": [MADE, at(2, 5, Write(1, 2)), at(3, 4, Read(2))],
    "reads beside a write saw both, in their order": [
        *(MADE, at(2, 9, Write(1, 2))),
        *(at(3, 4, Read(1)), at(5, 6, Read(2)), at(7, 8, Read(2))),
    ],
    "a loser was told what won": [MADE, at(2, 5, Write(1, 2)), at(3, 6, Read(2, expected=1))],
    "a chain that ended before it was begun in the list": [MADE, at(2, 9, Write(2, 3)), at(3, 8, Write(1, 2))],
    "a doubted write that happened": [MADE, doubted(2, 1, 2), at(3, 4, Read(1)), at(5, 6, Read(2))],
    "a doubted write that did not": [MADE, doubted(2, 1, 2), at(3, 4, Read(1)), at(5, 6, Write(1, 3))],
    "a doubted deletion that came late": [MADE, doubted(2, 1, 0), at(3, 4, Read(1)), at(50, 51, Read(0))],
    "a sweep that took what was due": [MADE, at(2, 3, Swept(frozenset({1}))), at(4, 5, Read(0))],
    "a sweep that left it": [MADE, at(2, 3, Swept(frozenset({1}))), at(4, 5, Read(1))],
    "a sweep between a creation and one that found nothing": [
        *(at(0, 9, Write(0, 1)), at(1, 3, Swept(frozenset({1}))), at(4, 5, Read(0)), at(6, 9, Write(0, 2))),
    ],
    "sixty-four at once, of whom one wins": [
        *(at(number, 100, Read(7, expected=0)) for number in range(63)),
        at(63, 100, Write(0, 7)),
    ],
}

FALSE: dict[str, list[Step]] = {
    "two winners of one state": [MADE, at(2, 5, Write(1, 2)), at(3, 4, Write(1, 3))],
    "two creators": [MADE, at(0, 1, Write(0, 2))],
    "a read of what was replaced before": [MADE, at(2, 3, Write(1, 2)), at(4, 5, Read(1))],
    "a read of what was never written": [MADE, at(2, 3, Read(9))],
    "a read of what was deleted": [MADE, at(2, 3, Write(1, 0)), at(4, 5, Read(1))],
    "a read of nothing where a record stands": [MADE, at(2, 3, Read(0))],
    "time that runs back for a second reader": [MADE, at(2, 9, Write(1, 2)), at(3, 4, Read(2)), at(5, 6, Read(1))],
    "a winner that expected what had never stood": [MADE, at(2, 3, Write(-1, 2))],
    "a winner that expected what was replaced": [MADE, at(2, 3, Write(1, 2)), at(4, 5, Write(1, 3))],
    "a loser that was told what it expected": [MADE, at(2, 3, Read(1, expected=1))],
    "a loser that was told what was gone": [MADE, at(2, 3, Write(1, 2)), at(4, 5, Read(1, expected=0))],
    "a write seen before it was asked for": [MADE, at(2, 3, Read(2)), at(4, 5, Write(1, 2))],
    "a doubted write seen before it was asked for": [MADE, at(2, 3, Read(2)), doubted(4, 1, 2)],
    "a doubted write that happened twice": [
        *(MADE, doubted(2, 1, 0), at(3, 4, Read(0))),
        *(at(5, 6, Write(0, 3)), at(7, 8, Read(0))),
    ],
    "a sweep that took what was not due": [MADE, at(2, 3, Swept(frozenset({2}))), at(4, 5, Read(0))],
    "a record that went without a sweep": [MADE, at(4, 5, Read(0))],
    "a sweep that took after it had returned": [
        *(MADE, at(2, 3, Swept(frozenset({1}))), at(4, 5, Read(1)), at(6, 7, Read(0))),
    ],
    "sixty-four at once, of whom two win": [
        *(at(number, 100, Read(7, expected=0)) for number in range(62)),
        *(at(62, 100, Write(0, 7)), at(63, 100, Write(0, 8))),
    ],
}


def tells_them_apart(checker: Checker) -> None:
    assert [name for name, steps in TRUE.items() if not checker(steps)] == []
    assert [name for name, steps in FALSE.items() if checker(steps)] == []


def test_the_checker_tells_true_histories_from_others() -> None:
    """D2."""
    tells_them_apart(is_linearizable)


@pytest.mark.parametrize("answer", [True, False])
def test_a_checker_that_always_says_the_same_is_caught(*, answer: bool) -> None:
    with pytest.raises(AssertionError):
        tells_them_apart(lambda _steps: answer)


# --- against a search without wit ----------------------------------------------------------------


def orders(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Every sequence of all needed steps and some of the others that keeps the order of time."""
    needed = [step for step in steps if step.is_needed]
    others = [step for step in steps if not step.is_needed]
    for count in range(len(others) + 1):
        for some in combinations(others, count):
            for order in permutations([*needed, *some]):
                if all(later.returned >= one.called for n, one in enumerate(order) for later in order[n + 1 :]):
                    yield order


def is_sequence(order: Sequence[Step]) -> bool:
    state = ABSENT
    for step in order:
        match step.effect:
            case Read(saw=saw, expected=expected):
                if saw != state or expected == state:
                    return False
            case Write(before=before, after=after):
                if before != state:
                    return False
                state = after
            case Swept(due=due):
                if state not in due:
                    return False
                state = ABSENT
    return True


def by_all_orders(steps: Sequence[Step]) -> bool:
    return any(is_sequence(order) for order in orders(steps))


@st.composite
def small_histories(draw: st.DrawFn) -> list[Step]:
    """Up to six operations; each write has a state of its own, as commits have data of their own."""
    steps: list[Step] = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        called = draw(st.integers(0, 8))
        returned: float = called + draw(st.integers(0, 6))
        states = st.integers(0, 4)
        kind = draw(st.sampled_from(["read", "lost", "write", "write", "delete", "doubt", "sweep"]))
        match kind:
            case "read":
                effect: Read | Write | Swept = Read(draw(states))
            case "lost":
                effect = Read(draw(states), expected=draw(states))
            case "sweep":
                effect = Swept(frozenset(draw(st.sets(st.integers(1, 4)))))
            case _:
                after = ABSENT if kind == "delete" else number
                effect = Write(draw(states), after, doubted=kind == "doubt")
        steps.append(Step(called, inf if kind == "doubt" else returned, effect))
    return steps


@given(small_histories())
@settings(max_examples=600)
def test_the_checker_agrees_with_a_search_through_all_orders(steps: list[Step]) -> None:
    assert is_linearizable(steps) == by_all_orders(steps)


@given(st.permutations(range(len(FALSE["two winners of one state"]))))
def test_the_order_of_the_list_means_nothing(order: list[int]) -> None:
    for known in (*TRUE.values(), *FALSE.values()):
        some = [known[number] for number in order if number < len(known)] + known[len(order) :]
        assert is_linearizable(some) == is_linearizable(known)
