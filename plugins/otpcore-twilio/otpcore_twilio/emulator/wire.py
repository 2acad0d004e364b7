"""The bodies, as captures of Twilio's wire show them.

What captures show and the specification's examples do not: keys begin with `status, payee, date_updated`; times are
ISO 8601 with `Z`; an attempt's channel is lower-case; the newest attempt alone has milliseconds; a lookup that was not
made is `{"carrier": null}`; `sna` and `sna_attempts_error_codes` are absent; a 401 has `"detail": ""`.

Rule of this file: values to dictionaries, key order included; no decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from otpcore_twilio.emulator.catalogue import ERRORS, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from otpcore_twilio.emulator.options import Options
    from otpcore_twilio.emulator.records import Service, Verification

__all__ = ["Body", "check_body", "error", "instant", "service_body", "services_page", "verification_body"]

Body = dict[str, Any]
"""A JSON object, in the order of the wire."""


def instant(at: datetime) -> str:
    """ISO 8601 to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def verification_body(verification: Verification, *, account_sid: str, origin: str) -> Body:
    """The answer to create, fetch and update."""
    attempts = verification.attempts
    return {
        "status": verification.status,
        "payee": verification.payee,
        "date_updated": instant(verification.updated_at),
        "send_code_attempts": [
            {
                "attempt_sid": attempt.sid,
                "channel": attempt.channel,
                "time": _to_the_millisecond(attempt.at, real=attempt is attempts[-1]),
            }
            for attempt in attempts
        ],
        "account_sid": account_sid,
        "to": verification.to,
        "amount": verification.amount,
        "valid": verification.status == "approved",
        "lookup": {"carrier": None},
        "url": f"{origin}/v2/Services/{verification.service_sid}/Verifications/{verification.sid}",
        "sid": verification.sid,
        "date_created": instant(verification.created_at),
        "service_sid": verification.service_sid,
        "channel": verification.channel,
    }


def check_body(verification: Verification, *, account_sid: str) -> Body:
    """The answer to a check."""
    return {
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


def service_body(service: Service, *, account_sid: str, origin: str) -> Body:
    """One service."""
    url = f"{origin}/v2/Services/{service.sid}"
    return {
        "sid": service.sid,
        "account_sid": account_sid,
        "friendly_name": service.friendly_name,
        "code_length": service.code_length,
        "lookup_enabled": service.lookup_enabled,
        "psd2_enabled": service.psd2_enabled,
        "skip_sms_to_landlines": service.skip_sms_to_landlines,
        "dtmf_input_required": service.dtmf_input_required,
        "tts_name": service.tts_name,
        "do_not_share_warning_enabled": service.do_not_share_warning_enabled,
        "custom_code_enabled": service.custom_code_enabled,
        "push": {"include_date": False, "apn_credential_sid": None, "fcm_credential_sid": None},
        "totp": {"issuer": None, "time_step": None, "code_length": None, "skew": None},
        "whatsapp": {"msg_service_sid": None, "from": None},
        "passkeys": {
            "relying_party": {"id": None, "name": None, "origins": None},
            "authenticator_attachment": None,
            "discoverable_credentials": None,
            "user_verification": None,
        },
        "default_template_sid": service.default_template_sid,
        "verify_event_subscription_enabled": service.verify_event_subscription_enabled,
        "date_created": instant(service.created_at),
        "date_updated": instant(service.updated_at),
        "url": url,
        "links": {
            "verification_checks": f"{url}/VerificationCheck",
            "verifications": f"{url}/Verifications",
            "rate_limits": f"{url}/RateLimits",
            "messaging_configurations": f"{url}/MessagingConfigurations",
            "entities": f"{url}/Entities",
            "webhooks": f"{url}/Webhooks",
            "access_tokens": f"{url}/AccessTokens",
        },
    }


def services_page(services: Sequence[Service], *, page: int, page_size: int, account_sid: str, origin: str) -> Body:
    """One page of all the services, `page` counted from 0."""

    def url(number: int) -> str:
        return f"{origin}/v2/Services?{urlencode({'PageSize': page_size, 'Page': number})}"

    start = page * page_size
    more = start + page_size < len(services)
    return {
        "meta": {
            "page": page,
            "page_size": page_size,
            "first_page_url": url(0),
            "previous_page_url": url(page - 1) if page else None,
            "url": url(page),
            "next_page_url": url(page + 1) if more else None,
            "key": "services",
        },
        "services": [
            service_body(service, account_sid=account_sid, origin=origin)
            for service in services[start : start + page_size]
        ],
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
    body: Body = {"code": code}
    if code == 20003:  # noqa: PLR2004  # a Twilio error code
        headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        body["detail"] = ""
    body |= {
        "message": kind.message.format(refusal.detail),
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return status, headers, body


def _to_the_millisecond(at: datetime, *, real: bool) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000 if real else 0:03}Z"
