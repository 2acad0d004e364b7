"""V3 by SIGKILL: the body of `flow_torn` over a durable store, whose torn calls are processes that die.

Rules of this file: who dies is a fork with an engine, a store and connections of its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from otpcore.conformance.store.flow import later
from otpcore.contract import CodeOwner
from otpcore.stores.memory import MemoryStore
from tests.crash.deadly import die
from tests.crash.flow_torn import CORE_POINTS, MODES, POINTS, World, tries_stay_spent
from tests.crash.forks import in_fork
from tests.places import COLOURS, STORES, Place

__all__ = ["kill_checks"]


class KilledWorld(World):
    """A world whose torn calls are forks that die.

    Args:
        colour: of the engine.
        owner: of the code.
        place: where the records are.
        tenant: whose recipients these are.
        uncommitted: the defect: who dies has written into a transaction, which nobody commits then.
    """

    def __init__(self, colour: str, owner: CodeOwner, place: Place, tenant: str, *, uncommitted: bool) -> None:
        self._place = place
        self._uncommitted = uncommitted
        awaits = colour == "tasks"
        super().__init__(MODES[awaits], owner, place.awaited if awaits else place.open, tenant)

    def torn(self, point: str, name: str, *args: Any) -> None:
        """See `World.torn`."""
        self.point = point
        assert not in_fork(lambda: self._dying(name, *args)), f"nothing happened at: {point}"
        self.point = ""

    def _dying(self, name: str, *args: Any) -> None:
        _former = self._runner, self._engine, self.records  # what is the other process's is not closed here
        if self._uncommitted:
            self._opener = partial(transaction, self._place)
        self.open()
        self.made(name, *args)

    def tear(self) -> None:
        """See `World.tear`."""
        die()

    async def tear_awaited(self) -> None:
        """See `World.tear_awaited`."""
        die()


def transaction(place: Place) -> MemoryStore:
    """What one process sees of the records, and its own writes, which no other one sees."""
    store, seen = place.open(), MemoryStore()
    for key, found in store.scan("", 10**6):
        seen.commit(key, found.data, expect=None, gc_at=later(days=1))
    store.close()
    return seen


def kill_checks(place: Place, colour: str, sessions: int, *, uncommitted: bool) -> dict[str, list[str]]:
    """Every fail point behind a claim; how the body failed, by the points. In the colour `turns` they take turns."""
    cases = [(CodeOwner.PROVIDER, point) for point in POINTS] + [(CodeOwner.CORE, point) for point in CORE_POINTS]
    told: dict[str, list[str]] = {}
    for number, (owner, point) in enumerate(cases, STORES.index(place.store)):
        name, mine = f"{owner} {point}", COLOURS[number % 2] if colour == "turns" else colour
        make = partial(KilledWorld, mine, owner, place, name, uncommitted=uncommitted)
        told[name] = []
        try:
            tries_stay_spent(make, point, sessions=sessions)
        except AssertionError as error:
            told[name].append(str(error))
    return told
