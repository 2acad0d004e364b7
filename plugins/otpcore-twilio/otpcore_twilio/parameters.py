"""Twilio's own parameters of a send and of a check: which are passed on, and what each must look like before the wire.

Rules of this file: pure; a sentence names the parameter and what it must be, never what was given. Twilio's bounds are
those of its specification and pages of November 2026; what they leave open, Twilio decides.
"""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn, cast

__all__ = [
    "EMAIL",
    "LOCALE",
    "OF_CHECKS",
    "OF_SENDS",
    "TEMPLATE_SID",
    "Parameter",
    "is_clean",
    "is_friendly_name",
    "problem_of",
]

EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
TEMPLATE_SID: Final = re.compile(r"HJ[0-9a-fA-F]{32}")

_APP_HASH: Final = re.compile(r"[0-9A-Za-z+/]{11}")
"""11 characters of base64 [Google's page of the SMS Retriever]."""

_DIGITS: Final = re.compile(r"[0-9wW*#]{1,32}")
_TOKEN: Final = re.compile(r"[!-~]{1,1000}")
_LONGEST_NAME: Final = 32
"""The greater of the two bounds that the specification states for the name of a service."""
_LONGEST_PAYMENT: Final = 128
_MOST_TAGS: Final = 10
_LONGEST_TAG: Final = 128
_MOST_TEMPLATES: Final = 10


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes:
        argument: the SDK's name of it.
        rule: what the value must be, to follow "must be".
        holds: whether a value, which has no control characters, is that.
    """

    argument: str
    rule: str
    holds: Callable[[str], bool]


def is_clean(text: str) -> bool:
    """No control character (CR, LF, NUL, …) and no half of a surrogate pair."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def is_friendly_name(text: str) -> bool:
    """Whether a text can be the name in a message."""
    return bool(text.strip()) and len(text) <= _LONGEST_NAME and is_clean(text)


def problem_of(extra: Mapping[str, str], known: Mapping[str, Parameter]) -> str:
    """A sentence about the first parameter that cannot be passed on; "" when all can."""
    unknown = set(extra) - set(known)
    if unknown:
        return f"{len(unknown)} of the extra parameters are none that this provider passes on"
    for name, value in extra.items():
        if not is_clean(value):
            return f"a control character in {name}"
        if not known[name].holds(value):
            return f"{name} must be {known[name].rule}"
    return ""


def _json(text: str) -> object:
    """The value of a JSON text, or None; NaN and its like are no JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


def _texts(text: str) -> dict[str, str] | None:
    """A JSON object whose values are texts or numbers, as texts; None when it is none."""
    found = _json(text)
    return _as_texts(cast("dict[str, object]", found)) if isinstance(found, dict) else None


def _as_texts(found: Mapping[str, object]) -> dict[str, str] | None:
    """The same, and None where one is not clean: JSON may hold a control character as an escape."""
    if not all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in found.values()):
        return None
    texts = {name: str(value) for name, value in found.items()}
    return texts if all(is_clean(part) for pair in texts.items() for part in pair) else None


def _is_map(text: str) -> bool:
    return bool(_texts(text))


def _is_payment(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_PAYMENT


def _is_configuration(text: str) -> bool:
    found = _json(text)
    if not isinstance(found, dict):
        return False
    fields = cast("dict[str, object]", found)
    inner = fields.pop("substitutions", {})
    texts = _as_texts(fields)
    if texts is None or not isinstance(inner, dict) or _as_texts(cast("dict[str, object]", inner)) is None:
        return False
    return "from" not in texts or EMAIL.fullmatch(texts["from"]) is not None


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text)) and "%" not in text
    except ValueError:
        return False


def _is_tags(text: str) -> bool:
    found = _texts(text)
    if not found or len(found) > _MOST_TAGS:
        return False
    return all(len(part) <= _LONGEST_TAG for pair in found.items() for part in pair)


def _is_templates(text: str) -> bool:
    found = _json(text)
    if not isinstance(found, list):
        return False
    entries = cast("list[object]", found)
    return 0 < len(entries) <= _MOST_TEMPLATES and all(_is_template(entry) for entry in entries)


def _is_template(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    fields = cast("dict[str, object]", entry)
    sid, given = fields.get("sid"), fields.get("substitutions", {})
    if not isinstance(sid, str) or not isinstance(given, dict) or fields.keys() - {"sid", "substitutions"}:
        return False
    return TEMPLATE_SID.fullmatch(sid) is not None and _as_texts(cast("dict[str, object]", given)) is not None


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


_AMOUNT: Final = Parameter("amount", f"1 to {_LONGEST_PAYMENT} characters", _is_payment)
_PAYEE: Final = Parameter("payee", f"1 to {_LONGEST_PAYMENT} characters", _is_payment)

OF_SENDS: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "Amount": _AMOUNT,
        "AppHash": Parameter("app_hash", "the 11 characters of an app hash", _matches(_APP_HASH)),
        "ChannelConfiguration": Parameter(
            "channel_configuration",
            "a JSON object of texts, its `from` an e-mail address, its `substitutions` such an object",
            _is_configuration,
        ),
        "CustomFriendlyName": Parameter("custom_friendly_name", f"1 to {_LONGEST_NAME} characters", is_friendly_name),
        "DeviceIp": Parameter("device_ip", "an IPv4 or IPv6 address", _is_address),
        "EnableSnaClientToken": Parameter("enable_sna_client_token", "true or false", {"true", "false"}.__contains__),
        "Payee": _PAYEE,
        "RateLimits": Parameter("rate_limits", "a JSON object of texts", _is_map),
        "RiskCheck": Parameter("risk_check", "enable or disable", {"enable", "disable"}.__contains__),
        "SendDigits": Parameter("send_digits", "1 to 32 of 0-9, w, W, * and #", _matches(_DIGITS)),
        "Tags": Parameter(
            "tags", f"a JSON object of 1 to {_MOST_TAGS} tags, each side at most {_LONGEST_TAG} characters", _is_tags
        ),
        "TemplateCustomSubstitutions": Parameter(
            "template_custom_substitutions", "a JSON object of texts", lambda text: _texts(text) is not None
        ),
        "TemplateSid": Parameter("template_sid", "HJ and 32 hexadecimal digits", _matches(TEMPLATE_SID)),
        "Templates": Parameter(
            "templates",
            f"a JSON array of 1 to {_MOST_TEMPLATES} objects, each with a `sid` and perhaps `substitutions`",
            _is_templates,
        ),
    }
)
"""By Twilio's documented name. JSON ones are given as text."""

OF_CHECKS: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "Amount": _AMOUNT,
        "Payee": _PAYEE,
        "SnaClientToken": Parameter(
            "sna_client_token", "the token of a silent network authentication", _matches(_TOKEN)
        ),
    }
)
"""The same for a check."""
