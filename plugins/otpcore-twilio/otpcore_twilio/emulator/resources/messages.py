"""What the message of a verification will say: template, language, name and ending, as the request asks for them.

Rule of this file: parameters to a `Wording`; the templates and their rules are in `templates`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.request import from_json, invalid, json_map, sid
from otpcore_twilio.emulator.templates import (
    PAYMENT_DEFAULT,
    VERIFY_DEFAULT,
    Template,
    Wording,
    locale_of,
    wording,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from otpcore_twilio.emulator.records import Service
    from otpcore_twilio.emulator.request import Call

__all__ = ["texts", "wording_of"]

_MOST_TEMPLATES: Final = 10
_APP_HASH: Final = re.compile(r"[0-9A-Za-z+/]{11}", re.ASCII)
"""11 characters of base64 [Google's page of the SMS Retriever]."""

_WARNING: Final = ". Don't share this code with anyone; our employees will never ask for the code"


def wording_of(call: Call, service: Service, channel: str, to: str, payment: tuple[str, str] | None) -> Wording:
    """The message that a request asks for.

    Raises:
        Refusal: 60200, 60201, 60224, 60227 to 60229, 60252, 60408, or as the options say.
    """
    form, options = call.form, call.world.options
    locale = locale_of(form.get("Locale"), to, options)
    own = {} if payment is None else {"amount": payment[0], "payee": payment[1]}
    name = form.get("CustomFriendlyName") or service.friendly_name

    def compose(template: Template, substitutions: dict[str, str]) -> Wording:
        return wording(template, channel, locale, options, name=name, substitutions=own | substitutions)

    candidates = _candidates(call, service)
    if candidates is None:
        found = compose(VERIFY_DEFAULT if payment is None else PAYMENT_DEFAULT, {})
        if service.do_not_share_warning_enabled and channel == "sms":
            found = replace(found, text=found.text + _WARNING)
    elif "Templates" in form:
        found = _first(call, candidates, compose)
    else:
        (template_sid, substitutions), *_ = candidates
        found = compose(_template(call, template_sid), substitutions)
    ending = form.get("AppHash")
    if ending is None:
        return found
    if not _APP_HASH.fullmatch(ending):
        raise invalid("AppHash", ending)
    return replace(found, ending=ending)


def texts(name: str, value: str) -> dict[str, str]:
    """A JSON object of texts and numbers, these as texts.

    Raises:
        Refusal: 60200.
    """
    return _as_texts(name, json_map(name, value))


def _as_texts(name: str, found: dict[str, object]) -> dict[str, str]:
    if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in found.values()):
        raise invalid(name)
    return {key: str(one) for key, one in found.items()}


def _candidates(call: Call, service: Service) -> list[tuple[str, dict[str, str]]] | None:
    """The templates that are asked for, best first, each with its substitutions; None: none is."""
    form = call.form
    if "Templates" in form:
        return _several(form["Templates"])
    substitutions = form.get("TemplateCustomSubstitutions")
    given = {} if substitutions is None else texts("TemplateCustomSubstitutions", substitutions)
    if "TemplateSid" in form:
        return [(sid("TemplateSid", form["TemplateSid"], "HJ"), given)]
    return None if service.default_template_sid is None else [(service.default_template_sid, given)]


def _several(value: str) -> list[tuple[str, dict[str, str]]]:
    """The parameter `Templates`: a JSON array of up to ten objects, each with `sid` and perhaps `substitutions`."""
    found = from_json("Templates", value)
    if not isinstance(found, list) or not 0 < len(entries := cast("list[object]", found)) <= _MOST_TEMPLATES:
        raise invalid("Templates")
    candidates: list[tuple[str, dict[str, str]]] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise invalid("Templates")
        fields = cast("dict[str, object]", entry)
        substitutions = fields.get("substitutions", {})
        if not isinstance(substitutions, dict):
            raise invalid("Templates")
        candidates.append(
            (
                sid("Templates", str(fields.get("sid")), "HJ"),
                _as_texts("Templates", cast("dict[str, object]", substitutions)),
            )
        )
    return candidates


def _first(
    call: Call, candidates: list[tuple[str, dict[str, str]]], compose: Callable[[Template, dict[str, str]], Wording]
) -> Wording:
    """The first candidate that can be sent, or 60252."""
    for template_sid, substitutions in candidates:
        try:
            return compose(_template(call, template_sid), substitutions)
        except Refusal:
            continue
    raise Refusal(60252)


def _template(call: Call, template_sid: str) -> Template:
    for template in call.world.options.templates:
        if template.sid == template_sid:
            return template
    raise Refusal(60228)
