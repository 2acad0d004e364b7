"""The bodies, as captures of Twilio's wire show them.

What captures show and the specification's examples do not: keys begin with `status, payee, date_updated`; times are
ISO 8601 with `Z`; an attempt's channel is lower-case; the newest attempt alone has milliseconds; a lookup that was not
made is `{"carrier": null}`; `sna` and `sna_attempts_error_codes` are absent or null where another channel was used; a
401 has `"detail": ""`.

Rule of this file: values to dictionaries, key order included; no decisions. The bodies of resources that no capture
shows are beside their operations, in the order of the specification's examples.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from otpcore_twilio.emulator.catalogue import ERRORS, Refusal

if TYPE_CHECKING:
    from datetime import datetime

    from otpcore_twilio.emulator.options import Options
    from otpcore_twilio.emulator.records import Verification

__all__ = ["SILENT_PATH", "TEST_NETWORK", "Body", "carrier", "check_body", "error", "instant", "verification_body"]

Body = dict[str, Any]
"""A JSON object, in the order of the wire."""

_EARLY: Final = re.compile(r"^Invalid parameter `(\w+)`.*| /v2/", re.DOTALL)
"""What captures of 2019 to 2022 word otherwise: no value of a parameter, no version in a path."""

SILENT_PATH: Final = "/_emulator/sna"
"""Where a phone opens the URLs of silent network authentications; at Twilio's they lead to a carrier."""

TEST_NETWORK: Final = ("001", "01", "Test network")
"""Country code, network code and name of the carrier that every number has."""


def instant(at: datetime) -> str:
    """ISO 8601 to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def verification_body(verification: Verification, options: Options, *, account_sid: str, origin: str) -> Body:
    """The answer to create, fetch and update."""
    sends = verification.sends
    body: Body = {
        "status": verification.status,
        "payee": verification.payee,
        "date_updated": instant(verification.updated_at),
        "send_code_attempts": [
            {
                "attempt_sid": send.attempt_sid,
                "channel": send.channel,
                "time": _to_the_millisecond(send.at, real=send is sends[-1]),
            }
            for send in sends
        ],
        "account_sid": account_sid,
        "to": verification.to,
        "amount": verification.amount,
        "valid": verification.status == "approved",
        "lookup": {"carrier": carrier() if verification.looked_up else None},
        "url": f"{origin}/v2/Services/{verification.service_sid}/Verifications/{verification.sid}",
        "sid": verification.sid,
        "date_created": instant(verification.created_at),
        "service_sid": verification.service_sid,
        "channel": verification.channel,
    }
    if verification.channel == "sna":
        body["sna"] = {"url": f"{origin}{SILENT_PATH}/{verification.silent[-1].key}"}
    elif options.unused_sna != "absent":
        body["sna"] = None
    return body


def check_body(verification: Verification, options: Options, *, account_sid: str) -> Body:
    """The answer to a check."""
    body: Body = {
        "status": verification.status,
        "payee": verification.payee,
        "date_updated": instant(verification.updated_at),
        "account_sid": account_sid,
        "to": verification.to,
        "amount": verification.amount,
        "valid": verification.status == "approved",
        "sid": verification.sid,
        "date_created": instant(verification.created_at),
        "service_sid": verification.service_sid,
        "channel": verification.channel,
    }
    if verification.channel == "sna":
        body["sna_attempts_error_codes"] = [
            {"attempt_sid": silent.attempt_sid, "code": silent.code}
            for silent in verification.silent
            if silent.code is not None
        ]
    elif options.unused_sna != "absent":
        body["sna_attempts_error_codes"] = [] if options.unused_sna == "empty" else None
    return body


def carrier() -> Body:
    """That of every number: the test network of the numbering plan [ITU-T E.212, country code 001]."""
    return {
        "mobile_country_code": TEST_NETWORK[0],
        "type": "mobile",
        "error_code": None,
        "mobile_network_code": TEST_NETWORK[1],
        "name": TEST_NETWORK[2],
    }


def error(refusal: Refusal, options: Options) -> tuple[int, dict[str, str], Body]:
    """Status, headers and body of a refusal."""
    code = refusal.code
    if code is None:
        return 429, {}, {"message": "Too many requests", "status": 429}
    kind = ERRORS[code]
    status = options.http_statuses.get(code, kind.status)
    headers: dict[str, str] = {}
    if code in options.retry_after_codes:
        headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.reached:
        headers["Twilio-Reached-Rate-Limit"] = refusal.reached
    body: Body = {"code": code}
    if code == 20003:  # noqa: PLR2004  # a Twilio error code
        headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        body["detail"] = ""
    message = kind.message.format(refusal.detail)
    body |= {
        "message": _EARLY.sub(_early, message) if options.message_wording == "early" else message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return status, headers, body


def _early(match: re.Match[str]) -> str:
    return " /" if match[1] is None else f"Invalid parameter: {match[1]}"


def _to_the_millisecond(at: datetime, *, real: bool) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000 if real else 0:03}Z"
