"""What must hold when a process died in a flow: no code comes back to life, no message is given, no limit forgotten.

For every flow but start (which `flow_child` counts over a day) and every fail point: the process that makes the call
dies there, and the next one looks.

Rules of this file: a body fails by `AssertionError`; with the mutant that writes too late it must.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from otpcore.contract import CodeOwner
from otpcore.engine import Engine
from otpcore.model import SessionStatus
from otpcore.policy import DEFAULT
from otpcore.results import Approved, Ended, NotFound, Sent, Status, Wait
from tests.crash.flow_ends_others import LockScene, ReceiptScene, ScopeScene
from tests.crash.scene import Scene, code_of, codes_of, provider_of, settings_of
from tests.places import Place
from tests.storms.arena import phone, token_of

__all__ = ["FLOWS", "LATE", "flow_dies"]

ONE_COMMIT: Final = ("before commit 1", "after commit 1")
TWO_COMMITS: Final = (
    *("before commit 1", "after commit 1", "before the provider", "in the provider"),
    *("before commit 2", "after commit 2"),
)
THREE_COMMITS: Final = (
    *("before commit 1", "after commit 1", "before commit 2", "after commit 2"),
    *("before the provider", "in the provider", "before commit 3", "after commit 3"),
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
    ("status", CodeOwner.CORE): ONE_COMMIT,
    ("status", CodeOwner.PROVIDER): ONE_COMMIT,
    ("unlock", CodeOwner.CORE): ONE_COMMIT,
    ("receipt", CodeOwner.CORE): THREE_COMMITS,
    ("claim_scopes", CodeOwner.PROVIDER): ONE_COMMIT,
}
"""The fail points of each flow; a commit and a call of the provider are two of its steps.

A receipt is one that another message follows, whose code can only be the core's; an expiry is what `status` commits."""

LATE: Final = ("resend", "check", "status", "unlock", "receipt", "claim_scopes")
"""Flows that must be red when their first commit is written with the second."""

AT_PROVIDER: Final = ("in the provider", "before commit 2", "after commit 2")
"""The provider has done what it was asked."""


def flow_dies(place: Place, colour: str, log: str, *, mutant: str = "", kills: int = 1, only: str = "") -> int:
    """Kill every flow at each of its fail points; how often it was."""
    killed = 0
    others: dict[str, type[Scene]] = {"unlock": LockScene, "receipt": ReceiptScene, "claim_scopes": ScopeScene}
    for (flow, owner), points in FLOWS.items():
        if only in {"", flow}:
            scene = others.get(flow, SessionScene)(place, colour, f"{log}.{owner}", flow, owner, mutant)
            for number in range(kills):
                for point in points:
                    scene.dies_at(point, phone(number))
                    killed += 1
            scene.close()
    return killed


class SessionScene(Scene):
    """A call about a session."""

    def dies_at(self, point: str, number: str) -> None:
        """One person's call, and what the next process finds."""
        settings, clock = settings_of(f"{self.flow} {self.owner} {point}")
        path = self.log_of(point)
        live = Engine(self.store, provider_of(self.owner, path, clock), **settings)
        sent = live.start(number)
        assert isinstance(sent, Sent), sent
        token, first = token_of(sent), code_of(path, number)
        clock.advance(seconds=120)
        began = clock.now
        if self.flow == "status":
            clock.advance(DEFAULT.code_lifetime)
        of_session = {"resend": (token, number), "check": (token, first), "cancel": (token,), "status": (token,)}
        dying = provider_of(self.owner, path, clock, point)
        self.killed(point, dying, settings, self.flow, *of_session.get(self.flow, (number,)))
        clock.now = began
        before = point == "before commit 1"
        match self.flow:
            case "resend":
                assert isinstance(live.resend(token, number), Sent if before else Wait)
                assert len(codes_of(path, number)) <= 2, "two messages for one step"
                assert isinstance(live.check(token, code_of(path, number)), Approved), "the newest code is dead"
            case "check":
                there = live.status(token)
                assert isinstance(there, Status)
                told = live.check(token, first)
                clock.advance(timedelta(seconds=20))  # past the lease of what was torn
                again = live.check(token, first)
                approvals = isinstance(told, Approved) + isinstance(again, Approved)
                used = (not before) if self.owner is CodeOwner.CORE else point in AT_PROVIDER
                assert approvals == (not used), f"approved {approvals} times, and the code was used: {used}"
                assert there.session.status is not SessionStatus.PENDING or there.next.checks_left == (
                    5 if before else 4
                )
            case "status":
                told = live.check(token, first)  # by a clock that was set back
                assert isinstance(told, Approved if before else Ended), "an expired code is alive"
            case _:
                told = live.check(token, first)
                assert isinstance(told, Approved) == before, told
                if not before:
                    assert self.flow != "forget" or isinstance(told, NotFound), told
                    assert isinstance(live.start(number), Sent), "the wait was over"
                    assert isinstance(live.start(number), Wait), "what was sent is not counted"
        for code in (first, code_of(path, number)):
            if self.flow in {"resend", "check", "status"}:
                assert not isinstance(live.check(token, code), Approved), "a used code is alive"
