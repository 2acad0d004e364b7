"""One flow that is killed: who makes the call is a fork and dies, the engines of the scene live.

Rules of this file: it kills; what must hold afterwards is in `flow_ends` and `flow_ends_others`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final

from otpcore.contract import CodeOwner
from otpcore.engine import AsyncEngine, Engine
from tests.crash.deadly import Deaths, deadly, die
from tests.crash.forks import in_fork
from tests.crash.vendor import Vendor
from tests.places import COLOURS, Place
from tests.storms.arena import PEPPER, MovedClock
from tests.storms.sent_log import LoggedProvider, read_log

__all__ = ["COMMITTED", "Scene", "code_of", "codes_of", "deaths_of", "provider_of", "settings_of"]

COMMITTED: Final = "after commit 1"


class Scene(ABC):
    """Every fail point has a tenant, and a log of what was sent, of its own.

    Args:
        place: where the records are.
        colour: of the engine that dies; `turns` for one after the other.
        log: what the names of the logs begin with.
        flow: which is killed.
        owner: of the codes.
        mutant: as for `Deaths`.
    """

    def __init__(self, place: Place, colour: str, log: str, flow: str, owner: CodeOwner, mutant: str) -> None:
        self.flow = flow
        self.owner = owner
        self.store = place.open()
        self._place = place
        self._colour = colour
        self._log = log
        self._mutant = mutant
        self._deaths = 0

    def close(self) -> None:
        """Close what lives."""
        self.store.close()

    @abstractmethod
    def dies_at(self, point: str, number: str) -> None:
        """One person's call dies; what the next process finds."""

    def log_of(self, point: str) -> str:
        """The log of a fail point."""
        return f"{self._log}.{self.flow}.{point.replace(' ', '-')}"

    def killed(self, point: str, provider: Any, settings: Mapping[str, Any], call: str, *asked: Any) -> None:
        """Make a call of the engine that dies of it."""
        self._deaths += 1
        colour = COLOURS[self._deaths % 2] if self._colour == "turns" else self._colour

        def dying() -> None:
            place, _, number = point.rpartition(" ")
            deaths = Deaths(
                before=int(number) if place == "before commit" else 0,
                after=int(number) if place == "after commit" else 0,
                lazy=self._mutant == "send-then-count",
            )
            store = deadly(self._place.opened(colour), deaths)
            if colour == "tasks":

                async def run() -> None:
                    await getattr(AsyncEngine(store, provider, **settings), call)(*asked)

                asyncio.run(run())
            else:
                getattr(Engine(store, provider, **settings), call)(*asked)

        assert not in_fork(dying), f"nothing happened at: {point}"


def settings_of(tenant: str) -> tuple[dict[str, Any], MovedClock]:
    """Of the engines of a scene, and their clock."""
    clock = MovedClock()
    return {"pepper": PEPPER, "clock": clock, "tenant": tenant}, clock


def deaths_of(point: str) -> dict[str, Callable[[], object]]:
    """What a provider double of the tests does when it is asked, and when it has done what it was asked."""
    return {
        "asked": die if point == "before the provider" else _nothing,
        "answered": die if point == "in the provider" else _nothing,
    }


def provider_of(owner: CodeOwner, path: str, clock: MovedClock, point: str = "") -> Any:
    """A provider of codes of this owner, which dies at its fail points."""
    deaths = deaths_of(point)
    if owner is CodeOwner.PROVIDER:
        return Vendor(path, clock, **deaths)
    return LoggedProvider(path, clock, asked=deaths["asked"], handed_off=deaths["answered"])


def _nothing() -> None:
    """Lives on."""


def codes_of(path: str, number: str) -> list[str]:
    """What this person was sent, oldest first."""
    return [line.code for line in read_log(path) if line.recipient == number]


def code_of(path: str, number: str) -> str:
    """The newest code that this person was sent."""
    return codes_of(path, number)[-1]
