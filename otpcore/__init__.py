"""Does the person in front of us hold this phone number?

otpcore sends a one-time code through any provider, checks it, and enforces the resend policy, atomically, on
any store. The way in: `Engine` (or `AsyncEngine`), its verbs start, resend, check, cancel, status, forget,
unlock and receipt, and the results they answer with. Plugin authors read `otpcore.ports` and `otpcore.hookspecs`.

The code reads in this order: `otpcore.engine.sync`, what an application calls; `otpcore.flows`, what happens before
what; `otpcore.ledger`, how the record changes; `otpcore.machine` and `otpcore.policy`, what may change, and when.
"""

from typing import TYPE_CHECKING, Any

from otpcore.contract import CodeOwner
from otpcore.engine import Engine
from otpcore.errors import OtpcoreError
from otpcore.model import SendState, SessionStatus
from otpcore.policy import PROFILES, Profile
from otpcore.receipts import InboundRequest
from otpcore.results import (
    Approved,
    ByRecipient,
    Ended,
    Forgotten,
    NextActions,
    NotFound,
    Outward,
    Received,
    Refusal,
    Refused,
    Sent,
    SessionView,
    Status,
    Undecided,
    Unlocked,
    Wait,
    WaitReason,
    Wrong,
    outward,
)

if TYPE_CHECKING:
    from otpcore.engine import AsyncEngine
    from otpcore.engine.opening import open_async_engine, open_engine

__all__ = [
    "PROFILES",
    "Approved",
    "AsyncEngine",
    "ByRecipient",
    "CodeOwner",
    "Ended",
    "Engine",
    "Forgotten",
    "InboundRequest",
    "NextActions",
    "NotFound",
    "OtpcoreError",
    "Outward",
    "Profile",
    "Received",
    "Refusal",
    "Refused",
    "SendState",
    "Sent",
    "SessionStatus",
    "SessionView",
    "Status",
    "Undecided",
    "Unlocked",
    "Wait",
    "WaitReason",
    "Wrong",
    "open_async_engine",
    "open_engine",
    "outward",
]


def __getattr__(name: str) -> Any:
    # asyncio is paid for by those who await
    if name == "AsyncEngine":
        from otpcore.engine.aio import AsyncEngine  # noqa: PLC0415  # the reason is above

        return AsyncEngine
    if name in {"open_async_engine", "open_engine"}:
        from otpcore.engine import opening  # noqa: PLC0415  # settings cost a quarter of a second

        return getattr(opening, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
