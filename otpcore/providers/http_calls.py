"""The calls of a provider's ports as exchanges with a vendor: what to ask, how to read it, what its loss means.

Rules of this file: no I/O and no colour; the author's functions are called here and nowhere else, and what they raise
ends here. A message of ours shows the name of an error and the line of the author's function, never its text, which may
hold what it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    Outcome,
    SendEffect,
    SendRequest,
)
from otpcore.providers.http_values import Encoded, HttpRequest, HttpResponse, UnfitRequest

__all__ = ["Calls", "Exchange", "Lost", "Settled", "lacking_methods"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer to be parsed.

    Attributes:
        detail: why, for an operator.
        kind, effect: of a send.
    """

    detail: str
    kind: FailureKind
    effect: SendEffect

    def failure(self) -> Failure:
        """The outcome of a send."""
        return Failure(self.kind, self.effect, self.detail)

    def answer(self) -> CheckAnswer:
        """The outcome of a check: the try is burned, for nobody can say."""
        return CheckAnswer(CheckVerdict.UNKNOWN, detail=self.detail)


@dataclass(frozen=True, slots=True)
class Settled(Generic[R]):
    """A call that is not made, and its outcome."""

    outcome: R


@dataclass(frozen=True, slots=True)
class Exchange(Generic[R]):
    """One call of a port.

    Attributes:
        ask: makes the request, or says the outcome without one.
        parse: reads the answer.
        lost: the outcome where there is none.
        text: the message, which may hold line breaks.
    """

    ask: Callable[[], HttpRequest | R]
    parse: Callable[[HttpResponse], R]
    lost: Callable[[Lost], R]
    text: str = ""

    def prepare(self) -> Encoded | Settled[R]:
        """The request as bytes, or the outcome of a call that is not made."""
        try:
            asked = self.ask()
            if not isinstance(asked, HttpRequest):
                return Settled(asked)
            return asked.encode(self.text)
        except UnfitRequest as error:
            return Settled(self.lost(Lost(f"not sent: {error}", FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)))
        except Exception as error:  # noqa: BLE001  # the author's code; its text may hold what it was given
            detail = f"not sent: the request could not be made: {_named(error)}"
            return Settled(self.lost(Lost(detail, FailureKind.INTERNAL, SendEffect.NOT_SENT)))

    def read(self, response: HttpResponse) -> R:
        """The outcome of an answer."""
        try:
            return self.parse(response)
        except Exception as error:  # noqa: BLE001  # whatever a vendor's answer makes a parser raise
            detail = f"no usable answer: {_named(error)}"
            return self.lost(Lost(detail, FailureKind.INTERNAL, SendEffect.UNKNOWN))

    def without(self, error: Exception) -> R:
        """The outcome where there is no answer: of a `NoAnswer`, which says how far the call came."""
        sent, timed_out = getattr(error, "sent", True), getattr(error, "timed_out", False)
        if not sent:
            return self.lost(Lost(f"no connection: {error}", FailureKind.TRANSIENT, SendEffect.NOT_SENT))
        kind = FailureKind.TIMEOUT if timed_out else FailureKind.INTERNAL
        return self.lost(Lost(f"no answer: {error}", kind, SendEffect.UNKNOWN))


def _named(error: Exception) -> str:
    """The error by its type, and where in the author's function it was raised: a place in code holds no value."""
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename == __file__:
        step = step.tb_next
    place = f" in {step.tb_frame.f_code.co_name}, line {step.tb_lineno}" if step is not None else ""
    return f"{type(error).__name__}{place}"


def _false(lost: Lost) -> bool:  # noqa: ARG001  # every loss is a False here
    return False


def _nothing(lost: Lost) -> None:
    """Cannot say."""


class Calls:
    """The calls of every port, as exchanges; the author's object is asked by the names of the module's docstring."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def send(self, request: SendRequest) -> Exchange[Accepted | Failure]:
        """`Provider.send`."""
        return Exchange(
            lambda: self.api.request(request),
            lambda response: self.api.parse(request, response),
            Lost.failure,
            request.message.text if request.message is not None else "",
        )

    def check(self, request: CheckRequest) -> Exchange[CheckAnswer]:
        """`Checks.check`."""
        return Exchange(
            lambda: self.api.check_request(request),
            lambda response: self.api.parse_check(request, response),
            Lost.answer,
        )

    def cancel(self, handle: str) -> Exchange[bool]:
        """`Cancels.cancel`."""
        return Exchange(
            lambda: self.api.cancel_request(handle), lambda response: self.api.parse_cancel(handle, response), _false
        )

    def reconcile(self, handle: str) -> Exchange[CheckAnswer | None]:
        """`ReconcilesCheck.reconcile_check`."""
        return Exchange(
            lambda: self.api.reconcile_request(handle),
            lambda response: self.api.parse_reconcile(handle, response),
            _nothing,
        )

    def report(self, handle: str, outcome: Outcome) -> Exchange[bool]:
        """`TakesFeedback.report_outcome`."""
        return Exchange(
            lambda: self.api.outcome_request(handle, outcome),
            lambda response: self.api.parse_outcome(handle, outcome, response),
            _false,
        )


_PAIRS = {
    "check": ("check_request", "parse_check"),
    "cancel": ("cancel_request", "parse_cancel"),
    "reconcile_check": ("reconcile_request", "parse_reconcile"),
    "report_outcome": ("outcome_request", "parse_outcome"),
    "parse_receipt": ("parse_receipt",),
}
"""The optional methods of a provider, and what an author writes to have them."""


def lacking_methods(api: object) -> frozenset[str]:
    """The methods that a provider of this object does not have. TypeError where half of a pair is there."""
    lacking: set[str] = set()
    for method, names in _PAIRS.items():
        there = [name for name in names if callable(getattr(api, name, None))]
        if there and len(there) < len(names):
            raise TypeError(f"{type(api).__name__} has {there[0]} without the other half of {' and '.join(names)}")
        if not there:
            lacking.add(method)
    return frozenset(lacking)
