"""The rows of an old table of resend records: which are good, what instants they mean, how several become one.

    a row, as a driver gave it  ── judge ──>  Row, or BadRow with what is wrong with it
    the rows of one pair        ── merged ──> Standing: the largest count, the latest expiry

Rules of this file: pure functions of values. What a row holds is never quoted: it may be a number of somebody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import reduce
from typing import Final

from otpcore.model import RecipientRecord
from otpcore.policy import Profile

__all__ = ["COLUMNS", "FURTHEST", "LONGEST", "BadRow", "Row", "Standing", "instant", "judge", "merged", "tightened"]

COLUMNS: Final = ("id", "uniqueId", "userId", "count", "expires", "createdAt")
"""Of the table, in the order in which `judge` takes their values."""

LARGEST_ID: Final = 2**63 - 1

BEYOND: Final = 2**64
"""No database counts so far, and a decimal may have 100,000 digits."""

LONGEST: Final = 1_024
"""Characters of a uniqueId or userId; the old column held 255."""

YEARS: Final = range(1970, 9_000)
"""Other zones have no date for the last hours of the year 9999."""

FURTHEST: Final = timedelta(days=366)
"""From now; the longest wait of the old class was a day, so what is further off was a clock that was wrong."""

MILLISECOND: Final = timedelta(milliseconds=1)

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d(:?\d\d(:?\d\d)?)?)?", re.ASCII)
"""As SQLite's text has it, and PostgreSQL's (whose offset may be hours alone)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A good row.

    Attributes:
        id: 1 to 2^63 - 1.
        unique_id: half of the pair, not empty.
        user_id: the other half, not empty.
        count: 0 or more, as it was.
        expires_at: UTC, whole milliseconds; None: it had none.
        created_at: likewise.
    """

    id: int
    unique_id: str
    user_id: str
    count: int
    expires_at: datetime | None
    created_at: datetime | None

    @property
    def pair(self) -> tuple[str, str]:
        """Whose sends it counts."""
        return self.unique_id, self.user_id


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is left where it is.

    Attributes:
        id: its id; None where that is what is wrong.
        reason: everything that is wrong with it.
    """

    id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows of one pair say together.

    Attributes:
        count: steps of the ladder that are taken, at most all of them.
        expires_at: no send up to and including this instant; None: free.
        created_at: the first of them; None: nobody knows.
    """

    count: int
    expires_at: datetime | None
    created_at: datetime | None


# --- one row -----------------------------------------------------------------------------------


def judge(values: Sequence[object], zone: tzinfo, now: datetime) -> Row | BadRow:
    """A row, or what is wrong with it.

    Args:
        values: of `COLUMNS`, as the driver gave them.
        zone: whose clock on the wall wrote the dates that name no zone.
        now: from which on a wait may last `FURTHEST`.
    """
    given_id, given_unique_id, given_user_id, given_count, expires, created = values
    identity, count = _whole(given_id), _whole(given_count)
    unique_id, user_id = _in_digits(given_unique_id), _in_digits(given_user_id)
    faults = [*_faults_of_text("uniqueId", unique_id), *_faults_of_text("userId", user_id)]
    if identity is None or not 0 < identity <= LARGEST_ID:
        faults.insert(0, "id is not a whole number from 1 to 2^63 - 1")
    if count is None or count < 0:
        faults.append("count is NULL" if given_count is None else "count is not a whole number, 0 or more")
    dates: dict[str, datetime | None] = {"expires": None, "createdAt": None}
    for name, given in (("expires", expires), ("createdAt", created)):
        try:
            dates[name] = None if given is None else instant(given, zone)
        except (ValueError, OverflowError):
            faults.append(f"{name} is not a date and time that can be read")
    expires_at, created_at = dates.values()
    if expires_at is not None and expires_at > now + FURTHEST:
        faults.append(f"expires is more than {FURTHEST.days} days from now")
    if faults or identity is None or count is None:
        return BadRow(identity, "; ".join(faults))
    return Row(identity, str(unique_id), str(user_id), count, expires_at, created_at)


def _whole(given: object) -> int | None:
    if isinstance(given, Decimal) and given.is_finite() and -BEYOND < given < BEYOND and given == int(given):
        return int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _in_digits(given: object) -> object:
    """A whole number as its digits, as the facade keeps one; whatever else it is, as it is."""
    if isinstance(given, Decimal) and given.as_tuple().exponent != 0:
        return given  # 7.0 beside 7 would be one pair in two places of the order
    whole = _whole(given)
    return given if whole is None else str(whole)


def _faults_of_text(name: str, given: object) -> Iterator[str]:
    if given is None:
        yield f"{name} is NULL"
    elif not isinstance(given, str):
        yield f"{name} is neither text nor a whole number"
    elif not given:
        yield f"{name} is empty"
    elif len(given) > LONGEST:
        yield f"{name} is longer than {LONGEST:,} characters"
    elif not _is_encodable(given):
        yield f"{name} holds bytes that are no text"


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which is how undecodable bytes come
        return False
    return True


# --- time --------------------------------------------------------------------------------------


def instant(given: object, zone: tzinfo) -> datetime:
    """The instant of a date in the table: UTC, rounded up to whole milliseconds.

    A time that the clock on the wall showed twice, in autumn, or never, in spring, is the later of the two instants
    that it may be.

    Args:
        given: a `datetime`, or text that is one.
        zone: of a date that names none.

    Raises:
        ValueError: it is no date with a time of day, or none of the years that can be.
        OverflowError: UTC has no date for it.
    """
    at = _read(given) if isinstance(given, str) else given
    if not isinstance(at, datetime) or at.year not in YEARS:
        raise ValueError("not a date")
    if at.tzinfo is None:
        at = max(at.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return at.astimezone(UTC) + timedelta(microseconds=-at.microsecond % 1_000)


def _read(text: str) -> datetime:
    if _DATE.fullmatch(text) is None:
        raise ValueError("not a date")
    return datetime.fromisoformat(text)


# --- several rows ------------------------------------------------------------------------------


def merged(rows: Iterable[Row], profile: Profile) -> Standing:
    """The strictest that the rows of one pair say: the largest count, the latest expiry.

    Args:
        rows: at least one, in any order.
        profile: the policy in force. A count beyond its ladder is the whole cycle: the old class never limited such a
            row again, here the next send begins a new cycle.
    """
    steps = len(profile.ladder)
    return reduce(_strictest, (Standing(min(row.count, steps), row.expires_at, row.created_at) for row in rows))


def _strictest(one: Standing, other: Standing) -> Standing:
    return Standing(
        count=max(one.count, other.count),
        expires_at=_latest(one.expires_at, other.expires_at),
        created_at=min((at for at in (one.created_at, other.created_at) if at is not None), default=None),
    )


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def tightened(record: RecipientRecord, standing: Standing, profile: Profile) -> RecipientRecord:
    """The resend record, nowhere looser than before or than the rows; the same object where nothing changes.

    Args:
        record: as it stands.
        standing: of the rows.
        profile: the policy in force.
    """
    ladder = record.ladder
    count = ladder.count if _is_newer_cycle(record, standing, profile) else max(ladder.count, standing.count)
    next_at = _latest(ladder.next_at, standing.expires_at)
    if (count, next_at) == (ladder.count, ladder.next_at):
        return record
    return record.but(ladder=ladder.but(count=count, next_at=next_at))


def _is_newer_cycle(record: RecipientRecord, standing: Standing, profile: Profile) -> bool:
    """Whether the record counts a send after the rows' cycle was over: to raise its count would end the new cycle."""
    count, next_at, steps = record.ladder.count, record.ladder.next_at, len(profile.ladder)
    if standing.count < steps or not 0 < count < steps or next_at is None:
        return False
    return standing.expires_at is None or next_at - profile.ladder[count - 1] > standing.expires_at
