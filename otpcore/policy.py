"""How many sends and checks there may be: named profiles with their source, and the decisions.

Rules of this file: a limit is a number of a profile; a decision is a pure function of a record, a
profile and `now` that answers with a value. Limits count the allowed number, not one more: a limit of
10 lets ten through and refuses the eleventh. Windows are half-open: what happened exactly 24 hours ago
no longer counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from otpcore.errors import ConfigurationError
from otpcore.model import Check, Ladder, RecipientRecord, Send
from otpcore.results import WaitReason

__all__ = [
    "DAY",
    "DEFAULT",
    "DEMO",
    "LONGEST_LIFETIME",
    "PROFILES",
    "SIGNAL",
    "TWILIO",
    "Locked",
    "NotYet",
    "Profile",
    "climb",
    "decide_check",
    "decide_send",
    "has_room",
    "profile_named",
]

DAY: Final = timedelta(hours=24)

LONGEST_LIFETIME: Final = timedelta(seconds=600)
"""NIST SP 800-63B-4 section 3.1.3.2 and OWASP ASVS 5.0 6.5.5: an out-of-band code lives ten minutes at most."""

SHORTEST_CODE: Final = 6
LONGEST_CODE: Final = 10
"""NIST SP 800-63B-4: at least six decimal digits; ten is the longest that a person still types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A policy with a name.

    Attributes:
        name: how settings name it.
        source: where its numbers come from.
        ladder: the waits after the 1st, 2nd, … n-th send; after the last wait the cycle starts again. Empty: no
            waits, only the caps.
        daily_cap: sends in any 24 hours, whatever happens; what a provider may send by itself counts with each.
        checks_per_session: answers revealed for one session (and for one verification at a provider).
        failures_per_day: wrong or lost checks of one recipient in any 24 hours, across its sessions.
        failures_in_a_row: the same without a success between them; then only an operator unlocks.
        live_sessions: sessions of one recipient that may be pending at once.
        code_lifetime: how long a code matches, at most 600 s.
        code_digits: length of a core-owned code, 6 to 10.
        refunds_per_hour: sends given back after a definite refusal of the provider.
        simulated_only: for demonstrations; refused against anything but an emulator or the fake.
    """

    name: str
    source: str
    ladder: tuple[timedelta, ...]
    daily_cap: int = 10
    checks_per_session: int = 5
    failures_per_day: int = 10
    failures_in_a_row: int = 100
    live_sessions: int = 3
    code_lifetime: timedelta = LONGEST_LIFETIME
    code_digits: int = 6
    refunds_per_hour: int = 3
    simulated_only: bool = False

    def __post_init__(self) -> None:
        """Refuse what no user of the policy could want.

        Raises:
            ConfigurationError: naming the number and its bounds.
        """
        zero = timedelta(0)
        bounds = [
            (all(wait > zero for wait in self.ladder), "each wait of the ladder is > 0"),
            (self.daily_cap >= 1, "daily_cap is at least 1"),
            (1 <= self.checks_per_session <= 10, "checks_per_session is 1 to 10"),  # noqa: PLR2004  # said in the text
            (self.failures_per_day >= self.checks_per_session, "failures_per_day is at least checks_per_session"),
            (self.failures_in_a_row >= self.failures_per_day, "failures_in_a_row is at least failures_per_day"),
            (self.live_sessions >= 1, "live_sessions is at least 1"),
            (zero < self.code_lifetime <= LONGEST_LIFETIME, "code_lifetime is more than 0 and at most 600 s"),
            (SHORTEST_CODE <= self.code_digits <= LONGEST_CODE, "code_digits is 6 to 10"),
            (self.refunds_per_hour >= 0, "refunds_per_hour is at least 0"),
        ]
        for holds, rule in bounds:
            if not holds:
                raise ConfigurationError(f"The policy profile {self.name!r} cannot be used: {rule}.")


def _waits(*seconds: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=each) for each in seconds)


DEFAULT: Final = Profile(
    name="default",
    source="the legacy OTP_Model's documented counter: 2 min, 5 min, 15 min, 24 h; failures after RFC 4226 section 7.3 "
    "and NIST SP 800-63B-4 section 3.2.2",
    ladder=_waits(120, 300, 900, 86_400),
)

TWILIO: Final = Profile(
    name="twilio",
    source="Twilio's verify-retry sample: 30, 40, 60, 90 s, and the rest of ten minutes after the fifth send; "
    "five sends fill Verify's window of 600 s, 5 s over for the clocks",
    ladder=_waits(30, 40, 60, 90, 385),
)

SIGNAL: Final = Profile(
    name="signal",
    source="the spacing that Signal's registration service shows its users: 1, 2, 5, 10 min",
    ladder=_waits(60, 120, 300, 600),
)

DEMO: Final = Profile(
    name="demo",
    source="made for demonstrations: waits that a person sits out",
    ladder=_waits(3, 3, 3, 3),
    simulated_only=True,
)

PROFILES: Final = {profile.name: profile for profile in (DEFAULT, TWILIO, SIGNAL, DEMO)}


def profile_named(name: str) -> Profile:
    """The profile of this name.

    Raises:
        ConfigurationError: there is none; the message lists them.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(f"There is no policy profile {name!r}; there are {', '.join(PROFILES)}.") from None


# --- decisions -------------------------------------------------------------------------------


class NotYet(msgspec.Struct, frozen=True):
    """A send must wait.

    Attributes:
        until: the instant from which the same question is answered otherwise, as things stand.
        reason: see `WaitReason`.
    """

    until: datetime
    reason: WaitReason


class Locked(msgspec.Struct, frozen=True):
    """Too many failures: no check and no send.

    Attributes:
        until: when the oldest failure that counts leaves its window; None: until an operator unlocks.
    """

    until: datetime | None


def climb(ladder: Ladder, profile: Profile, *, now: datetime) -> Ladder:
    """The ladder after one more send at `now`: the next step, or the first of a new cycle."""
    if not profile.ladder:
        return ladder
    starts_again = ladder.count >= len(profile.ladder)
    count = 1 if starts_again else ladder.count + 1
    return Ladder(count=count, next_at=now + profile.ladder[count - 1], epoch=ladder.epoch + starts_again)


def decide_send(
    record: RecipientRecord, profile: Profile, *, now: datetime, source: str = "", messages: int = 1
) -> NotYet | Locked | None:
    """Whether the recipient may be sent a code; None means yes.

    Args:
        record: as it stands.
        profile: the policy in force.
        now: on the record's clock, never before its mark.
        source: pseudonym of who asks, "" when not told.
        messages: that the send may bring, at most the profile's `daily_cap`; more than one where the provider may
            send by itself.
    """
    locked = decide_check(record, profile, now=now)
    if locked is not None:
        return locked
    latest: NotYet | None = None
    next_at = record.ladder.next_at
    if next_at is not None and now < next_at and profile.ladder:
        latest = NotYet(next_at, WaitReason.LADDER)
    added = sum([send.extra for send in record.sends])
    if not source and len(record.sends) + added + messages <= profile.daily_cap:
        return latest
    counted = [send for send in record.sends if not send.refunded and send.at > now - DAY]
    out = [send for send in counted for _ in range(1 + send.extra)] if added else counted
    limits = [(WaitReason.DAILY_CAP, out, profile.daily_cap - messages + 1)]
    if source:
        own = [send for send in counted if send.source == source]
        steps = [send for send in own if record.ladder.count and send.epoch == record.ladder.epoch]
        limits.append((WaitReason.SOURCE, steps, max(1, len(profile.ladder) - 1)))
        own = [send for send in out if send.source == source]
        limits.append((WaitReason.SOURCE, own, max(1, profile.daily_cap // 2 - messages + 1)))
    for reason, marks, limit in limits:
        room_at = _full(marks, limit)
        if room_at is not None and (latest is None or room_at > latest.until):
            latest = NotYet(room_at, reason)
    return latest


def has_room(record: RecipientRecord, profile: Profile, messages: int, *, now: datetime, source: str = "") -> bool:
    """Whether the daily cap, and the share of it that a source has, lets a send bring so many messages more."""
    counted = [send for send in record.sends if not send.refunded and send.at > now - DAY]
    if sum(1 + send.extra for send in counted) + messages > profile.daily_cap:
        return False
    own = sum(1 + send.extra for send in counted if source and send.source == source)
    return not own or own + messages <= profile.daily_cap // 2


def decide_check(record: RecipientRecord, profile: Profile, *, now: datetime, source: str = "") -> Locked | None:
    """Whether the recipient's codes may be tried; None means yes. The arguments are those of `decide_send`."""
    if record.consecutive >= profile.failures_in_a_row:
        return Locked(None)
    if len(record.checks) < profile.failures_per_day and not source:
        return None
    failures = [check for check in record.checks if check.at > now - DAY and not check.forgiven]
    room_at = _full(failures, profile.failures_per_day)
    if room_at is None and source:
        own = [check for check in failures if check.source == source]
        room_at = _full(own, max(1, profile.failures_per_day // 2))
    return None if room_at is None else Locked(room_at)


def _full(marks: Iterable[Send | Check], limit: int) -> datetime | None:
    """None while fewer than `limit` marks count; else when the one leaves that makes room."""
    instants = sorted(mark.at for mark in marks)
    return instants[-limit] + DAY if len(instants) >= limit else None
