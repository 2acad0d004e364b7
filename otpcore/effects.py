"""What a flow asks its engine to do, as values; each docstring says what the engine sends back.

The union `Effect` is closed: an engine that does not handle one of its members is a type error. A flow
yields an effect and is sent its result; a broken world is thrown into it as an exception of
`otpcore.errors`. What a provider raises never reaches a flow: the engine makes it an answer.

Rules of this file: frozen values named by imperative verbs, no behaviour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from otpcore.contract import CheckRequest, Event, SendIntent, SendRequest, Version

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
    "ReconcileCheck",
    "SendCode",
    "Tell",
]


@dataclass(frozen=True, slots=True)
class ReadClock:
    """Sends back the present: aware UTC, whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Sends back None after this many seconds; makes room for a competitor on the same record."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """Sends back `Versioned | None`; throws StoreUnavailable."""

    key: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Sends back `Version | Conflict`; throws StoreUnavailable, CommitUnknown, StoreFull."""

    key: str
    data: bytes | None = field(repr=False)
    expect: Version | None
    gc_at: datetime


@dataclass(frozen=True, slots=True)
class AskGuards:
    """Sends back the strictest `Verdict` of the active plugins, or None."""

    intent: SendIntent


@dataclass(frozen=True, slots=True)
class ChooseRoute:
    """Sends back names of providers, best first, at least one, all among the candidates."""

    intent: SendIntent
    candidates: Sequence[str]


@dataclass(frozen=True, slots=True)
class SendCode:
    """Sends back `Accepted | Failure`; throws nothing."""

    provider: str
    request: SendRequest


@dataclass(frozen=True, slots=True)
class CheckCode:
    """Sends back `CheckAnswer`; throws nothing."""

    provider: str
    request: CheckRequest


@dataclass(frozen=True, slots=True)
class ReconcileCheck:
    """Sends back `CheckAnswer | None`; throws nothing."""

    provider: str
    handle: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class CancelCode:
    """Sends back whether the provider ended it; throws nothing."""

    provider: str
    handle: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Tell:
    """Sends back None once audit log and plugins were told."""

    events: tuple[Event, ...]


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
    | Tell
)
