"""The values that cross the line between the core and a provider.

Rules of this file: see `otpcore.contract`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "NO_EXTRA",
    "Accepted",
    "CheckAnswer",
    "CheckRequest",
    "CheckVerdict",
    "CodeOwner",
    "Failure",
    "FailureKind",
    "FailureScope",
    "MessageText",
    "Money",
    "ProviderCapabilities",
    "ProviderLimit",
    "ResendSemantics",
    "SendEffect",
    "SendRequest",
    "mask",
]

NO_EXTRA: Mapping[str, str] = MappingProxyType({})
SHOWN: Final = 2
"""Last characters of a recipient that an operator may see."""


def mask(recipient: str) -> str:
    """The form of a recipient that may be shown to an operator: everything but the last two characters hidden."""
    return f"…{recipient[-SHOWN:]}" if len(recipient) > 2 * SHOWN else "…"


class CodeOwner(StrEnum):
    """Who makes and compares the code."""

    CORE = "core"
    PROVIDER = "provider"


class ResendSemantics(StrEnum):
    """What a provider that owns the code does with it on a resend inside its window."""

    SAME_CODE = "same_code"
    NEW_CODE = "new_code"


class SendEffect(StrEnum):
    """Whether a message may be on its way although the provider did not accept. Drives refund and failover."""

    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class FailureKind(StrEnum):
    """Why a provider did not accept. Drives the user's message, the route and the breaker."""

    INVALID_RECIPIENT = "invalid_recipient"
    OPTED_OUT = "opted_out"
    CHANNEL_UNREACHABLE = "channel_unreachable"
    DESTINATION_BLOCKED = "destination_blocked"
    FRAUD_SUSPECTED = "fraud_suspected"
    RATE_LIMITED = "rate_limited"
    TRANSIENT = "transient"
    MISCONFIGURED = "misconfigured"
    QUOTA_EXHAUSTED = "quota_exhausted"
    CONTENT_REJECTED = "content_rejected"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


class FailureScope(StrEnum):
    """Of whom a failure says something. What is of one recipient opens no breaker, whatever its kind."""

    RECIPIENT = "recipient"
    ACCOUNT = "account"


class CheckVerdict(StrEnum):
    """A provider's answer to one try at the code. Only APPROVED approves.

    GONE cannot say: used, expired, cancelled or never there (Twilio's 404). UNKNOWN: no answer that
    can be trusted; the try is burned and it is never an approval. DENIED and THROTTLED: the provider
    did not compare the code.
    """

    APPROVED = "approved"
    WRONG = "wrong"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
    GONE = "gone"
    DENIED = "denied"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProviderLimit:
    """A provider's own bound on sends to one recipient.

    An engine refuses a resend ladder that allows more without a success, whoever makes the codes. It also counts the
    sends of a verification that is the provider's: while its window is full, the next one waits. What no engine
    counts, the provider refuses itself: RATE_LIMITED, of the recipient.

    Attributes:
        sends: how many it accepts, 1 or more.
        window: counted from the first send of the verification; for a code of the core, from the first since a success.
    """

    sends: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class ProviderCapabilities:
    """What a provider instance can do.

    Attributes:
        code_owners: who may own the code; at least one.
        channels: names of the channels it sends on, such as "sms" or "call".
        resend: for provider-owned codes, what a resend inside the window does to the code.
        limit: its own bound on sends; None where it has none.
        code_lifetime: for provider-owned codes, how long one lives from the handle's first send.
        code_digits: for provider-owned codes, the lengths it makes, (shortest, longest).
        check_by_recipient: a check may name the recipient where the handle is not known.
        simulated: nothing leaves the machine; refused in production.
        stands_in: it stands in for a vendor, answers and all: an emulator on a loopback address, the fake.
            What is made for demonstrations is refused everywhere else.
        scope: names the account at the vendor in which verifications of one recipient are shared
            (Twilio: the Verify service). A scope belongs to one tenant. None where nothing is shared.
        extra_sends: messages that it may send by itself beyond the one that was asked for (Vonage: the later
            channels of a workflow). Each counts against the daily cap from the beginning.
        extra_names: the names in `SendRequest.extra` that it understands; it is given no others. None: it does not say,
            and is given whatever the call has.
    """

    code_owners: frozenset[CodeOwner]
    channels: frozenset[str]
    resend: ResendSemantics = ResendSemantics.NEW_CODE
    limit: ProviderLimit | None = None
    code_lifetime: timedelta | None = None
    code_digits: tuple[int, int] = (4, 10)
    check_by_recipient: bool = False
    simulated: bool = False
    stands_in: bool = False
    scope: str | None = None
    extra_sends: int = 0
    extra_names: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """A price as a vendor states it.

    Attributes:
        amount: exact, 0 or more.
        currency: ISO 4217 ("EUR").
    """

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class MessageText:
    """The words around a code of the core, made by the core from one of its templates.

    Attributes:
        text: whole, the code in it; sent as it is.
        segments: messages that it takes as SMS: 160 characters of GSM 03.38 or 70 of UCS-2 in one, 153 or 67 in
            each of several (3GPP TS 23.038, TS 23.040).
        template: its name, and
        locale: its language (BCP 47).
        subject: of an e-mail; None elsewhere.
        dlt: a regulator's ids of sender and text (India: "entity_id", "template_id"); empty where none asks.
    """

    text: str = field(repr=False)
    segments: int
    template: str
    locale: str
    subject: str | None = field(default=None, repr=False)
    dlt: Mapping[str, str] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One code for one recipient.

    Attributes:
        send_id: unique to this send; a provider that takes an idempotency key is given it.
        recipient: E.164; an e-mail address on the channel "email".
        channel: one of the provider's declared channels.
        purpose: the application's name for what is being confirmed.
        code: the digits to send when the core owns the code; None when the provider does.
        handle: the provider's own id of a live verification of this recipient; for a code of the core, of its
            newest message, whichever session that was for. None where none is known.
        expires_at: when the code ends.
        timeout_s: the call must have returned after this many seconds.
        locale: BCP 47, or None for the provider's default.
        extra: provider-specific parameters, by the provider's documented names; see `ProviderCapabilities.extra_names`.
        source: pseudonym of where the request came from, for limits of the provider's own; "" when not told.
        region: ISO 3166-1 alpha-2 of the number ("CM"), "001" where it belongs to none; "" of an address or untold.
        message: what to deliver for a code of the core; None where the provider makes the words.
    """

    send_id: str
    recipient: str = field(repr=False)
    channel: str
    purpose: str
    code: str | None = field(repr=False)
    handle: str | None
    expires_at: datetime
    timeout_s: float
    locale: str | None = None
    extra: Mapping[str, str] = field(default_factory=lambda: NO_EXTRA, repr=False)
    source: str = field(default="", repr=False)
    region: str = ""
    message: MessageText | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the send.

    Attributes:
        handle: the provider's id of the verification or message, at most 100 printable ASCII
            characters; needed later to check or cancel, to report an outcome, and to know a receipt. None
            where there is none.
        native: the SDK's own object. Handed to the caller, never stored, never shown.
        cost: what the vendor takes for it; None where it did not say.
        segments: messages that the vendor counts; None where it did not say.
    """

    handle: str | None
    native: object = field(default=None, repr=False, compare=False)
    cost: Money | None = None
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The provider did not take the send, or nobody knows.

    Attributes:
        kind: why.
        effect: whether a message may be on its way. NOT_SENT only where that is certain.
        detail: a sentence for an operator: no code, no full number.
        provider_code: the vendor's own error code, at most 100 printable ASCII characters. Logs show it; an engine
            drops one that holds the code or the recipient.
        scope: RECIPIENT where this number or address alone can have brought it about: a limit of its own, a network
            that this vendor does not reach, a mailbox. It decides of breakers, and for RATE_LIMITED of the route.
        retry_after: from now, where the vendor said so.
        native: the SDK's own exception or object. Never stored, never shown.
    """

    kind: FailureKind
    effect: SendEffect
    detail: str = ""
    provider_code: str | None = None
    scope: FailureScope = FailureScope.ACCOUNT
    retry_after: timedelta | None = None
    native: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """One try at a provider-owned code.

    Attributes:
        handle: the provider's id of the verification; None only where the answer to the first send
            was lost, and then `recipient` is given.
        recipient: E.164; None where the handle says enough.
        code: as the person typed it; ASCII digits, 4 to 10 of them.
        timeout_s: the call must have returned after this many seconds.
        extra: provider-specific parameters, by the provider's documented names.
    """

    handle: str | None
    recipient: str | None = field(repr=False)
    code: str = field(repr=False)
    timeout_s: float
    extra: Mapping[str, str] = field(default_factory=lambda: NO_EXTRA, repr=False)


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What the provider said of one try.

    Attributes:
        verdict: see `CheckVerdict`.
        handle: the provider's id of the verification that was checked, where it said so.
        detail: a sentence for an operator: no code, no full number.
        provider_code: the vendor's own error code, at most 100 printable ASCII characters. Logs show it; an engine
            drops one that holds the code or the recipient.
        retry_after: from now, where the vendor said so.
        native: the SDK's own object or exception. Never stored, never shown.
    """

    verdict: CheckVerdict
    handle: str | None = None
    detail: str = ""
    provider_code: str | None = None
    retry_after: timedelta | None = None
    native: object = field(default=None, repr=False, compare=False)
