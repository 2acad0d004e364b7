"""What belongs to the account: its message templates, and the numbers that no check of risk holds up.

Rule of this file: their operations; how templates become messages is in `templates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.limiting import note_request
from otpcore_twilio.emulator.paging import page_of
from otpcore_twilio.emulator.records import SafeNumber
from otpcore_twilio.emulator.request import Answer, number, required

if TYPE_CHECKING:
    from otpcore_twilio.emulator.request import Call, Handler
    from otpcore_twilio.emulator.templates import Template

__all__ = ["OPERATIONS"]

_WRITTEN_AT: Final = "2026-01-01T00:00:00.000000000Z"


@dataclass(frozen=True, slots=True)
class _Listed:
    serial: int
    template: Template


def list_templates(call: Call) -> Answer:
    """GET /v2/Templates."""
    name = call.query.get("FriendlyName")
    found = [
        _Listed(serial, template)
        for serial, template in enumerate(call.world.options.templates)
        if name in {None, template.friendly_name}
    ]
    return page_of(call, "templates", found, lambda listed: _template_body(listed.template, call))


def _template_body(template: Template, call: Call) -> wire.Body:
    return {
        "sid": template.sid,
        "account_sid": call.account_sid,
        "friendly_name": template.friendly_name,
        "channels": list(template.channels),
        "translations": {
            locale: {
                "is_default_translation": locale == template.default,
                "status": translation.status,
                "locale": locale,
                "text": translation.text,
                "date_updated": _WRITTEN_AT,
                "date_created": _WRITTEN_AT,
            }
            for locale, translation in template.translations.items()
        },
    }


def _note(call: Call) -> None:
    note_request(call.world.held, "SafeList", call.world.options.poll_code, now=call.now)


def create_safe_number(call: Call) -> Answer:
    """POST /v2/SafeList/Numbers."""
    _note(call)
    given = number("PhoneNumber", required(call.form, "PhoneNumber"))
    safe = call.world.held.safe_numbers.setdefault(given, SafeNumber(call.world.sid("GN"), given))
    return Answer(201, _safe_body(safe, call))


def fetch_safe_number(call: Call) -> Answer:
    """GET /v2/SafeList/Numbers/{PhoneNumber}."""
    _note(call)
    return Answer(200, _safe_body(call.found(call.world.held.safe_numbers, "number"), call))


def delete_safe_number(call: Call) -> Answer:
    """DELETE /v2/SafeList/Numbers/{PhoneNumber}."""
    _note(call)
    if call.world.held.safe_numbers.pop(call.names["number"], None) is None:
        raise Refusal(20404)
    return Answer(204, None)


def _safe_body(safe: SafeNumber, call: Call) -> wire.Body:
    return {
        "sid": safe.sid,
        "phone_number": safe.phone_number,
        "url": f"{call.origin}/v2/SafeList/Numbers/{safe.phone_number}",
    }


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/v2/Templates", list_templates),
    ("POST", "/v2/SafeList/Numbers", create_safe_number),
    ("GET", "/v2/SafeList/Numbers/{number}", fetch_safe_number),
    ("DELETE", "/v2/SafeList/Numbers/{number}", delete_safe_number),
)
"""Method, path and handler of each operation."""
