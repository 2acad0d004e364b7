"""Faults on order: the next requests of a kind, to a path or about a number, are spoiled in a chosen way.

A scenario comes from `Options.faults`, from `Emulator.faults` or from `POST /_emulator/faults`, in the same words.

Rules of this file: which request meets which scenario, and what answer that makes; what happens below HTTP is in
`transport`. No state of Twilio's.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import JSONResponse, Response

from otpcore_twilio.emulator.catalogue import ERRORS
from otpcore_twilio.emulator.magic import Fault
from otpcore_twilio.emulator.transport import FaultyResponse

if TYPE_CHECKING:
    from starlette.types import Receive

__all__ = ["Faults", "Pending", "Scenario", "garbage", "spoil", "until_gone"]

MOST: Final = 1000
"""Scenarios that may wait at once."""

LONGEST_DELAY_S: Final = 3600

_HTTP_ERRORS: Final = range(400, 600)


class Scenario(BaseModel):
    """What shall happen to which requests. It acts on the next `times` requests that fit all of its conditions.

    Attributes:
        outcome: a `Fault`; an error code of the table; an HTTP status from 400 to 599, answered without an error
            code; or None, where only `delay_s` is wanted.
        processed: whether the request takes effect first (a message is sent, a try is used up), so that only its
            answer is lost or late.
        delay_s: seconds until the answer, 0 to 3600.
        retry_after_s: of an error: the Retry-After header; without it there is none.
        status: HTTP status of `Fault.GARBAGE`.
        operation: acts on this operation alone, as `create_verification` or `create_check`.
        path: acts on these paths alone, as a shell pattern: `/v2/Services/*/Verifications`.
        to: acts on requests about this recipient alone, by number or by the SID of a verification.
        times: how many requests; None: all of them, until the faults are cleared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    outcome: Annotated[Fault, Field(strict=False)] | int | None = None
    processed: bool = False
    delay_s: float = Field(default=0, ge=0, le=LONGEST_DELAY_S)
    retry_after_s: int | None = Field(default=None, ge=0)
    status: int = Field(default=503, ge=200, le=599)
    operation: str | None = None
    path: str | None = None
    to: str | None = None
    times: int | None = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Scenario:
        error = self.outcome if isinstance(self.outcome, int) else None
        if self.outcome is None and not self.delay_s:
            raise ValueError("an outcome, a delay_s, or both")
        if error is not None and error not in ERRORS and error not in _HTTP_ERRORS:
            raise ValueError("an outcome is a fault, a known error code or an HTTP status from 400 to 599")
        if self.retry_after_s is not None and error is None:
            raise ValueError("retry_after_s belongs to an error")
        if "status" in self.model_fields_set and self.outcome is not Fault.GARBAGE:
            raise ValueError(f"status belongs to the outcome {Fault.GARBAGE}")
        return self

    def fits(self, operation: str, path: str, to: str | None) -> bool:
        """Whether a request meets every condition."""
        return (
            self.operation in {None, operation}
            and (self.path is None or fnmatchcase(path, self.path))
            and (self.to is None or self.to == to)
        )


@dataclass(slots=True)
class Pending:
    """A scenario that waits for its requests.

    Attributes:
        scenario: as ordered.
        left: how many requests it still acts on; None: no limit.
    """

    scenario: Scenario
    left: int | None


class Faults:
    """The scenarios that wait for their requests, oldest first. Safe to use from several threads.

    Args:
        operations: what `Scenario.operation` can be.
        ordered: what waits from the start.
    """

    def __init__(self, operations: Collection[str], ordered: Iterable[Scenario] = ()) -> None:
        self._operations = operations
        self._lock = threading.Lock()
        self._pending: list[Pending] = []
        for scenario in ordered:
            self.add(scenario)

    def add(self, scenario: Scenario) -> None:
        """Let a scenario wait for its requests.

        Raises:
            ValueError: there is no such operation, or too many scenarios wait.
        """
        if scenario.operation is not None and scenario.operation not in self._operations:
            raise ValueError(f"no such operation; there are: {', '.join(sorted(self._operations))}")
        with self._lock:
            if len(self._pending) >= MOST:
                raise ValueError(f"{MOST} scenarios wait already")
            self._pending.append(Pending(scenario, scenario.times))

    def pending(self) -> tuple[Pending, ...]:
        """What still waits, oldest first."""
        with self._lock:
            return tuple(replace(pending) for pending in self._pending)

    def clear(self) -> None:
        """Forget every scenario."""
        with self._lock:
            self._pending.clear()

    def take(self, operation: str, path: str, to: Callable[[], str | None]) -> Scenario | None:
        """The oldest scenario that fits a request, which has then one request fewer to spoil.

        Args:
            operation: of the request.
            path: of the request.
            to: finds the recipient; asked only if a scenario needs one.
        """
        if not self._pending:
            return None
        recipient = to() if any(pending.scenario.to is not None for pending in self.pending()) else None
        with self._lock:
            for pending in self._pending:
                if pending.scenario.fits(operation, path, recipient):
                    if pending.left is not None:
                        pending.left -= 1
                        if not pending.left:
                            self._pending.remove(pending)
                    return pending.scenario
        return None


async def spoil(
    scenario: Scenario,
    proceed: Callable[[], Response],
    refuse: Callable[[int], Response],
    receive: Receive,
) -> Response:
    """Answer as a scenario says.

    Args:
        scenario: from `Faults.take`.
        proceed: lets the request take effect and gives its proper answer.
        refuse: gives the answer of an error code.
        receive: of the request, to notice a client that has left.
    """
    proper = proceed() if scenario.processed else None
    if scenario.delay_s:
        await until_gone(receive, scenario.delay_s)
    if scenario.outcome is None:
        return proper or proceed()
    if scenario.outcome is Fault.GARBAGE:
        return garbage(scenario.status)
    if isinstance(scenario.outcome, Fault):
        return FaultyResponse(scenario.outcome, proper or refuse(20500))
    if scenario.outcome in _HTTP_ERRORS:
        body = {"message": "A fault that was ordered", "status": scenario.outcome}
        answer: Response = JSONResponse(body, scenario.outcome)
    else:
        answer = refuse(scenario.outcome)
    del answer.headers["Retry-After"]
    if scenario.retry_after_s is not None:
        answer.headers["Retry-After"] = str(scenario.retry_after_s)
    return answer


async def until_gone(receive: Receive, seconds: float) -> None:
    """Wait for some seconds, or until the client has left; the request's body has been read before."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


def garbage(status: int) -> Response:
    """An HTML page, as a proxy in between would send."""
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return Response(page, status, media_type="text/html")
