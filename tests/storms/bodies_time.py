"""What must hold whatever the clock does: V8, D8, D10 of the requirements.

Rules of this file: as for `bodies_checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import redis

from otpcore.results import Sent, Wait
from tests.places import Place
from tests.storms.arena import Arena, Call, cancelling, checking, outcomes_of, phone, starting, token_of

__all__ = ["JUMPS", "codes_live_to_the_millisecond", "endless_keys", "jumps_revive_nothing", "nothing_is_left"]

JUMPS: Final = [timedelta(seconds=sign * each) for each in (1, 3600, 86_400) for sign in (1, -1)]

CLOCK_TOLERANCE: Final = timedelta(seconds=5)
"""So far apart may the clocks of two machines be."""

OVER: Final = {"Ended", "Undecided", "Refused"}
"""What a check is told that is not compared."""


def codes_live_to_the_millisecond(arena: Arena, *, parties: int = 4) -> None:
    """V8: of `parties` right codes at once, at t-1 ms one is right; at t and at t+1 ms none is, and it stays so."""
    for number, early_ms in enumerate((-1, 0, 1)):
        token = token_of(arena.started(phone(number)))
        calls = [checking(token, arena.right_code(phone(number)))] * parties
        began = arena.clock.now
        arena.clock.advance(arena.profile.code_lifetime + timedelta(milliseconds=early_ms))
        outcomes = outcomes_of(arena.at_once(calls))
        assert outcomes["Approved"] == (early_ms < 0), f"{outcomes} at {early_ms} ms"
        assert set(outcomes) <= {"Approved", *OVER}, outcomes
        arena.clock.now = began
        _is_over(arena, calls)


def jumps_revive_nothing(arena: Arena, *, parties: int = 4) -> None:
    """D8: after any jump a used code is used, no wait is longer than its step, and at most one send more is made."""
    for number, jump in enumerate(JUMPS):
        used, waiting = phone(2 * number), phone(2 * number + 1)
        token, right = token_of(arena.started(used)), arena.right_code(used)
        assert outcomes_of([arena.run(checking(token, right))]) == {"Approved": 1}
        arena.started(waiting)
        arena.clock.advance(jump)
        _is_over(arena, [checking(token, right)] * parties)
        results = arena.at_once([starting(waiting)] * parties)
        assert set(outcomes_of(results)) <= {"Wait", "Sent"}, outcomes_of(results)
        sends = len(arena.messages(waiting))
        assert sends <= 1 + (jump > timedelta(0)), f"sent again after {jump}"
        waits = [told.until - arena.clock.now for told in results if isinstance(told, Wait)]
        unset = -jump if -CLOCK_TOLERANCE <= jump < timedelta(0) else timedelta(0)  # then the record's clock counts
        longest = arena.profile.ladder[sends - 1] + unset
        assert all(wait <= longest for wait in waits), f"waits of {waits} after {jump}"
        arena.clock.advance(-jump)
        _is_over(arena, [checking(token, right)] * parties)


def _is_over(arena: Arena, calls: Sequence[Call]) -> None:
    outcomes = outcomes_of(arena.at_once(calls))
    assert set(outcomes) <= OVER, f"revived: {outcomes}"


def nothing_is_left(
    arena: Arena, *, days: int, flows: int, lasting: Callable[[], int] = lambda: 0, parties: int = 8
) -> None:
    """D10: approved, 25 hours later no row is left; begun and left alone, none after 400 days and an hour.

    Each step of `parties` flows is made at once. The store has been empty.

    Args:
        arena: see `Arena`.
        days: of which each has its flows.
        flows: of a day, each of a phone of its own.
        lasting: how many keys would stay for ever, whatever is swept.
        parties: flows that are made at once.
    """
    for _ in range(days):
        for some in _dealt(flows, parties):
            ends = [checking(token, arena.right_code(number)) for number, token in _begun(arena, some)]
            assert outcomes_of(arena.at_once(ends)) == {"Approved": len(some)}
        assert lasting() == 0
        arena.clock.advance(hours=25)
        arena.sweep()
        assert arena.records() == []
    for some in _dealt(flows, parties):
        begun = _begun(arena, some)
        arena.at_once([checking(token, arena.wrong_code(number)) for number, token in begun[::3]])
        arena.at_once([cancelling(token) for _, token in begun[1::3]] or [starting(some[0])])
    assert lasting() == 0
    arena.clock.advance(hours=25)
    arena.sweep()
    assert len(arena.records()) == flows, "an unfinished ladder counts for 400 days"
    arena.clock.advance(days=400)
    arena.sweep()
    assert arena.on_store("scan", "", 10) == []


def _dealt(flows: int, parties: int) -> list[list[str]]:
    """The phones of a day, so many at a time."""
    phones = [phone(number) for number in range(flows)]
    return [phones[first : first + parties] for first in range(0, flows, parties)]


def _begun(arena: Arena, numbers: Sequence[str]) -> list[tuple[str, str]]:
    """Start them at once; each with its token."""
    results = arena.at_once([starting(number) for number in numbers])
    sent = [result for result in results if isinstance(result, Sent)]
    assert len(sent) == len(numbers), outcomes_of(results)
    return [(number, token_of(result)) for number, result in zip(numbers, sent, strict=True)]


def endless_keys(place: Place) -> int:
    """Keys of Redis without a lifetime."""
    if place.store != "redis":
        return 0
    kind: Any = redis.Redis  # whose methods have no types
    client: Any = kind.from_url(place.address)
    with client:
        keys = list(client.scan_iter(f"{place.own}*"))
        assert keys
        return sum(client.ttl(key) == -1 for key in keys)
