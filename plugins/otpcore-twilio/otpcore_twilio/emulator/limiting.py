"""How often: windows of time that slide, and what is counted in them.

Rule of this file: pure functions of given data; what a refusal looks like is said elsewhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator.catalogue import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from otpcore_twilio.emulator.records import Holdings, RateLimit

__all__ = ["REQUEST_LIMITS", "delete_rate_limit", "note_keys", "note_request", "wait_for", "whole_seconds"]

REQUEST_LIMITS: Final[Mapping[str, int]] = {"SafeList": 30, "Attempts": 100}
"""Requests in a minute by resource [Twilio's pages of the safe list and of the attempts, 2026]."""


def wait_for(times: Sequence[datetime], windows: Iterable[tuple[int, int]], *, now: datetime) -> timedelta | None:
    """How long until one more fits into every window; None: it fits now.

    Args:
        times: when it happened, oldest first.
        windows: (length in seconds, how many fit into it).
        now: aware UTC.
    """
    longest: timedelta | None = None
    for window_s, limit in windows:
        window = timedelta(seconds=window_s)
        recent = [at for at in times if now - at < window]
        if len(recent) >= limit:
            wait = window - (now - recent[-limit]) if limit else window
            longest = wait if longest is None else max(longest, wait)
    return longest


def whole_seconds(duration: timedelta) -> int:
    """Rounded up, at least 1: a client that waits this long is not early."""
    return max(1, -(-duration // timedelta(seconds=1)))


def note_request(held: Holdings, resource: str, code: int | None, *, now: datetime) -> None:
    """Count one request to a resource of `REQUEST_LIMITS`.

    Raises:
        Refusal: `code`, there were too many in the last minute.
    """
    times = held.requests.setdefault(resource, [])
    limit = REQUEST_LIMITS[resource]
    wait = wait_for(times, ((60, limit),), now=now)
    if wait is not None:
        raise Refusal(code, retry_after_s=whole_seconds(wait))
    times.append(now)
    del times[:-limit]


def note_keys(held: Holdings, service_sid: str, keys: Mapping[str, str], code: int, *, now: datetime) -> None:
    """Count a request for a code against the programmable rate limits of its service.

    Args:
        held: where the limits and their buckets are.
        service_sid: whose limits.
        keys: by unique name, the value that is limited; a name without a limit is ignored.
        code: of the refusal.
        now: aware UTC.

    Raises:
        Refusal: a bucket is full; nothing is counted then, by any of the limits.
    """
    counted: list[tuple[RateLimit, str, list[tuple[int, int]]]] = []
    for limit in held.rate_limits.values():
        if limit.service_sid != service_sid or limit.unique_name not in keys:
            continue
        value = keys[limit.unique_name]
        windows = [(one.interval_s, one.max) for one in held.buckets.values() if one.rate_limit_sid == limit.sid]
        wait = wait_for(limit.uses.get(value, ()), windows, now=now)
        if wait is not None:
            raise Refusal(code, retry_after_s=whole_seconds(wait), reached=limit.unique_name)
        if windows:
            counted.append((limit, value, windows))
    for limit, value, windows in counted:
        longest = timedelta(seconds=max(window_s for window_s, _ in windows))
        recent = [at for at in limit.uses.pop(value, ()) if now - at < longest]
        limit.uses[value] = [*recent, now]
        while now - limit.uses[oldest := next(iter(limit.uses))][-1] >= longest:
            del limit.uses[oldest]


def delete_rate_limit(held: Holdings, sid: str) -> None:
    """Remove a rate limit with its buckets."""
    del held.rate_limits[sid]
    for bucket in [one for one in held.buckets.values() if one.rate_limit_sid == sid]:
        del held.buckets[bucket.sid]
