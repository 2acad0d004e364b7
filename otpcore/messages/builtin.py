"""The built-in catalogue: one text in seven languages, each with and without a brand.

Rules of this file: texts alone. Each takes one SMS with a code of ten digits; no letter that GSM 7 bit does not have,
but for Arabic, which is short enough for UCS-2.
"""

from __future__ import annotations

from typing import Final

from otpcore.messages.catalogue import Templates
from otpcore.messages.template import Template

__all__ = ["DEFAULT_TEMPLATES"]

_WORDS: Final = {
    "en": ("your code is {code}. It expires in {minutes} min. Do not share it.", "Your code"),
    "fr": ("votre code est {code}. Il expire dans {minutes} min. Ne le donnez à personne.", "Votre code"),
    "es": ("su clave es {code}. Caduca en {minutes} min. No la comparta.", "Su clave"),
    "pt": ("a sua chave é {code}. Expira em {minutes} min. Nunca a partilhe.", "A sua chave"),
    "de": ("Ihr Code ist {code}. Er gilt {minutes} Min. Geben Sie ihn niemandem.", "Ihr Code"),
    "ar": ("رمز التحقق {code}", "رمز التحقق"),
    "sw": ("namba yako ya siri ni {code}. Inaisha baada ya dakika {minutes}. Usimpe mtu yeyote.", "Namba yako ya siri"),
}
"""Text and subject by language. Spanish and Portuguese say "key": their word for code has a letter that would cost
UCS-2."""


def _both(locale: str, text: str, subject: str) -> tuple[Template, Template]:
    alone = text[0].upper() + text[1:]
    return (
        Template(name="default", locale=locale, text=alone, subject=subject),
        Template(name="default", locale=locale, text=f"{{brand}}: {text}", subject=f"{{brand}}: {subject}"),
    )


DEFAULT_TEMPLATES: Final = Templates(
    tuple(each for locale, (text, subject) in _WORDS.items() for each in _both(locale, text, subject))
)
"""What an engine says that was given no templates: English to whoever has another language than these seven."""
