"""Messaging configurations: which messaging service sends to a country. They are kept, and have no effect.

Rule of this file: their life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.paging import page_of
from otpcore_twilio.emulator.records import MessagingConfiguration
from otpcore_twilio.emulator.request import Answer, country, required, sid

if TYPE_CHECKING:
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS"]


def _key(call: Call, of: str) -> str:
    return f"{call.service().sid} {of}"


def _found(call: Call) -> MessagingConfiguration:
    """The configuration in the path, or 20404."""
    found = call.world.held.configurations.get(_key(call, call.names["country"]))
    if found is None:
        raise Refusal(20404)
    return found


def create_configuration(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/MessagingConfigurations."""
    held = call.world.held
    of = country("Country", required(call.form, "Country"))
    sender = sid("MessagingServiceSid", required(call.form, "MessagingServiceSid"), "MG")
    key = _key(call, of)
    if key in held.configurations:
        raise Refusal(60213)
    made = MessagingConfiguration(
        call.names["service_sid"], of, sender, created_at=call.now, updated_at=call.now, serial=held.next_serial()
    )
    held.configurations[key] = made
    return Answer(201, _body(made, call))


def list_configurations(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/MessagingConfigurations."""
    service = call.service()
    found = [one for one in call.world.held.configurations.values() if one.service_sid == service.sid]
    return page_of(call, "messaging_configurations", found, lambda one: _body(one, call))


def fetch_configuration(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/MessagingConfigurations/{Country}."""
    return Answer(200, _body(_found(call), call))


def update_configuration(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/MessagingConfigurations/{Country}."""
    found = _found(call)
    found.messaging_service_sid = sid("MessagingServiceSid", required(call.form, "MessagingServiceSid"), "MG")
    found.updated_at = call.now
    return Answer(200, _body(found, call))


def delete_configuration(call: Call) -> Answer:
    """DELETE /v2/Services/{ServiceSid}/MessagingConfigurations/{Country}."""
    del call.world.held.configurations[_key(call, _found(call).country)]
    return Answer(204, None)


def _body(found: MessagingConfiguration, call: Call) -> wire.Body:
    return {
        "account_sid": call.account_sid,
        "service_sid": found.service_sid,
        "country": found.country,
        "messaging_service_sid": found.messaging_service_sid,
        "date_created": wire.instant(found.created_at),
        "date_updated": wire.instant(found.updated_at),
        "url": f"{call.origin}/v2/Services/{found.service_sid}/MessagingConfigurations/{found.country}",
    }


_PATH: Final = "/v2/Services/{service_sid}/MessagingConfigurations"

OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", _PATH, list_configurations),
    ("POST", _PATH, create_configuration),
    ("GET", _PATH + "/{country}", fetch_configuration),
    ("POST", _PATH + "/{country}", update_configuration),
    ("DELETE", _PATH + "/{country}", delete_configuration),
)
"""Method, path and handler of each operation."""
