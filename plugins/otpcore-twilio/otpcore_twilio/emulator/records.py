"""What Twilio keeps a record of: a service, a verification, an attempt, the message that a person gets.

Rule of this file: values and the source of their secrets; what happens to them is in `state`.
"""

from __future__ import annotations

import random
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Attempt", "Entropy", "Message", "Service", "Verification"]


class Entropy:
    """Codes and SIDs: from the operating system, or the same ones for the same seed."""

    def __init__(self, seed: int | None) -> None:
        self._random: random.Random = secrets.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  # asked for

    def kept(self) -> tuple[object, ...] | None:
        """Where a seeded source stands; None: the operating system has no place."""
        return None if isinstance(self._random, random.SystemRandom) else self._random.getstate()

    def resume(self, kept: tuple[object, ...] | None) -> None:
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
    """A Verify Service; the defaults are Twilio's."""

    sid: str
    friendly_name: str
    created_at: datetime
    updated_at: datetime
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send."""

    sid: str
    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """What the recipient got.

    Attributes:
        number: counts the messages of the account from 1, those that the inbox no longer holds too.
        sid: that of the attempt (VL…).
        verification_sid: VE….
        to: E.164 number or e-mail address.
        channel: sms, call, whatsapp or email.
        code: the code inside the text.
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
class Verification:
    """One verification. Status: pending, approved, canceled, max_attempts_reached or expired."""

    sid: str
    service_sid: str
    to: str
    code: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    status: str = "pending"
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    checks: int = 0
    amount: str | None = None
    payee: str | None = None
    polls: deque[datetime] = field(default_factory=lambda: deque(maxlen=250))

    @property
    def channel(self) -> str:
        """That of the newest send."""
        return self.attempts[-1].channel
