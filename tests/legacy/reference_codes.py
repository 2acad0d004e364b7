"""The half of the reference that sends and checks codes: numbers, and who asks.

Rules of this file: see `tests.legacy.reference`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from otpcore.policy import Profile

__all__ = ["FORBIDDEN", "FREE", "LONG_AGO", "REFUSALS", "ZERO", "Caller", "Codes", "Key", "Phone", "Told"]

Key = tuple[str, str]
"""unique_id and user_id."""

DAY: Final = timedelta(hours=24)
HOUR: Final = timedelta(hours=1)
ZERO: Final = timedelta(0)
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = datetime.max.replace(tzinfo=UTC)

VENDOR_SENDS: Final = 5
REFUSALS: Final = {"transient": (500, None), "rate_limited": (429, 30), "invalid_recipient": (500, None)}
"""A vendor that does not send, by its reason: the error, and its seconds."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a call came to.

    Attributes:
        error: 429, 403 or 500; 0 where it returned.
        seconds: of `retry_after`.
        status: of what it returned.
    """

    error: int = 0
    seconds: int | None = None
    status: str = ""


FREE: Final = Told()
PENDING: Final = Told(status="pending")
APPROVED: Final = Told(status="approved")
FORBIDDEN: Final = Told(403)
BROKEN: Final = Told(500)


@dataclass(slots=True)
class Phone:
    """One number.

    Attributes:
        steps, next_at: of the ladder that `verification` goes by.
        sends: those that count under the daily cap.
        given_back: refused by the vendor and not counted.
        failures: tries that were wrong.
        in_a_row: the same since the last success.
        live: a code may be tried.
        ends: when that is over.
        tries: wrong tries since it was opened.
        codes: those that match: code, its end, and whether the vendor took it.
        opened, opened_at_last: the vendor's own verification, and until when it may have been opened.
        vendor_sends, vendor_tries: of it.
        lost: sends of it whose answers were lost.
        doubted: the clock ran backwards, or too many answers were lost, to know.
        strict: somebody sent without the ladder.
    """

    steps: int = 0
    next_at: datetime | None = None
    sends: list[datetime] = field(default_factory=list[datetime])
    given_back: list[datetime] = field(default_factory=list[datetime])
    failures: list[datetime] = field(default_factory=list[datetime])
    in_a_row: int = 0
    live: bool = False
    ends: datetime = LONG_AGO
    tries: int = 0
    codes: list[tuple[str, datetime, bool]] = field(default_factory=list[tuple[str, datetime, bool]])
    opened: datetime | None = None
    opened_at_last: datetime = LONG_AGO
    vendor_sends: int = 0
    vendor_tries: int = 0
    lost: int = 0
    doubted: bool = False
    strict: bool = False


@dataclass(slots=True)
class Caller:
    """One `OTP_Model`: its number in E.164, "" for none, and what it has done."""

    number: str
    served: bool = True
    strict: bool = False
    approved: bool = False
    loaded: set[Key] = field(default_factory=set[Key])
    deleted: set[Key] = field(default_factory=set[Key])


class Codes:
    """The numbers, and what each call makes of them."""

    def __init__(self, profile: Profile, *, vendor_owns: bool, now: datetime) -> None:
        self.profile, self.vendor_owns = profile, vendor_owns
        self.now: datetime = now
        self.passed: timedelta = ZERO
        self.phones: dict[str, Phone] = {}

    def phone(self, number: str) -> Phone:
        """That of this number, as time has left it."""
        phone = self.phones.setdefault(number, Phone())
        if phone.live and self.now >= phone.ends:
            phone.live = False
        if phone.opened is not None and self.now >= phone.opened + self.profile.code_lifetime:
            phone.opened = None
        return phone

    def free_at(self, phone: Phone, *, strict: bool) -> tuple[datetime, bool] | None:
        """Before when nothing is sent, and whether that is a lock; NEVER for ever. None: it is free."""
        locked = self._locked(phone)
        if locked is not None:
            return locked, True
        ends = [] if strict or phone.next_at is None else [phone.next_at]
        counted = sorted(at for at in phone.sends if at > self.now - DAY)
        if len(counted) >= self.profile.daily_cap:
            ends.append(counted[-self.profile.daily_cap] + DAY)
        full = phone.vendor_sends >= VENDOR_SENDS or phone.vendor_tries >= self.profile.checks_per_session
        if self.vendor_owns and full:
            ends.append(phone.opened_at_last + self.profile.code_lifetime)
        ends = [end for end in ends if self.now < end]
        return (max(ends), False) if ends else None

    def _locked(self, phone: Phone) -> datetime | None:
        if phone.in_a_row >= self.profile.failures_in_a_row:
            return NEVER
        counted = sorted(at for at in phone.failures if at > self.now - DAY)
        limit = self.profile.failures_per_day
        return counted[-limit] + DAY if len(counted) >= limit else None

    def _refused(self, error: int, until: datetime) -> Told:
        if until == NEVER:
            return Told(error)
        return Told(error, max(1, ceil((until - self.now).total_seconds())))

    def verification(self, caller: Caller, order: str, code: str) -> Told:
        """Send a code.

        Args:
            caller: whose number it is.
            order: what the vendor does: "" as it should, "lost", or one of `REFUSALS`.
            code: that a message of this call carries.
        """
        if not caller.number or not caller.served:
            return BROKEN
        phone = self.phone(caller.number)
        closed = self.free_at(phone, strict=caller.strict)
        if closed is not None:
            return self._refused(429, closed[0])
        phone.strict = phone.strict or caller.strict
        step_before = phone.steps
        if not caller.strict:
            phone.steps = phone.steps % len(self.profile.ladder) + 1
            phone.next_at = self.now + self.profile.ladder[phone.steps - 1]
        if order in REFUSALS:
            self._gave_back(phone, None if caller.strict else step_before)
            error, seconds = REFUSALS[order]
            return Told(error, seconds)
        phone.sends.append(self.now)
        if not phone.live:
            phone.live, phone.tries, phone.codes = True, 0, []
            phone.ends = self.now + self.profile.code_lifetime
        (self._sent_by_vendor if self.vendor_owns else self._sent)(phone, code, lost=order == "lost")
        return BROKEN if order == "lost" else PENDING

    def _gave_back(self, phone: Phone, step_before: int | None) -> None:
        """The vendor did not send: the step, where one was taken, is given back, three times in an hour."""
        held = self._held(phone)
        if phone.live and not self.vendor_owns:
            phone.codes = held
            phone.ends = max(end for _, end, _ in held)
        if sum(at > self.now - HOUR for at in phone.given_back) < self.profile.refunds_per_hour:
            phone.given_back.append(self.now)
            if step_before is not None:
                phone.steps = step_before if step_before < len(self.profile.ladder) else 0
                phone.next_at = self.now
        else:
            phone.sends.append(self.now)

    def _held(self, phone: Phone) -> list[tuple[str, datetime, bool]]:
        """What matches besides a new code on its way."""
        return [one for one in phone.codes if one[2]] or phone.codes[-1:]

    def _sent(self, phone: Phone, code: str, *, lost: bool) -> None:
        """A new code is the only one; but one whose answer was lost leaves the one before it."""
        ends = self.now + self.profile.code_lifetime
        phone.codes = [*self._held(phone), (code, ends, False)] if lost else [(code, ends, True)]
        phone.ends = ends

    def _sent_by_vendor(self, phone: Phone, code: str, *, lost: bool) -> None:
        """The vendor goes on with its code, and lets it live from its first message."""
        if phone.opened is None:
            phone.opened = phone.opened_at_last = self.now
            phone.vendor_sends = phone.vendor_tries = phone.lost = 0
        elif phone.lost == phone.vendor_sends:  # none of them was heard of
            phone.opened_at_last = self.now
        phone.vendor_sends += 1
        phone.lost += lost
        phone.doubted = phone.doubted or phone.lost > 1
        phone.ends = phone.opened + self.profile.code_lifetime
        phone.codes = [(code, phone.ends, True)]

    def verification_check(self, caller: Caller, code: str) -> Told:
        """Try a code."""
        if not caller.number:
            return BROKEN
        phone = self.phone(caller.number)
        if not (len(code) == self.profile.code_digits and code.isascii() and code.isdigit()) or not phone.live:
            return FORBIDDEN
        locked = self._locked(phone)
        if locked is not None:
            return self._refused(403, locked)
        if phone.opened is not None and phone.lost == phone.vendor_sends:
            phone.lost = 0  # now it is heard of
        if any(code == one and self.now < end for one, end, _ in phone.codes):
            phone.live, phone.opened, phone.steps, phone.next_at, phone.in_a_row = False, None, 0, None, 0
            phone.vendor_sends = phone.vendor_tries = 0
            caller.approved = True
            return APPROVED
        phone.failures.append(self.now)
        phone.in_a_row += 1
        phone.tries += 1
        phone.vendor_tries += 1
        phone.live = phone.tries < self.profile.checks_per_session
        return PENDING if caller.strict else FORBIDDEN
