"""Vonage Verify v2 on this machine: enough of it to try the provider without an account, over http or TLS.

    with FakeVonage() as vonage:
        provider = VonageProvider(VonageSettings(..., origin=vonage.origin))
        ...  # vonage.messages[-1].code is what the person would read

It keeps verifications and moves them from step to step by its own clock, knows one live verification of a number, takes
three wrong codes, and can be told to misbehave. Its answers follow Vonage's API reference of Verify v2 (1.0.1) and the
bodies in the tests of Vonage's own SDKs, read in November 2026; no live service was looked at.

Rules of this file: what Verify does; how it is served is in `fake_serving`. It knows nothing of the provider.
"""

from __future__ import annotations

import secrets
import ssl
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from otpcore_vonage.fake_serving import Answer, Body, Exchange, Fault, Serving, problem

__all__ = ["Exchange", "FakeVonage", "Fault", "Message"]

MOST_WRONG: Final = 3
MOST_STEPS: Final = 3
SHORTEST_S, DEFAULT_S, LONGEST_S = 15, 180, 900
"""Bounds and default of `channel_timeout`."""

DEFAULT_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Message:
    """What a person received.

    Attributes:
        to: the number without +, or the e-mail address.
        channel: in Vonage's word.
        code: that it held.
        request_id: of the verification.
    """

    to: str = field(repr=False)
    channel: str
    code: str = field(repr=False)
    request_id: str


@dataclass(slots=True)
class _Verification:
    """One verification, at the step `at` since `since`."""

    id: str
    workflow: list[dict[str, str]] = field(repr=False)
    code: str = field(repr=False)
    timeout_s: int
    since: float
    at: int = 0
    wrong: int = 0
    over: bool = False

    def addresses(self) -> set[str]:
        return {step["to"] for step in self.workflow}


class FakeVonage(Serving):
    """Verify v2 for one account. Serves until the `with` block ends.

    Args:
        tls: a server's context, for https; None: plain http.
        clock: the time in seconds.

    Attributes:
        messages: what went out, oldest first.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(tls)
        self.messages: list[Message] = []
        self._clock = clock
        self._ahead = 0.0
        self._held: dict[str, _Verification] = {}

    def now(self) -> float:
        """The time here."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass; live verifications take the steps that fall due."""
        with self.lock:
            self._ahead += seconds
            self.live()

    def live(self) -> list[str]:
        """The ids of the live verifications, oldest first."""
        with self.lock:
            for one in self._held.values():
                self._move(one)
            return [one.id for one in self._held.values() if not one.over]

    def answer(self, method: str, path: str, body: Body | None) -> Answer:
        """Do what a request asks for."""
        self.live()
        match method, *path.strip("/").split("/"):
            case "POST", "v2", "verify":
                return self._new(body)
            case "POST", "v2", "verify", known if known in self.live():
                return self._check(self._held[known], body)
            case "DELETE", "v2", "verify", known if known in self.live():
                self._held[known].over = True
                return 204, None
            case "POST", "v2", "verify", known, "next_workflow" if known in self.live():
                return self._next(self._held[known])
            case _:
                return problem(404, "not-found", "Not Found", detail="It was not found, or it is over")

    def _new(self, body: Body | None) -> Answer:
        wrong = _wrong_parameters(body or {})
        if body is None or wrong:
            named = [{"name": name, "reason": "is invalid"} for name in wrong]
            return problem(422, "invalid-params", "Invalid params", invalid_parameters=named)
        steps: list[dict[str, str]] = body["workflow"]
        to = {step["to"] for step in steps}
        for other in self._held.values():
            if not other.over and other.addresses() & to:
                return problem(409, "conflict", "Conflict", request_id=other.id)
        length = body.get("code_length", DEFAULT_LENGTH)
        code = body.get("code") or f"{secrets.randbelow(10**length):0{length}}"
        one = _Verification(str(uuid.uuid4()), steps, code, body.get("channel_timeout", DEFAULT_S), self.now())
        self._held[one.id] = one
        self._deliver(one)
        return 202, {"request_id": one.id}

    def _next(self, one: _Verification) -> Answer:
        if one.at + 1 >= len(one.workflow):
            return problem(409, "no-events", "Conflict", detail="There are no more events left to trigger.")
        one.at += 1
        one.since = self.now()
        self._deliver(one)
        return 200, {}

    def _check(self, one: _Verification, body: Body | None) -> Answer:
        code = (body or {}).get("code")
        if not isinstance(code, str):
            return problem(422, "invalid-params", "Invalid params")
        if secrets.compare_digest(code.encode(), one.code.encode()):
            one.over = True
            return 200, {"request_id": one.id, "status": "completed"}
        one.wrong += 1
        if one.wrong >= MOST_WRONG:
            one.over = True
            return problem(410, "expired", "Invalid Code", detail="An incorrect code was provided too many times.")
        return problem(400, "invalid-code", "Invalid Code", detail="The code does not match the expected value.")

    def _move(self, one: _Verification) -> None:
        """Take the steps that have fallen due."""
        while not one.over and self.now() - one.since >= one.timeout_s:
            one.since += one.timeout_s
            one.at += 1
            one.over = one.at >= len(one.workflow)
            if not one.over:
                self._deliver(one)

    def _deliver(self, one: _Verification) -> None:
        step = one.workflow[one.at]
        self.messages.append(Message(step["to"], step["channel"], one.code, one.id))


def _wrong_parameters(body: Body) -> list[str]:
    """The names of what a new request must not be like."""
    wrong = [] if isinstance(body.get("brand"), str) and body["brand"] else ["brand"]
    if not SHORTEST_S <= body.get("channel_timeout", DEFAULT_S) <= LONGEST_S:
        wrong.append("channel_timeout")
    given: Any = body.get("workflow")
    steps: list[Any] = given if isinstance(given, list) else []  # pyright: ignore[reportUnknownVariableType]  # JSON
    if not 1 <= len(steps) <= MOST_STEPS:
        return [*wrong, "workflow"]
    for place, step in enumerate(steps):
        to: Any = step.get("to") if isinstance(step, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON
        if not isinstance(to, str) or not ("@" in to or (to.isdecimal() and not to.startswith("0"))):
            wrong.append(f"workflow[{place}].to")
    return wrong
