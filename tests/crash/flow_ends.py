"""What must hold when a process died in a flow: no code comes back to life, no message is given, no limit forgotten.

For every flow but start (which `flow_child` counts over a day) and every fail point: the process that makes the call
dies there, and the next one looks.

Rules of this file: a body fails by `AssertionError`; with the mutant that writes too late it must.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from otpcore.contract import CodeOwner
from otpcore.engine import AsyncEngine, Engine
from otpcore.model import SessionStatus
from otpcore.results import Approved, NotFound, Sent, Status, Wait
from tests.crash.deadly import Deaths, deadly, die
from tests.crash.vendor import Vendor
from tests.places import COLOURS, Place
from tests.storms.arena import PEPPER, MovedClock, phone, token_of
from tests.storms.sent_log import LoggedProvider, read_log

__all__ = ["FLOWS", "flow_dies"]

ONE_COMMIT: Final = ("before commit 1", "after commit 1")
TWO_COMMITS: Final = (
    *("before commit 1", "after commit 1", "before the provider", "in the provider"),
    *("before commit 2", "after commit 2"),
)

FLOWS: Final[dict[tuple[str, CodeOwner], tuple[str, ...]]] = {
    ("resend", CodeOwner.CORE): TWO_COMMITS,
    ("resend", CodeOwner.PROVIDER): TWO_COMMITS,
    ("check", CodeOwner.CORE): ONE_COMMIT,
    ("check", CodeOwner.PROVIDER): TWO_COMMITS,
    ("cancel", CodeOwner.CORE): ONE_COMMIT,
    ("cancel", CodeOwner.PROVIDER): TWO_COMMITS,
    ("forget", CodeOwner.CORE): ONE_COMMIT,
    ("forget", CodeOwner.PROVIDER): TWO_COMMITS,
}
"""The fail points of each flow; a commit and a call of the provider are two of its steps."""

AT_PROVIDER: Final = ("in the provider", "before commit 2", "after commit 2")
"""The provider has done what it was asked."""

IN_FORK = Callable[[Callable[[], object]], bool]


def flow_dies(
    in_fork: IN_FORK, place: Place, colour: str, log: str, *, mutant: str = "", kills: int = 1, only: str = ""
) -> int:
    """Kill every flow at each of its fail points; how often it was."""
    killed = 0
    for (flow, owner), points in FLOWS.items():
        if only in {"", flow}:
            scene = _Scene(in_fork, place, colour, f"{log}.{owner}", flow, owner, mutant)
            for number in range(kills):
                for point in points:
                    scene.dies_at(point, phone(number))
                    killed += 1
            scene.close()
    return killed


class _Scene:
    """One flow: who makes the call dies, the engine of the scene lives. Every fail point has a tenant of its own."""

    def __init__(
        self, in_fork: IN_FORK, place: Place, colour: str, log: str, flow: str, owner: CodeOwner, mutant: str
    ) -> None:
        self._in_fork = in_fork
        self._place = place
        self._colour = colour
        self._log = log
        self._flow = flow
        self._owner = owner
        self._mutant = mutant
        self._store = place.open()
        self._deaths = 0

    def close(self) -> None:
        self._store.close()

    def dies_at(self, point: str, number: str) -> None:
        """One person's call, and what the next process finds."""
        clock = MovedClock()
        path = f"{self._log}.{self._flow}.{point.replace(' ', '-')}"
        settings: dict[str, Any] = {"pepper": PEPPER, "clock": clock, "tenant": f"{self._flow} {self._owner} {point}"}
        live = Engine(self._store, self._provider(path, clock), **settings)
        sent = live.start(number)
        assert isinstance(sent, Sent), sent
        token, first = token_of(sent), code_of(path, number)
        clock.advance(seconds=120)
        asked = {"resend": (token, number), "check": (token, first), "cancel": (token,), "forget": (number,)}
        self._deaths += 1
        call = partial(self._call, point, path, settings, asked[self._flow])
        assert not self._in_fork(call), f"nothing happened at: {point}"
        before = point == "before commit 1"
        match self._flow:
            case "resend":
                assert isinstance(live.resend(token, number), Sent if before else Wait)
                assert sum(line.recipient == number for line in read_log(path)) <= 2, "two messages for one step"
                assert isinstance(live.check(token, code_of(path, number)), Approved), "the newest code is dead"
            case "check":
                there = live.status(token)
                assert isinstance(there, Status)
                told = live.check(token, first)
                clock.advance(timedelta(seconds=20))  # past the lease of what was torn
                again = live.check(token, first)
                approvals = isinstance(told, Approved) + isinstance(again, Approved)
                used = (not before) if self._owner is CodeOwner.CORE else point in AT_PROVIDER
                assert approvals == (not used), f"approved {approvals} times, and the code was used: {used}"
                assert there.session.status is not SessionStatus.PENDING or there.next.checks_left == (
                    5 if before else 4
                )
            case _:
                told = live.check(token, first)
                assert isinstance(told, Approved) == before, told
                if not before:
                    assert self._flow != "forget" or isinstance(told, NotFound), told
                    assert isinstance(live.start(number), Sent), "the wait was over"
                    assert isinstance(live.start(number), Wait), "what was sent is not counted"
        for code in (first, code_of(path, number)):
            if self._flow in {"resend", "check"}:
                assert not isinstance(live.check(token, code), Approved), "a used code is alive"

    def _call(self, point: str, path: str, settings: dict[str, Any], asked: tuple[str, ...]) -> None:
        """The call that dies."""
        place, _, number = point.rpartition(" ")
        deaths = Deaths(
            before=int(number) if place == "before commit" else 0,
            after=int(number) if place == "after commit" else 0,
            lazy=self._mutant == "send-then-count",
        )
        colour = COLOURS[self._deaths % 2] if self._colour == "turns" else self._colour
        store = deadly(self._place.opened(colour), deaths)
        provider = self._provider(path, settings["clock"], point)
        if colour == "tasks":

            async def run() -> None:
                await getattr(AsyncEngine(store, provider, **settings), self._flow)(*asked)

            asyncio.run(run())
        else:
            getattr(Engine(store, provider, **settings), self._flow)(*asked)

    def _provider(self, path: str, clock: Any, point: str = "") -> Any:
        asked = die if point == "before the provider" else lambda: None
        answered = die if point == "in the provider" else lambda: None
        if self._owner is CodeOwner.PROVIDER:
            return Vendor(path, clock, asked=asked, answered=answered)
        return LoggedProvider(path, clock, asked=asked, handed_off=answered)


def code_of(path: str, number: str) -> str:
    """The newest code that this person was sent."""
    return [line.code for line in read_log(path) if line.recipient == number][-1]
