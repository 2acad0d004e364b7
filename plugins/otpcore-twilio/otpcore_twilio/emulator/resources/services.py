"""Services: their settings.

What belongs to push, TOTP and passkeys is kept and shown, and has no effect.

Rule of this file: parameters to settings, settings to the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.paging import page_of
from otpcore_twilio.emulator.request import Answer, boolean, integer, invalid, required, sid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otpcore_twilio.emulator.records import Service
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS"]

_CODE_LENGTHS: Final = range(4, 11)
_NAME_LENGTH: Final = 30
_NAME_DIGITS: Final = 4


def _name(name: str, value: str) -> str:
    if not 0 < len(value) <= _NAME_LENGTH or sum(letter.isdigit() for letter in value) > _NAME_DIGITS:
        raise invalid(name, value)
    return value


def _code_length(name: str, value: str) -> int:
    return integer(name, value, _CODE_LENGTHS)


def _text(name: str, value: str) -> str | None:  # noqa: ARG001  # as its neighbours
    return value or None


def _template(name: str, value: str) -> str | None:
    return sid(name, value, "HJ") if value else None


_SETTINGS: Final[Mapping[str, tuple[str, Callable[[str, str], str | int | bool | None]]]] = {
    "FriendlyName": ("friendly_name", _name),
    "CodeLength": ("code_length", _code_length),
    "LookupEnabled": ("lookup_enabled", boolean),
    "Psd2Enabled": ("psd2_enabled", boolean),
    "SkipSmsToLandlines": ("skip_sms_to_landlines", boolean),
    "DtmfInputRequired": ("dtmf_input_required", boolean),
    "TtsName": ("tts_name", _text),
    "MailerSid": ("mailer_sid", _text),
    "DoNotShareWarningEnabled": ("do_not_share_warning_enabled", boolean),
    "CustomCodeEnabled": ("custom_code_enabled", boolean),
    "DefaultTemplateSid": ("default_template_sid", _template),
    "VerifyEventSubscriptionEnabled": ("verify_event_subscription_enabled", boolean),
}
"""Parameter: attribute of the service, and what the value must be."""

_NESTED: Final[Mapping[str, tuple[str, str, Callable[[str, str], str | int | bool | None]]]] = {
    "Push.IncludeDate": ("push", "include_date", boolean),
    "Push.ApnCredentialSid": ("push", "apn_credential_sid", _text),
    "Push.FcmCredentialSid": ("push", "fcm_credential_sid", _text),
    "Totp.Issuer": ("totp", "issuer", _text),
    "Totp.TimeStep": ("totp", "time_step", integer),
    "Totp.CodeLength": ("totp", "code_length", integer),
    "Totp.Skew": ("totp", "skew", integer),
    "Whatsapp.MsgServiceSid": ("whatsapp", "msg_service_sid", _text),
    "Whatsapp.From": ("whatsapp", "from", _text),
    "Passkeys.RelyingParty.Id": ("relying_party", "id", _text),
    "Passkeys.RelyingParty.Name": ("relying_party", "name", _text),
    "Passkeys.RelyingParty.Origins": ("relying_party", "origins", _text),
    "Passkeys.AuthenticatorAttachment": ("passkeys", "authenticator_attachment", _text),
    "Passkeys.DiscoverableCredentials": ("passkeys", "discoverable_credentials", _text),
    "Passkeys.UserVerification": ("passkeys", "user_verification", _text),
}
"""Parameter: group and key of the body, and what the value must be."""


def _apply(call: Call, service: Callable[[], Service]) -> Service:
    """Write the given parameters into a service; all of them are judged before any is written."""
    given = call.form
    settings = {key: read(name, given[name]) for name, (key, read) in _SETTINGS.items() if name in given}
    nested = [(group, key, read(name, given[name])) for name, (group, key, read) in _NESTED.items() if name in given]
    found = service()
    for attribute, value in settings.items():
        setattr(found, attribute, value)
    for group, key, value in nested:
        found.nested.setdefault(group, {})[key] = value
    found.updated_at = call.now
    return found


def create_service(call: Call) -> Answer:
    """POST /v2/Services."""
    name = required(call.form, "FriendlyName")
    return Answer(201, _body(_apply(call, lambda: call.world.add_service(name, now=call.now)), call))


def list_services(call: Call) -> Answer:
    """GET /v2/Services."""
    return page_of(call, "services", tuple(call.world.services.values()), lambda service: _body(service, call))


def fetch_service(call: Call) -> Answer:
    """GET /v2/Services/{Sid}."""
    return Answer(200, _body(call.service("sid"), call))


def update_service(call: Call) -> Answer:
    """POST /v2/Services/{Sid}."""
    service = call.service("sid")
    return Answer(200, _body(_apply(call, lambda: service), call))


def delete_service(call: Call) -> Answer:
    """DELETE /v2/Services/{Sid}."""
    call.world.delete_service(call.service("sid"))
    return Answer(204, None)


def _body(service: Service, call: Call) -> wire.Body:
    url = f"{call.origin}/v2/Services/{service.sid}"

    def group(name: str, *keys: str) -> dict[str, Any]:
        return {key: service.nested.get(name, {}).get(key) for key in keys}

    relying = group("relying_party", "id", "name", "origins")
    relying["origins"] = relying["origins"] and relying["origins"].split(",")
    return {
        "sid": service.sid,
        "account_sid": call.account_sid,
        "friendly_name": service.friendly_name,
        "code_length": service.code_length,
        "lookup_enabled": service.lookup_enabled,
        "psd2_enabled": service.psd2_enabled,
        "skip_sms_to_landlines": service.skip_sms_to_landlines,
        "dtmf_input_required": service.dtmf_input_required,
        "tts_name": service.tts_name,
        "do_not_share_warning_enabled": service.do_not_share_warning_enabled,
        "custom_code_enabled": service.custom_code_enabled,
        "push": {"include_date": False}
        | group("push", "apn_credential_sid", "fcm_credential_sid")
        | service.nested.get("push", {}),
        "totp": group("totp", "issuer", "time_step", "code_length", "skew"),
        "whatsapp": group("whatsapp", "msg_service_sid", "from"),
        "passkeys": {
            "relying_party": relying,
            **group("passkeys", "authenticator_attachment", "discoverable_credentials", "user_verification"),
        },
        "default_template_sid": service.default_template_sid,
        "verify_event_subscription_enabled": service.verify_event_subscription_enabled,
        "date_created": wire.instant(service.created_at),
        "date_updated": wire.instant(service.updated_at),
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


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/v2/Services", list_services),
    ("POST", "/v2/Services", create_service),
    ("GET", "/v2/Services/{sid}", fetch_service),
    ("POST", "/v2/Services/{sid}", update_service),
    ("DELETE", "/v2/Services/{sid}", delete_service),
)
"""Method, path and handler of each operation."""
