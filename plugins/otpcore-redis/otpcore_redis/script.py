"""The one script that runs in Redis, and the form of what it keeps.

    value = version (16 characters) + gc_at (13 digits, milliseconds since the epoch) + data

One string for each record, so that a record is one key, in one slot, read by one GET. The script compares the version
at the head and writes, or answers with what stands: a lost race costs no second trip.

Rules of this file: pure; what Redis says is turned into values here and nowhere else.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from otpcore.errors import StoreFormatError
from otpcore.ports import Conflict, Version, Versioned

__all__ = ["CAS", "CAS_SHA", "COLLECT", "TOUCH", "Outcome", "answered", "arguments", "due", "made", "read", "write"]

VERSION: Final = 16
HEAD: Final = VERSION + 13
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

GRACE_MS: Final = 86_400_000
"""A record lives a day longer than it has to: the clock of who wrote it may be behind the server's."""

CAS: Final = b"""
local stands = redis.call('GET', KEYS[1])
if ARGV[1] == '' then
  if stands then return stands end
elseif not stands or string.sub(stands, 1, 16) ~= ARGV[1] then
  return stands
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
"""
"""KEYS: the record. ARGV: the expected version or '', the new value or '', its lifetime in ms. 1, or what stands."""

CAS_SHA: Final = hashlib.sha1(CAS, usedforsecurity=False).hexdigest()

COLLECT: Final = b"""
local stands = redis.call('GETRANGE', KEYS[1], 16, 28)
if stands ~= '' and stands < ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
"""KEYS: the record. ARGV: 13 digits; it goes when its own are smaller."""

TOUCH: Final = b"""
local left = redis.call('PTTL', KEYS[1])
if left >= 0 then
  redis.call('PEXPIRE', KEYS[1], math.max(left, 1))
elseif left == -2 then
  redis.call('SET', KEYS[1], '', 'PX', 1)
  redis.call('DEL', KEYS[1])
end
return 1
"""
"""KEYS: a record, there or not. Replicas are sent a write, and nothing is changed."""

Outcome = int | bytes | None
"""What the script answers."""


def made() -> Version:
    """A version that no record had: 96 random bits."""
    return Version(secrets.token_urlsafe(12))


def due(at: datetime) -> bytes:
    """An instant as 13 digits, in the order of time from 2001 to 2286."""
    milliseconds = (at - EPOCH) // MILLISECOND
    return b"%013d" % min(max(milliseconds, 0), 9_999_999_999_999)


def write(version: Version, data: bytes, gc_at: datetime) -> bytes:
    """What is kept of a record."""
    return version.encode() + due(gc_at) + data


def arguments(
    data: bytes | None, expect: Version | None, version: Version, gc_at: datetime, now: datetime
) -> tuple[bytes, bytes, bytes]:
    """The script's arguments for a commit.

    An expected version of another length than ours can never stand: "-" is what no record starts with.
    """
    wanted = b"" if expect is None else expect.encode(errors="replace")
    if expect is not None and len(wanted) != VERSION:
        wanted = b"-"
    lifetime = max((gc_at - now) // MILLISECOND, 0) + GRACE_MS
    return wanted, b"" if data is None else write(version, data, gc_at), b"%d" % lifetime


def read(value: bytes | None) -> Versioned | None:
    """The record in a value.

    Raises:
        StoreFormatError: it was not written here.
    """
    if value is None:
        return None
    if len(value) < HEAD or not value[VERSION:HEAD].isdigit():
        raise StoreFormatError("Under a key of otpcore lies what otpcore did not write.")
    return Versioned(value[HEAD:], Version(value[:VERSION].decode("ascii", "replace")))


def answered(answer: Outcome, version: Version) -> Version | Conflict:
    """What a commit came to."""
    return version if isinstance(answer, int) else Conflict(read(answer))
