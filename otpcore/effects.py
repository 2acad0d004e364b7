"""What a flow asks its engine to do, as values; each docstring says what the engine sends back.

The union `Effect` is closed: an engine that does not handle one of its members is a type error. A flow
yields an effect and is sent its result; a broken world is thrown into it as an exception of
`otpcore.errors`. What a provider raises never reaches a flow: the engine makes it an answer.

Rules of this file: frozen values named by imperative verbs, no behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from otpcore.contract import CheckRequest, SendRequest, Version
from otpcore.events import Event, SendIntent
from otpcore.receipts import InboundRequest, Outcome
from otpcore.routing import Leg

__all__ = [
    "AskGuards",
    "CancelCode",
    "CheckCode",
    "ChooseRoute",
    "Commit",
    "Effect",
    "Load",
    "Pause",
    "ReadClock",
    "ReadReceipt",
    "ReconcileCheck",
    "ReportOutcome",
    "SendCode",
    "Tell",
]


class ReadClock(msgspec.Struct, frozen=True):
    """Sends back the present: aware UTC, whole milliseconds."""


class Pause(msgspec.Struct, frozen=True):
    """Sends back None after this many seconds; makes room for a competitor on the same record."""

    seconds: float


class Load(msgspec.Struct, frozen=True):
    """Sends back `Versioned | None`; throws StoreUnavailable."""

    key: str


class Commit(msgspec.Struct, frozen=True):
    """Sends back `Version | Conflict`; throws StoreUnavailable, CommitUnknown, StoreFull."""

    key: str
    data: bytes | None
    expect: Version | None
    gc_at: datetime


class AskGuards(msgspec.Struct, frozen=True):
    """Sends back the strictest `Verdict` of the active plugins, or None."""

    intent: SendIntent


class ChooseRoute(msgspec.Struct, frozen=True):
    """Sends back legs, best first, at least one, all among the candidates. Once for a send."""

    intent: SendIntent
    candidates: Sequence[Leg]


class SendCode(msgspec.Struct, frozen=True):
    """Sends back `Accepted | Failure`; throws nothing."""

    provider: str
    request: SendRequest


class CheckCode(msgspec.Struct, frozen=True):
    """Sends back `CheckAnswer`; throws nothing."""

    provider: str
    request: CheckRequest


class ReconcileCheck(msgspec.Struct, frozen=True):
    """Sends back `CheckAnswer | None`; throws nothing."""

    provider: str
    handle: str
    timeout_s: float


class CancelCode(msgspec.Struct, frozen=True):
    """Sends back whether the provider ended it; throws nothing."""

    provider: str
    handle: str
    timeout_s: float


class ReportOutcome(msgspec.Struct, frozen=True):
    """Sends back whether the provider took it; throws nothing."""

    provider: str
    handle: str
    outcome: Outcome
    timeout_s: float


class ReadReceipt(msgspec.Struct, frozen=True):
    """Sends back a sequence of `DeliveryEvent`; throws ReceiptRefused."""

    provider: str
    request: InboundRequest


class Tell(msgspec.Struct, frozen=True):
    """Sends back None once audit log and plugins were told; the events are made when somebody listens."""

    events: Callable[[], tuple[Event, ...]]


Effect = (
    ReadClock
    | Pause
    | Load
    | Commit
    | AskGuards
    | ChooseRoute
    | SendCode
    | CheckCode
    | ReconcileCheck
    | CancelCode
    | ReportOutcome
    | ReadReceipt
    | Tell
)
