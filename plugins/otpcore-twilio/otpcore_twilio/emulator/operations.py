"""The operations of the API: form in, answer out.

Each is a function of the account and one call, and `OPERATIONS` names where it hangs; a new resource is a new
row. Rule of this file: validation of parameters and the choice of the body; no sockets, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.magic import Fault, Magic, Operation
from otpcore_twilio.emulator.records import Service, Verification
from otpcore_twilio.emulator.state import World

__all__ = ["OPERATIONS", "Answer", "Call", "Handler"]

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_NANP: Final = re.compile(r"\+1[2-9][0-8][0-9][2-9][0-9]{6}", re.ASCII)
"""What the North American plan can assign: no area code has 9 in the middle, none and no exchange begins with 0, 1."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SID: Final = re.compile(r"VE[0-9a-f]{32}", re.ASCII)
_CODE_LENGTHS: Final = range(4, 11)
_NAME_LENGTH: Final = 30
_NAME_DIGITS: Final = 4
_PAGE_SIZES: Final = range(1, 1001)
_PAGES: Final = range(1_000_000)

_CHANNELS: Final = frozenset({"sms", "call", "whatsapp", "email", "sna", "rcs"})
"""Known to Twilio. One that the account does not use is refused as disabled; any other word, and auto, as invalid."""

_SERVICE_FLAGS: Final = {
    "LookupEnabled": "lookup_enabled",
    "Psd2Enabled": "psd2_enabled",
    "SkipSmsToLandlines": "skip_sms_to_landlines",
    "DtmfInputRequired": "dtmf_input_required",
    "DoNotShareWarningEnabled": "do_not_share_warning_enabled",
    "CustomCodeEnabled": "custom_code_enabled",
    "VerifyEventSubscriptionEnabled": "verify_event_subscription_enabled",
}
_SERVICE_TEXTS: Final = {"TtsName": "tts_name", "DefaultTemplateSid": "default_template_sid"}


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request.

    Attributes:
        world: the account's state; the caller holds its lock.
        account_sid: AC….
        origin: scheme and authority under which the emulator was reached.
        path: as requested.
        names: the variables of the path.
        query: parameters of the URL.
        form: parameters of the body.
        now: aware UTC.
    """

    world: World
    account_sid: str
    origin: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    now: datetime

    def service(self, name: str = "service_sid") -> Service:
        """The service in the path, or 20404."""
        found = self.world.services.get(self.names[name])
        if found is None:
            raise Refusal(20404, self.path)
        return found

    def target(self) -> dict[str, str]:
        """The verification in the path: its SID, or a recipient."""
        text = self.names["sid"]
        return {"sid": text} if _SID.fullmatch(text) else {"to": text}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status and body, unless a fault takes its place."""

    status: int
    body: wire.Body | None
    fault: Fault | None = None


Handler = Callable[[Call], Answer]


def _invalid(name: str, value: str) -> Refusal:
    return Refusal(60200, f"`{name}`: {value}")


def _integer(name: str, value: str, allowed: range) -> int:
    if not value.isascii() or not value.isdecimal() or int(value) not in allowed:
        raise _invalid(name, value)
    return int(value)


# -- services


def _settings(call: Call) -> dict[str, str | int | bool | None]:
    """The given parameters, as attributes of a service; all of them are judged before any is written."""
    form = call.form
    found: dict[str, str | int | bool | None] = {}
    name = form.get("FriendlyName")
    if name is not None:
        if not 0 < len(name) <= _NAME_LENGTH or sum(letter.isdigit() for letter in name) > _NAME_DIGITS:
            raise _invalid("FriendlyName", name)
        found["friendly_name"] = name
    length = form.get("CodeLength")
    if length is not None:
        found["code_length"] = _integer("CodeLength", length, _CODE_LENGTHS)
    for parameter, attribute in _SERVICE_FLAGS.items():
        flag = form.get(parameter)
        if flag is not None:
            if flag.lower() not in {"true", "false"}:
                raise _invalid(parameter, flag)
            found[attribute] = flag.lower() == "true"
    return found | {attribute: form[name] or None for name, attribute in _SERVICE_TEXTS.items() if name in form}


def _set_up(service: Service, settings: Mapping[str, str | int | bool | None], *, now: datetime) -> None:
    for attribute, value in settings.items():
        setattr(service, attribute, value)
    service.updated_at = now


def _service_answer(service: Service, call: Call, status: int = 200) -> Answer:
    return Answer(status, wire.service_body(service, account_sid=call.account_sid, origin=call.origin))


def create_service(call: Call) -> Answer:
    """POST /v2/Services."""
    settings = _settings(call)
    if "friendly_name" not in settings:
        raise _invalid("FriendlyName", "")
    service = call.world.add_service(str(settings["friendly_name"]), now=call.now)
    _set_up(service, settings, now=call.now)
    return _service_answer(service, call, 201)


def list_services(call: Call) -> Answer:
    """GET /v2/Services."""
    size = _integer("PageSize", call.query.get("PageSize", "50"), _PAGE_SIZES)
    page = _integer("Page", call.query.get("Page", "0"), _PAGES)
    services = tuple(call.world.services.values())
    body = wire.services_page(services, page=page, page_size=size, account_sid=call.account_sid, origin=call.origin)
    return Answer(200, body)


def fetch_service(call: Call) -> Answer:
    """GET /v2/Services/{Sid}."""
    return _service_answer(call.service("sid"), call)


def update_service(call: Call) -> Answer:
    """POST /v2/Services/{Sid}."""
    service = call.service("sid")
    _set_up(service, _settings(call), now=call.now)
    return _service_answer(service, call)


def delete_service(call: Call) -> Answer:
    """DELETE /v2/Services/{Sid}."""
    call.world.delete_service(call.service("sid"))
    return Answer(204, None)


# -- verifications


def _recipient(call: Call, name: str, value: str) -> str:
    """The value if it can be a recipient at all."""
    number = _E164.fullmatch(value) is not None
    if number and value.startswith("+1") and call.world.options.unassignable == "refused":
        number = _NANP.fullmatch(value) is not None
    if not number and not _EMAIL.fullmatch(value):
        raise _invalid(name, value)
    return value


def _channel(call: Call, to: str) -> str:
    """The channel to send on."""
    asked = call.form.get("Channel", "")
    enabled = call.world.options.channels
    if asked == "auto" and asked in enabled:
        asked = "sms"
    elif asked not in _CHANNELS:
        raise _invalid("Channel", asked)
    elif asked not in enabled:
        raise Refusal(60217 if asked == "email" else 60223)
    if ("@" in to) != (asked == "email"):
        raise _invalid("To", to)
    return asked


def _verification_answer(verification: Verification, call: Call, status: int = 200) -> Answer:
    return Answer(status, wire.verification_body(verification, account_sid=call.account_sid, origin=call.origin))


def _magic(call: Call, to: str, operation: Operation) -> Magic | None:
    row = call.world.options.magic.get(to)
    return row if row is not None and row.on is operation else None


def _with_magic(row: Magic | None, call: Call, proceed: Callable[[], Answer]) -> Answer:
    """Let the request take effect, or not, as the magic number says."""
    if row is None:
        return proceed()
    if not isinstance(row.outcome, Fault):
        raise Refusal(row.outcome, call.path if row.outcome == 20404 else f"`To`: {row.number}")  # noqa: PLR2004  # a Twilio error code
    answer = proceed() if row.processed else Answer(500, wire.error(Refusal(20500), call.world.options)[2])
    return Answer(answer.status, answer.body, row.outcome)


def create_verification(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/Verifications."""
    service = call.service()
    form = call.form
    to = _recipient(call, "To", form.get("To", ""))
    channel = _channel(call, to)
    custom_code = form.get("CustomCode")
    if custom_code is not None and service.custom_code_enabled and len(custom_code) not in _CODE_LENGTHS:
        raise Refusal(60200, "`CustomCode`")  # a code is not repeated

    def proceed() -> Answer:
        verification = call.world.send(
            service,
            to,
            channel,
            now=call.now,
            custom_code=custom_code,
            name=form.get("CustomFriendlyName"),
            amount=form.get("Amount"),
            payee=form.get("Payee"),
        )
        return _verification_answer(verification, call, 201)

    row = _magic(call, to, Operation.CREATE)
    if row is not None and row.channels is not None and channel not in row.channels:
        row = None
    return _with_magic(row, call, proceed)


def fetch_verification(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/Verifications/{Sid}."""
    return _verification_answer(call.world.fetch(call.service(), now=call.now, **call.target()), call)


def update_verification(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/Verifications/{Sid}."""
    service = call.service()
    status = call.form.get("Status", "")
    if status not in {"canceled", "approved"}:
        raise _invalid("Status", status)
    return _verification_answer(call.world.update(service, status, now=call.now, **call.target()), call)


def create_check(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/VerificationCheck."""
    service = call.service()
    sid, to = call.form.get("VerificationSid"), call.form.get("To")
    if not sid and not to:
        raise Refusal(60221)
    code = call.form.get("Code", "")
    if len(code) not in _CODE_LENGTHS:
        raise Refusal(60200, "`Code`")  # a code is not repeated
    if not sid and to is not None:
        _recipient(call, "To", to)
    verification = call.world.target(service, sid=sid or None, to=to, now=call.now)

    def proceed() -> Answer:
        checked = call.world.check(verification, code, now=call.now)
        return Answer(call.world.options.check_status, wire.check_body(checked, account_sid=call.account_sid))

    return _with_magic(_magic(call, verification.to, Operation.CHECK), call, proceed)


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/v2/Services", list_services),
    ("POST", "/v2/Services", create_service),
    ("GET", "/v2/Services/{sid}", fetch_service),
    ("POST", "/v2/Services/{sid}", update_service),
    ("DELETE", "/v2/Services/{sid}", delete_service),
    ("POST", "/v2/Services/{service_sid}/Verifications", create_verification),
    ("GET", "/v2/Services/{service_sid}/Verifications/{sid}", fetch_verification),
    ("POST", "/v2/Services/{service_sid}/Verifications/{sid}", update_verification),
    ("POST", "/v2/Services/{service_sid}/VerificationCheck", create_check),
)
"""Method, path and handler of each operation."""
