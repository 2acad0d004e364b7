"""Programmable rate limits of a service, and their buckets.

Rule of this file: their life; what counts against them, and when they are full, is in `limiting`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.limiting import delete_rate_limit as forget
from otpcore_twilio.emulator.paging import page_of
from otpcore_twilio.emulator.records import Bucket, RateLimit
from otpcore_twilio.emulator.request import Answer, integer, required

if TYPE_CHECKING:
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS"]

_UNIQUE_NAME: Final = re.compile(r"[0-9A-Za-z._-]+", re.ASCII)
_INTERVALS: Final = range(1, 2**31 - 1)


def _limit(call: Call, name: str = "sid") -> RateLimit:
    """The rate limit in the path, or 20404."""
    service = call.service()
    limit = call.found(call.world.held.rate_limits, name)
    if limit.service_sid != service.sid:
        raise Refusal(20404)
    return limit


def _limits(call: Call) -> list[RateLimit]:
    service = call.service()
    return [limit for limit in call.world.held.rate_limits.values() if limit.service_sid == service.sid]


def _bucket(call: Call) -> Bucket:
    """The bucket in the path, or 20404."""
    limit = _limit(call, "rate_limit_sid")
    bucket = call.found(call.world.held.buckets)
    if bucket.rate_limit_sid != limit.sid:
        raise Refusal(20404)
    return bucket


def _buckets(call: Call, limit: RateLimit) -> list[Bucket]:
    return [bucket for bucket in call.world.held.buckets.values() if bucket.rate_limit_sid == limit.sid]


def create_rate_limit(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/RateLimits."""
    held, others = call.world.held, _limits(call)
    unique_name = required(call.form, "UniqueName")
    if not _UNIQUE_NAME.fullmatch(unique_name):
        raise Refusal(60209)
    if any(limit.unique_name == unique_name for limit in others):
        raise Refusal(60208)
    if len(others) >= call.world.options.max_rate_limits:
        raise Refusal(60207)
    limit = RateLimit(
        call.world.sid("RK"),
        call.names["service_sid"],
        unique_name,
        call.form.get("Description"),
        created_at=call.now,
        updated_at=call.now,
        serial=held.next_serial(),
    )
    held.rate_limits[limit.sid] = limit
    return Answer(201, _limit_body(limit, call))


def list_rate_limits(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/RateLimits."""
    return page_of(call, "rate_limits", _limits(call), lambda limit: _limit_body(limit, call))


def fetch_rate_limit(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/RateLimits/{Sid}."""
    return Answer(200, _limit_body(_limit(call), call))


def update_rate_limit(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/RateLimits/{Sid}."""
    limit = _limit(call)
    limit.description = call.form.get("Description", limit.description)
    limit.updated_at = call.now
    return Answer(200, _limit_body(limit, call))


def delete_rate_limit(call: Call) -> Answer:
    """DELETE /v2/Services/{ServiceSid}/RateLimits/{Sid}."""
    forget(call.world.held, _limit(call).sid)
    return Answer(204, None)


def create_bucket(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/RateLimits/{RateLimitSid}/Buckets."""
    limit = _limit(call, "rate_limit_sid")
    others = _buckets(call, limit)
    most = integer("Max", required(call.form, "Max"))
    interval_s = integer("Interval", required(call.form, "Interval"), _INTERVALS)
    if any(bucket.interval_s == interval_s for bucket in others):
        raise Refusal(60211)
    if len(others) >= call.world.options.max_buckets:
        raise Refusal(60210)
    held = call.world.held
    bucket = Bucket(
        call.world.sid("BL"),
        limit.sid,
        most,
        interval_s,
        created_at=call.now,
        updated_at=call.now,
        serial=held.next_serial(),
    )
    held.buckets[bucket.sid] = bucket
    return Answer(201, _bucket_body(bucket, call))


def list_buckets(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/RateLimits/{RateLimitSid}/Buckets."""
    found = _buckets(call, _limit(call, "rate_limit_sid"))
    return page_of(call, "buckets", found, lambda bucket: _bucket_body(bucket, call))


def fetch_bucket(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/RateLimits/{RateLimitSid}/Buckets/{Sid}."""
    return Answer(200, _bucket_body(_bucket(call), call))


def update_bucket(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/RateLimits/{RateLimitSid}/Buckets/{Sid}."""
    bucket = _bucket(call)
    most = integer("Max", call.form.get("Max", str(bucket.max)))
    interval_s = integer("Interval", call.form.get("Interval", str(bucket.interval_s)), _INTERVALS)
    others = _buckets(call, _limit(call, "rate_limit_sid"))
    if any(other is not bucket and other.interval_s == interval_s for other in others):
        raise Refusal(60211)
    bucket.max, bucket.interval_s, bucket.updated_at = most, interval_s, call.now
    return Answer(200, _bucket_body(bucket, call))


def delete_bucket(call: Call) -> Answer:
    """DELETE /v2/Services/{ServiceSid}/RateLimits/{RateLimitSid}/Buckets/{Sid}."""
    del call.world.held.buckets[_bucket(call).sid]
    return Answer(204, None)


def _limit_body(limit: RateLimit, call: Call) -> wire.Body:
    url = f"{call.origin}/v2/Services/{limit.service_sid}/RateLimits/{limit.sid}"
    return {
        "sid": limit.sid,
        "service_sid": limit.service_sid,
        "account_sid": call.account_sid,
        "unique_name": limit.unique_name,
        "description": limit.description,
        "date_created": wire.instant(limit.created_at),
        "date_updated": wire.instant(limit.updated_at),
        "url": url,
        "links": {"buckets": f"{url}/Buckets"},
    }


def _bucket_body(bucket: Bucket, call: Call) -> wire.Body:
    service_sid = call.names["service_sid"]
    return {
        "sid": bucket.sid,
        "rate_limit_sid": bucket.rate_limit_sid,
        "service_sid": service_sid,
        "account_sid": call.account_sid,
        "max": bucket.max,
        "interval": bucket.interval_s,
        "date_created": wire.instant(bucket.created_at),
        "date_updated": wire.instant(bucket.updated_at),
        "url": f"{call.origin}/v2/Services/{service_sid}/RateLimits/{bucket.rate_limit_sid}/Buckets/{bucket.sid}",
    }


_LIMITS: Final = "/v2/Services/{service_sid}/RateLimits"
_BUCKETS: Final = f"{_LIMITS}/{{rate_limit_sid}}/Buckets"

OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", _LIMITS, list_rate_limits),
    ("POST", _LIMITS, create_rate_limit),
    ("GET", _LIMITS + "/{sid}", fetch_rate_limit),
    ("POST", _LIMITS + "/{sid}", update_rate_limit),
    ("DELETE", _LIMITS + "/{sid}", delete_rate_limit),
    ("GET", _BUCKETS, list_buckets),
    ("POST", _BUCKETS, create_bucket),
    ("GET", _BUCKETS + "/{sid}", fetch_bucket),
    ("POST", _BUCKETS + "/{sid}", update_bucket),
    ("DELETE", _BUCKETS + "/{sid}", delete_bucket),
)
"""Method, path and handler of each operation."""
