"""Sends as the parameters of AWS's two operations: `SendTextMessage` and, of SNS, `Publish` to a number.

Each value is judged before the wire by the service model's own rule; one that does not fit is refused as NOT_SENT,
because AWS, or its SDK, would answer with the value in the text.

Rules of this file: pure; the time is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from otpcore.ports import Failure, FailureKind, MessageText, SendEffect, SendRequest
from otpcore_aws.settings import (
    CONFIGURATION_SET,
    MAX_PRICE,
    ORIGINATION,
    PROTECT,
    SENDER_ID,
    AwsSettings,
    SnsSettings,
)

__all__ = ["SNS_EXTRA", "TEXT_EXTRA", "publish_parameters", "text_parameters"]

CHANNEL: Final = "sms"
LONGEST_TEXT: Final = 1600
"""Characters of `MessageBody` (service model of 2022-03-31), and of an SMS that SNS takes."""

SHORTEST_TTL_S, LONGEST_TTL_S = 5, 259_200
"""Bounds of `TimeToLive` (the same model)."""

INDIA: Final = "+91"
"""Only there are the ids of DLT read; elsewhere AWS refuses them."""

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_DLT: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_SEND_ID: Final = re.compile(r"[0-9A-Za-z_.:-]{1,100}")

TEXT_EXTRA: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "ConfigurationSetName": CONFIGURATION_SET,
        "Keyword": re.compile(r"(?! )[ -~]{1,30}(?<! )"),
        "MaxPrice": MAX_PRICE,
        "OriginationIdentity": ORIGINATION,
        "ProtectConfigurationId": PROTECT,
    }
)
"""What a send of `aws` may carry, by AWS's names; it wins over the settings."""

SNS_EXTRA: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "AWS.MM.SMS.OriginationNumber": re.compile(r"\+?[0-9]{4,15}"),
        "AWS.SNS.SMS.MaxPrice": MAX_PRICE,
        "AWS.SNS.SMS.SenderID": SENDER_ID,
    }
)
"""The same of `aws-sns`."""


def text_parameters(request: SendRequest, settings: AwsSettings, now: datetime) -> dict[str, Any] | Failure:
    """The parameters of `SendTextMessage`; a Failure where it cannot be asked for this send."""
    text = _text_of(request, TEXT_EXTRA)
    if isinstance(text, Failure):
        return text
    life_s = int((request.expires_at - now).total_seconds())
    origination = settings.origination_by_country.get(request.region, settings.origination_identity)
    chosen = {
        "OriginationIdentity": origination,
        "ConfigurationSetName": settings.configuration_set,
        "ProtectConfigurationId": settings.protect_configuration,
        "MaxPrice": settings.max_price,
        **request.extra,
    }
    parameters: dict[str, Any] = {
        "DestinationPhoneNumber": request.recipient,
        "MessageBody": text,
        "MessageType": "TRANSACTIONAL",
        "TimeToLive": min(max(life_s, SHORTEST_TTL_S), LONGEST_TTL_S),
        **{name: value for name, value in chosen.items() if value},
    }
    if _SEND_ID.fullmatch(request.send_id):
        parameters["Context"] = {"send_id": request.send_id}
    if settings.message_feedback:
        parameters["MessageFeedbackEnabled"] = True
    if dlt := _dlt_of(request):
        parameters["DestinationCountryParameters"] = {"IN_ENTITY_ID": dlt[0], "IN_TEMPLATE_ID": dlt[1]}
    return parameters


def publish_parameters(request: SendRequest, settings: SnsSettings) -> dict[str, Any] | Failure:
    """The parameters of `Publish`; a Failure where it cannot be asked for this send."""
    text = _text_of(request, SNS_EXTRA)
    if isinstance(text, Failure):
        return text
    strings = {
        "AWS.SNS.SMS.SMSType": "Transactional",
        "AWS.SNS.SMS.SenderID": settings.sender_id_by_country.get(request.region, settings.sender_id),
        "AWS.MM.SMS.OriginationNumber": settings.origination_number,
        "AWS.SNS.SMS.MaxPrice": settings.max_price,
        **request.extra,
    }
    if dlt := _dlt_of(request):
        strings |= {"AWS.MM.SMS.EntityId": dlt[0], "AWS.MM.SMS.TemplateId": dlt[1]}
    attributes = {
        name: {"DataType": "Number" if name.endswith("MaxPrice") else "String", "StringValue": value}
        for name, value in strings.items()
        if value
    }
    return {"PhoneNumber": request.recipient, "Message": text, "MessageAttributes": attributes}


def _text_of(request: SendRequest, extra: Mapping[str, re.Pattern[str]]) -> str | Failure:
    """What to deliver: the core's words, or plain ones around its code."""
    if request.channel != CHANNEL:
        return _unfit("AWS is asked for text messages only: channel sms")
    if not _NUMBER.fullmatch(request.recipient):
        return _unfit("the recipient is no number in E.164", FailureKind.INVALID_RECIPIENT)
    for name, value in request.extra.items():
        rule = extra.get(name)
        if rule is None:
            return _unfit("a parameter has a name that AWS does not take here")
        if not rule.fullmatch(value):
            return _unfit(f"the parameter {name} has a value that AWS does not take")
    text = _words(request.code, request.message)
    if not text.strip() or len(text) > LONGEST_TEXT or not _is_encodable(text):
        return _unfit(f"AWS takes 1 to {LONGEST_TEXT} characters, and there is a code of the core to deliver")
    return text


def _words(code: str | None, message: MessageText | None) -> str:
    if message is not None:
        return message.text
    return f"{code} is your code." if code else ""


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


def _dlt_of(request: SendRequest) -> tuple[str, str] | None:
    """Entity and template, where both are known, fit and are asked for."""
    if request.message is None or not request.recipient.startswith(INDIA):
        return None
    entity, template = (request.message.dlt.get(name, "") for name in ("entity_id", "template_id"))
    return (entity, template) if _DLT.fullmatch(entity) and _DLT.fullmatch(template) else None


def _unfit(detail: str, kind: FailureKind = FailureKind.CONTENT_REJECTED) -> Failure:
    return Failure(kind, SendEffect.NOT_SENT, detail)
