"""What Twilio keeps a record of: services, verifications, attempts, limits, texts, the messages that people get.

`Holdings` has all of it. Rule of this file: plain data (texts, numbers, instants, lists, tables by SID), so that the
whole can be written as JSON and read again; and the one source of secrets. What happens to it is in `state`.
"""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = [
    "Attempt",
    "Bucket",
    "Entropy",
    "Holdings",
    "Message",
    "MessagingConfiguration",
    "RateLimit",
    "SafeNumber",
    "Send",
    "Service",
    "SilentTry",
    "Text",
    "Verification",
]


class Entropy:
    """Codes and SIDs: from the operating system, or the same ones for the same seed."""

    def __init__(self, seed: int | None) -> None:
        self._random: random.Random = secrets.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  # asked for

    def kept(self) -> tuple[Any, ...] | None:
        """Where a seeded source stands; None: the operating system has no place."""
        return None if isinstance(self._random, random.SystemRandom) else self._random.getstate()

    def resume(self, kept: tuple[Any, ...] | None) -> None:
        """Go on from there."""
        self._random = secrets.SystemRandom() if kept is None else random.Random()  # noqa: S311  # asked for
        if kept is not None:
            self._random.setstate(kept)

    def sid(self, prefix: str) -> str:
        """Two letters and 32 hexadecimal digits."""
        return f"{prefix}{self.token()}"

    def token(self) -> str:
        """32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def code(self, length: int) -> str:
        """`length` decimal digits."""
        return f"{self._random.randrange(10**length):0{length}}"


@dataclass(slots=True)
class Service:
    """A Verify Service; the defaults are Twilio's.

    Attributes:
        serial: its place among all records of the account, as of every record that is listed.
        mailer_sid: a mailer, which Twilio accepts and never shows; without one there is no e-mail.
        nested: by the group of the body (push, totp, whatsapp, passkeys, relying_party), what was set in it.
    """

    sid: str
    friendly_name: str
    created_at: datetime
    updated_at: datetime
    serial: int = 0
    code_length: int = 6
    lookup_enabled: bool = False
    psd2_enabled: bool = False
    skip_sms_to_landlines: bool = False
    dtmf_input_required: bool = True
    tts_name: str | None = None
    do_not_share_warning_enabled: bool = False
    custom_code_enabled: bool = False
    default_template_sid: str | None = None
    verify_event_subscription_enabled: bool = False
    mailer_sid: str | None = None
    nested: dict[str, dict[str, str | int | bool | None]] = field(
        default_factory=dict[str, dict[str, str | int | bool | None]]
    )


@dataclass(slots=True)
class RateLimit:
    """A programmable rate limit of a service.

    Attributes:
        uses: by value, the instants of the requests that counted, oldest first; the value used last comes last.
    """

    sid: str
    service_sid: str
    unique_name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    serial: int
    uses: dict[str, list[datetime]] = field(default_factory=dict[str, list[datetime]])


@dataclass(slots=True)
class Bucket:
    """At most `max` requests of one value in `interval_s` seconds."""

    sid: str
    rate_limit_sid: str
    max: int
    interval_s: int
    created_at: datetime
    updated_at: datetime
    serial: int


@dataclass(slots=True)
class MessagingConfiguration:
    """The messaging service that sends to one country."""

    service_sid: str
    country: str
    messaging_service_sid: str
    created_at: datetime
    updated_at: datetime
    serial: int


@dataclass(frozen=True, slots=True)
class SafeNumber:
    """A number that no check of risk holds up."""

    sid: str
    phone_number: str


@dataclass(frozen=True, slots=True)
class Send:
    """One send, as its verification shows it."""

    attempt_sid: str
    channel: str
    at: datetime


@dataclass(slots=True)
class Attempt:
    """One send, as the log of attempts shows it; it outlives its verification.

    Attributes:
        expires_at: when its code stops being valid.
        message_status: of the message, or of the call.
        error_code: why it was not delivered, digits.
        converted: the person typed the code, or the application reported it.
        tags: as given with the request.
    """

    sid: str
    service_sid: str
    verification_sid: str
    to: str
    channel: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    code_length: int
    locale: str
    serial: int
    message_status: str = "delivered"
    error_code: str | None = None
    converted: bool = False
    tags: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Message:
    """What the recipient got.

    Attributes:
        number: counts the messages of the account from 1, those that the inbox no longer holds too.
        sid: that of the attempt (VL…), or of a text (SM…).
        verification_sid: VE…, or once more SM… of a text.
        to: E.164 number or e-mail address.
        channel: sms, call, whatsapp or email.
        code: the code inside the text; "" where a text has none.
        text: as read or heard.
        at: aware UTC.
    """

    number: int
    sid: str
    verification_sid: str
    to: str
    channel: str
    code: str = field(repr=False)
    text: str = field(repr=False)
    at: datetime


@dataclass(slots=True)
class Text:
    """One message that the application worded itself (Programmable Messaging).

    Attributes:
        sender: number, short code or sender id; None: a service has not chosen yet.
        service_sid: MG…; None without one.
        segments: short messages that it takes.
        feedback: the application said that it would tell the outcome.
        callback: URL that its statuses are told to.
        status: how it ends.
        error_code: why it was not delivered.
        outcome: confirmed or unconfirmed, once that was told.
    """

    sid: str
    to: str
    sender: str | None
    service_sid: str | None
    body: str = field(repr=False)
    created_at: datetime
    segments: int
    feedback: bool = False
    callback: str | None = None
    status: str = "delivered"
    error_code: int | None = None
    outcome: str | None = None


@dataclass(slots=True)
class SilentTry:
    """One silent network authentication.

    Attributes:
        attempt_sid: VL….
        key: stands in the URL that the phone opens.
        client_token: what the URL's answer hands out, if the check has to bring it.
        code: why it has not succeeded; None once the carrier has confirmed the number.
        opened: a URL works once.
    """

    attempt_sid: str
    key: str = field(repr=False)
    client_token: str | None = field(repr=False)
    code: int | None
    opened: bool = False


@dataclass(slots=True)
class Verification:
    """One verification. Status: pending, approved, canceled, max_attempts_reached or expired.

    Attributes:
        looked_up: the carrier of the number was asked for.
        polls: when it was fetched, the newest 250.
    """

    sid: str
    service_sid: str
    to: str
    code: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    status: str = "pending"
    sends: list[Send] = field(default_factory=list[Send])
    checks: int = 0
    amount: str | None = None
    payee: str | None = None
    looked_up: bool = False
    silent: list[SilentTry] = field(default_factory=list[SilentTry])
    polls: list[datetime] = field(default_factory=list[datetime])

    @property
    def channel(self) -> str:
        """That of the newest send."""
        return self.sends[-1].channel


@dataclass(slots=True)
class Holdings:
    """Everything that one account holds. Tables are by SID, oldest first.

    Attributes:
        messages: oldest first.
        texts: those of Programmable Messaging.
        sent: how many messages there ever were.
        configurations: by "VA… country".
        safe_numbers: by number.
        requests: by resource, when it was asked for, for those that Twilio limits.
        serial: the place of the newest record.
    """

    services: dict[str, Service] = field(default_factory=dict[str, Service])
    verifications: dict[str, Verification] = field(default_factory=dict[str, Verification])
    attempts: dict[str, Attempt] = field(default_factory=dict[str, Attempt])
    messages: list[Message] = field(default_factory=list[Message])
    texts: dict[str, Text] = field(default_factory=dict[str, Text])
    sent: int = 0
    rate_limits: dict[str, RateLimit] = field(default_factory=dict[str, RateLimit])
    buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])
    configurations: dict[str, MessagingConfiguration] = field(default_factory=dict[str, MessagingConfiguration])
    safe_numbers: dict[str, SafeNumber] = field(default_factory=dict[str, SafeNumber])
    requests: dict[str, list[datetime]] = field(default_factory=dict[str, list[datetime]])
    serial: int = 0

    def next_serial(self) -> int:
        """The place of one more record."""
        self.serial += 1
        return self.serial
