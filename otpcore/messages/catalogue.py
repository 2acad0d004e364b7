"""The templates of one engine, and which of them a message takes.

Rules of this file: see `otpcore.messages`. A search always finds one: a person's language, or a channel that nobody
thought of, never keeps a code from being sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Self

from otpcore.errors import ConfigurationError
from otpcore.messages.template import LONGEST_CODE, Template, language_tag, refused_in

__all__ = ["Templates"]

LONGEST_BRAND: Final = 40

_Key = tuple[str, str, str, bool]


@dataclass(frozen=True, slots=True)
class Templates:
    """A catalogue.

    Attributes:
        templates: in any order; one for any purpose and channel is in `default_locale`. Two may agree in purpose,
            channel and language if only one of them names the brand: it is taken where there is a brand.
        default_locale: of people whose language is not there, or not known.

    Raises:
        ConfigurationError: two for the same messages, or none that serves everybody.
    """

    templates: tuple[Template, ...]
    default_locale: str = "en"

    _by_key: dict[_Key, Template] = field(init=False, repr=False, compare=False)
    _purposes: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort them by what they are for."""
        found: dict[_Key, Template] = {}
        for each in self.templates:
            other = found.setdefault(_key(each), each)
            if other is not each:
                raise ConfigurationError(f"Templates {other.label} and {each.label} are for the same messages.")
        last = self.default_locale.lower()
        if not any(("", last, "", branded) in found for branded in (False, True)):
            raise ConfigurationError(
                "One template is for any purpose and channel, in the default language "
                f"({self.default_locale if language_tag(last) else 'which is no language tag'}); there is none."
            )
        object.__setattr__(self, "_by_key", found)
        object.__setattr__(self, "_purposes", frozenset(each.purpose for each in self.templates if each.purpose))

    def find(self, *, purpose: str = "", channel: str = "sms", locale: str | None = None, brand: str = "") -> Template:
        """The template for a message: one of the purpose, then of the language, then of the channel.

        Args:
            purpose: one that no template names takes those for any.
            channel: likewise.
            locale: is shortened from its end until there is a template (RFC 4647 section 3.4); then, and where it is
                no language tag, the default.
            brand: without one, a template that names it is passed over.
        """
        branded = (True, False) if brand else (False,)
        for of_purpose in (purpose, "") if purpose in self._purposes else ("",):
            for tag in self.languages(locale):
                for of_channel in (channel, ""):
                    for each in branded:
                        if (found := self._by_key.get((of_purpose, tag, of_channel, each))) is not None:
                            return found
        return self._by_key["", self.default_locale.lower(), "", True]  # not reached after `check`

    def check(self, brand: str = "", digits: int = LONGEST_CODE) -> None:
        """Refuse what cannot be sent with this brand and this length of codes.

        Args:
            brand: the operator's name; "" for none.
            digits: of a code.

        Raises:
            ConfigurationError: naming the rule, and the template that breaks it.
        """
        rule = refused_in(brand, lines=False, placeholders=False)
        if rule is None and (len(brand) > LONGEST_BRAND or brand != brand.strip()):
            rule = f"has at most {LONGEST_BRAND} characters, and no white space around it"
        if rule is not None:
            raise ConfigurationError(f"The brand {rule}.")
        for (purpose, tag, channel, branded), each in self._by_key.items():
            if brand or not branded:
                each.check(brand, digits)
            elif (purpose, tag, channel, False) not in self._by_key:
                raise ConfigurationError(
                    f"Template {each.label} names the brand, and there is none (settings: OTPCORE_BRAND)."
                )

    def ending(self, *, webotp_domain: str | None = None, app_hash: str | None = None) -> Self:
        """The same with this last line on every template for SMS that has none of its own.

        Raises:
            ConfigurationError: as for `Template`.
        """
        if webotp_domain is None and app_hash is None:
            return self
        return replace(
            self,
            templates=tuple(
                replace(each, webotp_domain=webotp_domain, app_hash=app_hash)
                if each.is_sms and each.webotp_domain is None and each.app_hash is None
                else each
                for each in self.templates
            ),
        )

    def languages(self, locale: str | None) -> Iterator[str]:
        """The tags that a search for this language asks for, in small letters, the default last."""
        tag = (language_tag(locale) or "").lower()
        while tag:
            yield tag
            tag = tag.rpartition("-")[0]
            if tag[-2:-1] == "-":  # a singleton says nothing without what followed it
                tag = tag[:-2]
        yield self.default_locale.lower()


def _key(template: Template) -> _Key:
    return template.purpose or "", template.locale.lower(), template.channel or "", template.branded
