"""Message templates: what an account has, which translation a request gets, and the words that arrive.

The words of the default templates are ours; that there is a default with translations, and that others have
placeholders, a status for each translation and channels of their own, is Twilio's.

Rule of this file: data and pure functions; no state, no form fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from otpcore_twilio.emulator.catalogue import Refusal

if TYPE_CHECKING:
    from otpcore_twilio.emulator.options import Options

__all__ = [
    "LOCALES",
    "PAYMENT_DEFAULT",
    "TEMPLATES",
    "VERIFY_DEFAULT",
    "Template",
    "Translation",
    "Wording",
    "locale_of",
    "wording",
]

_PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_OURS: Final = frozenset({"friendly_name", "code"})
_KINDS: Final = {"sms": "sms", "call": "voice"}
"""A template's word for a channel; the other channels have no templates [Twilio's page of templates, 2026]."""

LOCALES: Final = frozenset(
    {
        "af", "ar", "ca", "cs", "da", "de", "el", "en", "en-GB", "es", "et", "fi", "fr", "he", "hi", "hr", "hu", "id",
        "it", "ja", "kn", "ko", "lt", "mr", "ms", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sv", "te", "th",
        "tl", "tr", "uk", "vi", "zh", "zh-CN", "zh-HK",
    }
)  # fmt: skip
"""The languages that Verify can be asked for [Twilio's page of supported languages, 2026]."""

_SPOKEN: Final = {
    "+33": "fr", "+34": "es", "+43": "de", "+49": "de", "+51": "es", "+52": "es", "+54": "es", "+55": "pt-BR",
    "+56": "es", "+57": "es",
}  # fmt: skip
"""Language by a calling code of two digits, for a few; the others get English."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The text of a template in one language, with `{{friendly_name}}`, `{{code}}` and placeholders of its own."""

    text: str
    status: Literal["approved", "pending", "rejected"] = "approved"


@dataclass(frozen=True, slots=True)
class Template:
    """A message template of the account.

    Attributes:
        sid: HJ….
        friendly_name: at most 32 characters.
        translations: by locale; never empty.
        channels: sms, voice.
        default: the locale that stands in for the missing ones.
    """

    sid: str
    friendly_name: str
    translations: Mapping[str, Translation]
    channels: tuple[str, ...] = ("sms", "voice")
    default: str = "en"

    def __post_init__(self) -> None:
        if self.default not in self.translations:
            raise ValueError("a template has a translation for its default locale")


VERIFY_DEFAULT: Final = Template(
    "HJ" + "0" * 32,
    "Verify default",
    MappingProxyType(
        {
            "en": Translation("Your {{friendly_name}} verification code is: {{code}}"),
            "de": Translation("Ihr Bestätigungscode für {{friendly_name}} lautet: {{code}}"),
            "es": Translation("Su código de verificación de {{friendly_name}} es: {{code}}"),
            "fr": Translation("Votre code de vérification {{friendly_name}} est : {{code}}"),
            "pt-BR": Translation("Seu código de verificação de {{friendly_name}} é: {{code}}"),
        }
    ),
)
"""What is said where no template is asked for."""

PAYMENT_DEFAULT: Final = Template(
    "HJ" + "0" * 31 + "f",
    "Verify default for payments",
    MappingProxyType({"en": Translation("Your {{friendly_name}} code to pay {{amount}} to {{payee}} is: {{code}}")}),
)
"""What a service with PSD2 says instead: who confirms must be told what [PSD2, dynamic linking]."""

_DEFAULTS: Final = frozenset({VERIFY_DEFAULT.sid, PAYMENT_DEFAULT.sid})

TEMPLATES: Final = (
    Template(
        "HJ" + "0" * 31 + "1",
        "Code without a name",
        MappingProxyType(
            {
                "en": Translation("{{code}} is your code. Do not share it."),
                "fr": Translation("{{code}} est votre code. Ne le communiquez à personne."),
                "ja": Translation("認証コードは {{code}} です。", "pending"),
            }
        ),
    ),
    Template(
        "HJ" + "0" * 31 + "2",
        "Code with a contact",
        MappingProxyType(
            {"en": Translation("Your {{friendly_name}} code is {{code}}. Not you? Call {{contact}}.")},
        ),
        channels=("sms",),
    ),
)
"""The templates of an account by default."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a message will say, but for its code.

    Attributes:
        text: with `{{code}}` left open.
        locale: of the text.
        ending: follows the text, for the SMS retriever of a phone.
    """

    text: str
    locale: str = "en"
    ending: str | None = field(default=None, kw_only=True)

    def say(self, code: str, channel: str) -> str:
        """The message. A call says the characters one by one, twice."""
        if channel == "call":
            spoken = self.text.replace("{{code}}", ". ".join(code))
            return f"{spoken}. Again: {'. '.join(code)}."
        text = self.text.replace("{{code}}", code)
        return f"<#> {text} {self.ending}" if self.ending is not None and channel == "sms" else text


def locale_of(asked: str | None, to: str, options: Options) -> tuple[str, bool]:
    """The language of a message, and whether it was asked for rather than inferred from the number.

    Raises:
        Refusal: `Options.unsupported_locale`, it was asked for and does not exist.
    """
    if asked is None:
        return _SPOKEN.get(to[:3], "en"), False
    locale = asked.replace("_", "-")
    if locale not in LOCALES:
        raise Refusal(options.unsupported_locale, "`Locale`" if options.unsupported_locale == 60200 else "")  # noqa: PLR2004  # a Twilio error code
    return locale, True


def wording(
    template: Template,
    channel: str,
    locale: tuple[str, bool],
    options: Options,
    *,
    name: str,
    substitutions: Mapping[str, str],
) -> Wording:
    """The text of a template in the language, its placeholders filled except the code.

    Args:
        template: the two defaults serve every channel.
        channel: sms, call, whatsapp, email.
        locale: as `locale_of` gives it.
        options: say what happens where the template has no such channel or language.
        name: for `{{friendly_name}}`.
        substitutions: for the template's own placeholders.

    Raises:
        Refusal: 60227 or 60408 for a channel, 60229 for a language that the template does not have; 60201, the
            translation is not approved; 60224, a substitution is missing.
    """
    ours = template.sid in _DEFAULTS
    if not ours and _KINDS.get(channel) not in template.channels:
        if options.template_elsewhere == "refused":
            raise Refusal(60227 if channel in _KINDS else 60408)
        template = VERIFY_DEFAULT
    language, asked = locale
    translation = template.translations.get(language)
    if translation is None and asked and not ours and options.missing_translation == 60229:  # noqa: PLR2004  # a Twilio error code
        raise Refusal(60229)
    if translation is None or (translation.status != "approved" and not asked):
        language = template.default
        translation = template.translations[language]
    if translation.status != "approved":
        raise Refusal(60201)
    missing = set(_PLACEHOLDER.findall(translation.text)) - _OURS - set(substitutions)
    if missing:
        raise Refusal(60224)
    given = {**substitutions, "friendly_name": name, "code": "{{code}}"}
    return Wording(_PLACEHOLDER.sub(lambda match: given[match[1]], translation.text), language)
