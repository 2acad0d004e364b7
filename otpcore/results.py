"""What an operation answers: expected outcomes as values, made for `match`.

    start, resend   Sent | Wait | Refused | Ended | NotFound
    check           Approved | Wrong | Undecided | Ended | Refused | NotFound
    cancel          Ended | Refused | NotFound
    status          Status | Refused | NotFound
    forget          Forgotten | Refused
    unlock          Unlocked | Refused
    receipt         Received | Refused

What is told of a session carries `next`: when a send is possible, how many checks are left, when it expires. That is
for application and holder of the secret; `outward` turns a result into the one shape that a stranger may see.

Rules of this file: frozen values; no code, and no number but in the native objects of an SDK.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from otpcore.contract import CheckAnswer, Failure, FailureKind
from otpcore.model import SendState, SessionStatus
from otpcore.receipts import Received

__all__ = [
    "Approved",
    "ByRecipient",
    "CancelResult",
    "CheckResult",
    "Ended",
    "ForgetResult",
    "Forgotten",
    "NextActions",
    "NotFound",
    "Outward",
    "ReceiptResult",
    "Received",
    "Refusal",
    "Refused",
    "SendResult",
    "Sent",
    "SessionView",
    "Status",
    "StatusResult",
    "Undecided",
    "UnlockResult",
    "Unlocked",
    "Wait",
    "WaitReason",
    "Wrong",
    "outward",
]


@dataclass(frozen=True, slots=True)
class ByRecipient:
    """Addresses the live session of a recipient and purpose, where the server keeps no token.

    Attributes:
        number: E.164, or national together with `region`; or an e-mail address.
        purpose: one of the engine's.
        region: ISO 3166-1 alpha-2, for a national number.
    """

    number: str = field(repr=False)
    purpose: str = "login"
    region: str | None = None


class NextActions(msgspec.Struct, frozen=True):
    """What can be done from here.

    Attributes:
        resend_at: the earliest instant of the next send; None when that is not known here, or when
            no send will be possible until an operator unlocks the recipient.
        checks_left: tries left on the session, 0 or more; None when there is no session to speak of.
        expires_at: when the session ends; None when there is none.
        locked_until: no check and no send before this instant, for too many failures.
    """

    resend_at: datetime | None = None
    checks_left: int | None = None
    expires_at: datetime | None = None
    locked_until: datetime | None = None


NOTHING_NEXT: Final = NextActions()


class SessionView(msgspec.Struct, frozen=True):
    """A session as its holder may know it.

    Attributes:
        token: give it to the client; None when the session is addressed by its recipient. The only
            copy of its secret half: it shows in no `repr` and in no store.
        id: names the session in logs and audit events; opens nothing.
        purpose, status, channel, provider: as they stand; channel is "" once it ended.
    """

    token: str | None
    id: str
    purpose: str
    status: SessionStatus
    channel: str = ""
    provider: str = ""

    def __repr__(self) -> str:
        return f"SessionView(id={self.id!r}, purpose={self.purpose!r}, status={self.status!r})"


@dataclass(frozen=True, slots=True)
class Sent:
    """A code was handed to the provider.

    Attributes:
        session: what to keep, and what to hand to the client.
        next: see `NextActions`.
        state: ACCEPTED; UNKNOWN when the provider's answer was lost, and the message may be on its way; RESERVED
            when the answer could not be written down. A repetition tells how the first call's send stands now.
        replayed: nothing was sent now; the call repeated an idempotency key.
        native: the SDK's own object, where the provider gave one.
    """

    session: SessionView
    next: NextActions
    state: SendState = SendState.ACCEPTED
    replayed: bool = False
    native: object = field(default=None, repr=False, compare=False)


class WaitReason(StrEnum):
    """Why a send is not possible yet."""

    LADDER = "ladder"  # the wait after the last send is running
    DAILY_CAP = "daily_cap"  # so many sends in 24 hours, whatever happened
    SOURCE = "source"  # this source has used its share; others may go on
    SESSIONS = "sessions"  # as many live sessions as there may be
    PROVIDER_WINDOW = "provider_window"  # the provider takes no more in its window
    OTHER_PURPOSE = "other_purpose"  # the provider's verification serves another purpose
    GUARD = "guard"  # a plugin holds it


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. Nothing was sent, and nothing of the recipient's limits was used.

    Attributes:
        until: come back at this instant.
        reason: see `WaitReason`.
        next: see `NextActions`; `resend_at` equals `until`.
        retry_after_s: seconds from the moment of the decision to `until`; never longer than the step that runs.
    """

    until: datetime
    reason: WaitReason
    next: NextActions
    retry_after_s: float


class Refusal(StrEnum):
    """Why the answer is no. The first block is the core's own, the second comes from the provider."""

    INVALID_RECIPIENT = "invalid_recipient"
    INVALID_CODE = "invalid_code"
    INVALID_RECEIPT = "invalid_receipt"
    RECIPIENT_MISMATCH = "recipient_mismatch"
    RECIPIENT_NEEDED = "recipient_needed"
    DESTINATION_DENIED = "destination_denied"
    DENIED_BY_GUARD = "denied_by_guard"
    CHANNEL_UNSUPPORTED = "channel_unsupported"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    LOCKED = "locked"

    OPTED_OUT = FailureKind.OPTED_OUT.value
    CHANNEL_UNREACHABLE = FailureKind.CHANNEL_UNREACHABLE.value
    DESTINATION_BLOCKED = FailureKind.DESTINATION_BLOCKED.value
    FRAUD_SUSPECTED = FailureKind.FRAUD_SUSPECTED.value
    RATE_LIMITED = FailureKind.RATE_LIMITED.value
    TRANSIENT = FailureKind.TRANSIENT.value
    MISCONFIGURED = FailureKind.MISCONFIGURED.value
    QUOTA_EXHAUSTED = FailureKind.QUOTA_EXHAUSTED.value
    CONTENT_REJECTED = FailureKind.CONTENT_REJECTED.value
    TIMEOUT = FailureKind.TIMEOUT.value
    INTERNAL = FailureKind.INTERNAL.value


@dataclass(frozen=True, slots=True)
class Refused:
    """No. No code was sent, no try was spent.

    Attributes:
        kind: see `Refusal`.
        next: see `NextActions`.
        detail: a sentence for the developer or operator: masked, never for a stranger.
        cause: what the provider answered, where it was asked.
    """

    kind: Refusal
    next: NextActions = NOTHING_NEXT
    detail: str = ""
    cause: Failure | CheckAnswer | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over.

    Attributes:
        status: how it ended; approved here means "used", only `Approved` is a success.
        next: see `NextActions`.
        session: the session's id, for logs.
        cause: what the provider answered, where that ended it.
    """

    status: SessionStatus
    next: NextActions
    session: str = ""
    cause: CheckAnswer | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no such session for this caller: never was, long gone, or not theirs."""

    next: NextActions = NOTHING_NEXT


@dataclass(frozen=True, slots=True)
class Approved:
    """The code is right; told once for a session, and to one caller.

    Attributes:
        session: as it stands now.
        next: see `NextActions`.
        native: the SDK's own object, where the provider compared the code.
    """

    session: SessionView
    next: NextActions
    native: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code is wrong; one try was spent.

    Attributes:
        next: see `NextActions`; with no checks left the session is over.
        native: the SDK's own object, where the provider compared the code.
    """

    next: NextActions
    native: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Undecided:
    """The provider's answer was lost or cannot be trusted; the try is spent and nothing is approved.

    Attributes:
        next: see `NextActions`.
        cause: what the provider answered.
    """

    next: NextActions
    cause: CheckAnswer | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Status:
    """How a session stands.

    Attributes:
        session: as it stands now; its token is not repeated.
        next: see `NextActions`.
    """

    session: SessionView
    next: NextActions


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Sessions and the number are gone; the pseudonymous limits stay until their windows end.

    Attributes:
        sessions: how many sessions were erased, live or ended.
        next: see `NextActions`.
    """

    sessions: int
    next: NextActions


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The failure counts are cleared; ladder and daily cap stay.

    Attributes:
        failures: how many were cleared.
        next: see `NextActions`.
    """

    failures: int
    next: NextActions


SendResult = Sent | Wait | Refused | Ended | NotFound
CheckResult = Approved | Wrong | Undecided | Ended | Refused | NotFound
CancelResult = Ended | Refused | NotFound
StatusResult = Status | Refused | NotFound
ForgetResult = Forgotten | Refused
UnlockResult = Unlocked | Refused
ReceiptResult = Received | Refused


@dataclass(frozen=True, slots=True)
class Outward:
    """The one shape of an answer that a stranger may see.

    Attributes:
        status: "requested" whatever became of a send; "approved" or "not_approved" of a check.
    """

    status: str


def outward(result: SendResult | CheckResult, *, of: str) -> Outward:
    """What may be told to somebody who has not proved to hold the session.

    Args:
        result: of any operation.
        of: "send" or "check": which question was asked. The answer to a send is always the same; the
            answer to a check says approved or not, and nothing of why.

    Raises:
        ValueError: `of` is neither.
    """
    match of:
        case "send":
            return Outward("requested")
        case "check":
            return Outward("approved" if isinstance(result, Approved) else "not_approved")
        case _:
            raise ValueError(f"of is 'send' or 'check', not {of!r}.")
