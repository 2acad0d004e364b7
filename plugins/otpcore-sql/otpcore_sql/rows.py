"""The form of a record in a row, and what a row says.

    key      at most 200 ASCII characters, in the order of their bytes
    version  16 ASCII characters
    gc_at    microseconds since the epoch
    data     the bytes as they were committed; the views show them as JSON

Rules of this file: pure but for the randomness of a version.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from otpcore.errors import StoreFormatError
from otpcore.ports import CommitRequest, Conflict, Version, Versioned

__all__ = ["NEVER", "Change", "change_of", "made", "micros", "outcome", "read", "requested", "text"]

VERSION: Final = 16
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

NEVER: Final = "-"
"""A version that no record has."""


@dataclass(frozen=True, slots=True)
class Change:
    """A commit as the statements take it.

    Attributes:
        key, data: as given.
        expect: a version, `NEVER` where the given one cannot stand, None for absence.
        version: of the record that it makes.
        gc_at: in microseconds.
    """

    key: str
    data: bytes | None = field(repr=False)
    expect: str | None
    version: Version
    gc_at: int


def made() -> Version:
    """A version that no record had: 96 random bits."""
    return Version(secrets.token_urlsafe(12))


def micros(at: datetime) -> int:
    """An instant as a row keeps it."""
    return (at - EPOCH) // MICROSECOND


def change_of(key: str, data: bytes | None, expect: Version | None, gc_at: datetime) -> Change:
    """The change that a commit asks for."""
    if expect is not None and (len(expect) != VERSION or not expect.isascii() or "\0" in expect):
        expect = Version(NEVER)
    return Change(key, data, expect, made(), micros(gc_at))


def requested(commits: Sequence[CommitRequest]) -> list[Change]:
    """The changes of a batch."""
    return [change_of(one.key, one.data, one.expect, one.gc_at) for one in commits]


def text(value: Any) -> str:
    """A key or a version, whichever type the driver gives it."""
    found: str = value if isinstance(value, str) else bytes(value).decode("ascii", "replace")
    return found


def read(version: Any, data: Any) -> Versioned:
    """The record of a row.

    Raises:
        StoreFormatError: somebody wrote text where bytes are kept.
    """
    if type(data) is not bytes:
        raise StoreFormatError("In a table of otpcore stands a row that otpcore did not write.")
    return Versioned(data, Version(text(version)))


def outcome(change: Change, stands: Versioned | None) -> Version | Conflict | None:
    """What a change that did not win came to, by what stood afterwards; None: it has to be tried again.

    What stands is read after the change has lost, so it can be the expected state only where that has come back
    (absence), or where a server refused for a reason of its own.
    """
    if (stands.version if stands else None) != change.expect:
        return Conflict(stands)
    if change.data is None and change.expect is None:
        return change.version  # absent as expected
    return None
