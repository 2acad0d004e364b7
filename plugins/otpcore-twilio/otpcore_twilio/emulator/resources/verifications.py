"""Verifications: a code is sent, shown, and ended by the application.

Rule of this file: the parameters of a send, and what each of them must be; what happens then is in `state`.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.limiting import note_keys
from otpcore_twilio.emulator.magic import Fault, Magic, Operation
from otpcore_twilio.emulator.request import Answer, boolean, invalid, json_map, one_of, recipient, required
from otpcore_twilio.emulator.resources.messages import texts, wording_of
from otpcore_twilio.emulator.state import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from otpcore_twilio.emulator.records import Service, Verification
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS", "with_magic"]

_SID: Final = re.compile(r"VE[0-9a-f]{32}", re.ASCII)
_CHANNELS: Final = frozenset({"sms", "call", "whatsapp", "email", "sna", "rcs"})
"""Known to Twilio. One that the account does not use is refused as disabled; any other word, and auto, as invalid."""

_CODE_LENGTHS: Final = range(4, 11)
_MOST_TAGS: Final = 10
_LONGEST_TAG: Final = 128
_DIGITS: Final = re.compile(r"[0-9wW*#]{1,32}", re.ASCII)
_IPV4: Final = re.compile(r"\d{1,3}(\.\d{1,3}){3}", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_RISK: Final = {Operation.CREATE: (60410, 60605), Operation.MESSAGE: (30450,)}
"""Fraud Guard and the geographic permissions; SMS Pumping Protection."""


def _channel(call: Call, service: Service, to: str) -> str:
    """The channel to send on."""
    asked = required(call.form, "Channel")
    enabled = call.world.options.channels
    if asked == "auto" and asked in enabled:
        asked = next((channel for channel in ("sna", "sms") if channel in enabled), "")
        if not asked:
            raise Refusal(60550)
    elif asked not in _CHANNELS:
        raise invalid("Channel", asked)
    elif asked not in enabled and not (asked == "email" and service.mailer_sid):
        raise Refusal(60217 if asked == "email" else 60223)
    if ("@" in to) != (asked == "email"):
        raise invalid("To", to)
    return asked


def _payment(call: Call, service: Service, channel: str) -> tuple[str, str] | None:
    """Amount and payee, which mean nothing to a service without PSD2."""
    if not service.psd2_enabled:
        return None
    amount, payee = call.form.get("Amount"), call.form.get("Payee")
    if not amount or not payee:
        raise Refusal(60206)
    if channel == "call":
        raise Refusal(60214)
    return amount, payee


def _tags(value: str) -> dict[str, str]:
    tags = texts("Tags", value)
    if len(tags) > _MOST_TAGS or any(len(text) > _LONGEST_TAG for pair in tags.items() for text in pair):
        raise invalid("Tags")
    return tags


def _judge(call: Call, service: Service) -> None:
    """Refuse the parameters whose values are not used here and cannot be right."""
    form = call.form
    custom = form.get("CustomCode")
    if custom is not None and service.custom_code_enabled and len(custom) not in _CODE_LENGTHS:
        raise invalid("CustomCode")  # a code is not repeated
    if "RiskCheck" in form:
        one_of("RiskCheck", form["RiskCheck"], frozenset({"enable", "disable"}))
    if "SendDigits" in form and not _DIGITS.fullmatch(form["SendDigits"]):
        raise invalid("SendDigits", form["SendDigits"])
    if "DeviceIp" in form and not _is_address(form["DeviceIp"]):
        raise invalid("DeviceIp", form["DeviceIp"])
    if "ChannelConfiguration" in form:
        sender = json_map("ChannelConfiguration", form["ChannelConfiguration"]).get("from")
        if sender is not None and not (isinstance(sender, str) and _EMAIL.fullmatch(sender)):
            raise invalid("ChannelConfiguration")


def _is_address(text: str) -> bool:
    """IPv4 or IPv6; Twilio's own example of the former has leading zeros."""
    if _IPV4.fullmatch(text):
        return all(int(part) <= 255 for part in text.split("."))  # noqa: PLR2004  # a byte
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def with_magic(call: Call, to: str, operation: Operation, channel: str, proceed: Callable[[], Answer]) -> Answer:
    """Let the request take effect, or not, as the options say about its recipient."""
    options = call.world.options
    table = options.message_magic if operation is Operation.MESSAGE else options.magic
    row: Magic | None = table.get(to)
    if row is None or row.on is not operation or (row.channels is not None and channel not in row.channels):
        return proceed()
    if not isinstance(row.outcome, Fault):
        if row.outcome in _RISK.get(operation, ()) and _is_trusted(call, to, channel):
            return proceed()
        raise Refusal(row.outcome, call.path if row.outcome == 20404 else f"`To`: {row.number}")  # noqa: PLR2004  # a Twilio error code
    answer = proceed() if row.processed else Answer(500, wire.error(Refusal(20500), call.world.options)[2])
    return Answer(answer.status, answer.body, row.outcome)


def _is_trusted(call: Call, to: str, channel: str) -> bool:
    """Whether nobody asks if this is a fraud: the number is on the safe list, or the request says so of an SMS."""
    return to in call.world.held.safe_numbers or (channel == "sms" and call.form.get("RiskCheck") == "disable")


def _answer(verification: Verification, call: Call, status: int = 200) -> Answer:
    body = wire.verification_body(verification, call.world.options, account_sid=call.account_sid, origin=call.origin)
    return Answer(status, body)


def _target(call: Call) -> dict[str, str]:
    """The verification in the path: its SID, or a recipient."""
    text = call.names["sid"]
    return {"sid": text} if _SID.fullmatch(text) else {"to": text}


def create_verification(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/Verifications."""
    service = call.service()
    form = call.form
    to = recipient(call, "To", required(form, "To"))
    channel = _channel(call, service, to)
    _judge(call, service)
    payment = _payment(call, service, channel)
    asked = Asked(
        wording=None if channel == "sna" else wording_of(call, service, channel, to, payment),
        custom_code=form.get("CustomCode"),
        payment=payment,
        tags=_tags(form["Tags"]) if "Tags" in form else {},
        client_token=boolean("EnableSnaClientToken", form.get("EnableSnaClientToken", "false")),
    )
    keys = texts("RateLimits", form["RateLimits"]) if "RateLimits" in form else {}

    def proceed() -> Answer:
        note_keys(call.world.held, service.sid, keys, call.world.options.rate_limit_code, now=call.now)
        return _answer(call.world.send(service, to, channel, now=call.now, asked=asked), call, 201)

    return with_magic(call, to, Operation.CREATE, channel, proceed)


def fetch_verification(call: Call) -> Answer:
    """GET /v2/Services/{ServiceSid}/Verifications/{Sid}."""
    return _answer(call.world.fetch(call.service(), now=call.now, **_target(call)), call)


def update_verification(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/Verifications/{Sid}."""
    service = call.service()
    status = one_of("Status", required(call.form, "Status"), frozenset({"canceled", "approved"}))
    return _answer(call.world.update(service, status, now=call.now, **_target(call)), call)


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/v2/Services/{service_sid}/Verifications", create_verification),
    ("GET", "/v2/Services/{service_sid}/Verifications/{sid}", fetch_verification),
    ("POST", "/v2/Services/{service_sid}/Verifications/{sid}", update_verification),
)
"""Method, path and handler of each operation."""
