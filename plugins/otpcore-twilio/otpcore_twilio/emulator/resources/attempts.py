"""Attempts: the log of what was sent and whether it led to an approval, and its summary.

As at Twilio it goes back 30 days, knows no silent network authentication, and answers 100 requests a minute.

Rule of this file: filters and bodies; what is in the log is written by `state`.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import phonenumbers

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.limiting import note_request
from otpcore_twilio.emulator.paging import page_of
from otpcore_twilio.emulator.request import Answer, country, instant, invalid, one_of, sid

if TYPE_CHECKING:
    from collections.abc import Callable

    from otpcore_twilio.emulator.records import Attempt
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS"]

_REACH: Final = timedelta(days=30)
_CHANNELS: Final = frozenset({"sms", "call", "email", "whatsapp", "rbm"})
_CONVERSIONS: Final = frozenset({"converted", "unconverted"})
_PRICE: Final = "0.0000"
_PERCENT: Final = Decimal("1e-9")


def _asked(call: Call) -> list[Attempt]:
    """The attempts that pass every filter of the query, newest first."""
    note_request(call.world.held, "Attempts", call.world.options.poll_code, now=call.now)
    query = call.query
    tests = [judge(name, query[name]) for name, judge in _FILTERS.items() if query.get(name)]
    return [
        attempt
        for attempt in reversed(call.world.held.attempts.values())
        if call.now - attempt.created_at <= _REACH and all(test(attempt) for test in tests)
    ]


def _after(name: str, value: str) -> Callable[[Attempt], bool]:
    at = instant(name, value)
    return lambda attempt: attempt.created_at >= at


def _before(name: str, value: str) -> Callable[[Attempt], bool]:
    at = instant(name, value)  # seconds, as the wire shows the instants that an application compares with
    return lambda attempt: attempt.created_at.replace(microsecond=0) <= at


def _to(name: str, value: str) -> Callable[[Attempt], bool]:  # noqa: ARG001  # as its neighbours
    return lambda attempt: attempt.to == value


def _prefix(name: str, value: str) -> Callable[[Attempt], bool]:
    if not value.startswith("+"):
        raise invalid(name, value)
    return lambda attempt: attempt.to.startswith(value)


def _in(name: str, value: str) -> Callable[[Attempt], bool]:
    wanted = country(name, value)
    return lambda attempt: _country(attempt.to) == wanted


def _by(name: str, value: str) -> Callable[[Attempt], bool]:
    wanted = one_of(name, value.lower(), _CHANNELS)
    return lambda attempt: attempt.channel == wanted


def _of_service(name: str, value: str) -> Callable[[Attempt], bool]:
    wanted = sid(name, value, "VA")
    return lambda attempt: attempt.service_sid == wanted


def _of_verification(name: str, value: str) -> Callable[[Attempt], bool]:
    wanted = sid(name, value, "VE")
    return lambda attempt: attempt.verification_sid == wanted


def _converted(name: str, value: str) -> Callable[[Attempt], bool]:
    wanted = one_of(name, value.lower(), _CONVERSIONS) == "converted"
    return lambda attempt: attempt.converted is wanted


_FILTERS: Final = {
    "DateCreatedAfter": _after,
    "DateCreatedBefore": _before,
    "ChannelData.To": _to,
    "DestinationPrefix": _prefix,
    "Country": _in,
    "Channel": _by,
    "VerifyServiceSid": _of_service,
    "VerificationSid": _of_verification,
    "Status": _converted,
}


def list_attempts(call: Call) -> Answer:
    """GET /v2/Attempts."""
    return page_of(call, "attempts", _asked(call), lambda attempt: _body(attempt, call), newest_first=True)


def fetch_attempt(call: Call) -> Answer:
    """GET /v2/Attempts/{Sid}."""
    note_request(call.world.held, "Attempts", call.world.options.poll_code, now=call.now)
    attempt = call.found(call.world.held.attempts)
    if call.now - attempt.created_at > _REACH:
        raise Refusal(20404)
    return Answer(200, _body(attempt, call))


def fetch_summary(call: Call) -> Answer:
    """GET /v2/Attempts/Summary."""
    found = _asked(call)
    converted = sum(attempt.converted for attempt in found)
    share = Decimal(100 * converted) / len(found) if found else Decimal(0)
    body: wire.Body = {
        "total_attempts": len(found),
        "total_converted": converted,
        "total_unconverted": len(found) - converted,
        "conversion_rate_percentage": f"{share.quantize(_PERCENT).normalize():f}",
        "url": f"{call.origin}/v2/Attempts/Summary",
    }
    return Answer(200, body)


def _country(to: str) -> str | None:
    """ISO code of a number's country; None for an address, and where the plan does not say."""
    if "@" in to:
        return None
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(to))
    except phonenumbers.NumberParseException:
        return None


def _body(attempt: Attempt, call: Call) -> wire.Body:
    state = "confirmed" if attempt.converted else "expired" if call.now >= attempt.expires_at else "unconfirmed"
    mcc, mnc, carrier = wire.TEST_NETWORK
    return {
        "sid": attempt.sid,
        "account_sid": call.account_sid,
        "service_sid": attempt.service_sid,
        "verification_sid": attempt.verification_sid,
        "date_created": wire.instant(attempt.created_at),
        "date_updated": wire.instant(attempt.updated_at),
        "conversion_status": "converted" if attempt.converted else "unconverted",
        "channel": attempt.channel,
        "price": {"value": _PRICE, "currency": "usd"},
        "channel_data": {
            "verification_sid": attempt.verification_sid,
            "to": attempt.to,
            "status": state,
            "call_status" if attempt.channel == "call" else "message_status": attempt.message_status,
            "error_code": attempt.error_code,
            "country": _country(attempt.to),
            "code_length": attempt.code_length,
            "locale": attempt.locale,
            "mcc": mcc,
            "mnc": mnc,
            "carrier": carrier,
        },
        "url": f"{call.origin}/v2/Attempts/{attempt.sid}",
    }


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/v2/Attempts", list_attempts),
    ("GET", "/v2/Attempts/Summary", fetch_summary),
    ("GET", "/v2/Attempts/{sid}", fetch_attempt),
)
"""Method, path and handler of each operation."""
