"""One template: its text, what may stand in it, and what is made of it.

Rules of this file: see `otpcore.messages`. Whatever can be refused is refused when the template is made; `render`
joins what was parsed then.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from otpcore.contract import NO_EXTRA, MessageText
from otpcore.errors import ConfigurationError, UsageError
from otpcore.messages.gsm import size_of

__all__ = ["LONGEST_CODE", "Template", "language_tag", "refused_in", "render"]

SMS: Final = "sms"
EMAIL: Final = "email"
LONGEST_CODE: Final = 10
LONGEST_MINUTES: Final = 10
"""No code lives longer."""

LONGEST_TEXT: Final = 2000
"""Characters, on channels that have no segments."""

MOST_SEGMENTS: Final = 10
RETRIEVED_BYTES: Final = 140
"""Of a message for Android's SMS Retriever. Which encoding they are counted in is not said: UTF-8 here, in which no
text is shorter than in GSM 7 bit. https://developers.google.com/identity/sms-retriever/verify (read 2026-11-30)."""

PLACEHOLDERS: Final = ("{code}", "{minutes}", "{brand}")
_PARTS: Final = re.compile(r"(\{(?:code|minutes|brand)\})")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,7}")
_CHANNEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z)({_LABEL}\.)+{_LABEL}")
_APP_HASH: Final = re.compile(r"[A-Za-z0-9+/]{11}")
_DLT_ID: Final = re.compile(r"[A-Za-z0-9]{1,40}")
_DLT_NAMES: Final = frozenset({"entity_id", "template_id"})
_FORMATS: Final = re.compile(r"%(?! )|\$\{|\$\(|<%")
"""Beginnings of other template languages: whoever writes them expects something that does not happen."""

_JOINERS: Final = frozenset("\u200c\u200d")
"""Persian, the scripts of India and emoji are not written right without them; they turn no direction."""

_FORBIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: controls, formats (the marks and overrides of direction), surrogates, private, unassigned, and
the separators of lines and paragraphs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with places for values.

    Attributes:
        name: for operators; not unique.
        locale: language of the text (BCP 47), such as "fr" or "pt-BR".
        text: `{code}` once, `{minutes}` and `{brand}` as wanted; no other braces. Line breaks are LF.
        purpose: of the session; None: any.
        channel: None: any.
        subject: of an e-mail, one line; `{minutes}` and `{brand}` may stand in it, the code not: mail servers log
            subjects.
        webotp_domain: host of the site in whose form a browser may fill in the code. Then the last line of an SMS is
            `@domain #code` (https://wicg.github.io/sms-one-time-codes/, "Message format"). ASCII, in small letters.
        app_hash: the 11 characters by which Android's SMS Retriever finds the app. Then they are the last line of
            an SMS, and the whole has at most 140 bytes. Not together with `webotp_domain`: each wants to be last.
        dlt: the ids that India's registers gave: "entity_id", "template_id".
        max_segments: SMS that it may take with the longest values, 1 to 10. Counts for "sms" and any channel.
        parts, subject_parts: what was parsed: literal texts, and the places between them.

    Raises:
        ConfigurationError: naming the template and the rule; the text is not quoted.
    """

    name: str
    locale: str
    text: str = field(repr=False)
    purpose: str | None = None
    channel: str | None = None
    subject: str | None = field(default=None, repr=False)
    webotp_domain: str | None = None
    app_hash: str | None = None
    dlt: Mapping[str, str] = field(default_factory=lambda: NO_EXTRA)
    max_segments: int = 1

    parts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    subject_parts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Parse it, or refuse it."""
        if (rule := self._broken()) is not None:
            raise ConfigurationError(f"Template {self.label}: {rule}.")
        object.__setattr__(self, "parts", tuple(_PARTS.split(self.text)))
        object.__setattr__(self, "subject_parts", tuple(_PARTS.split(self.subject or "")))
        object.__setattr__(self, "dlt", MappingProxyType(dict(self.dlt)))
        self.check()

    @property
    def label(self) -> str:
        """Its name and language, for messages."""
        shown = self.name if _NAME.fullmatch(self.name) else "without a plain name"
        return f"{shown!r} ({self.locale if language_tag(self.locale) else 'no language'})"

    @property
    def branded(self) -> bool:
        """Whether it names the brand."""
        return "{brand}" in self.parts or "{brand}" in self.subject_parts

    @property
    def is_sms(self) -> bool:
        """Whether it may be sent as SMS, where lengths count."""
        return self.channel in {None, SMS}

    def check(self, brand: str = "", digits: int = LONGEST_CODE) -> None:
        """Refuse a template that is too long with these values.

        Args:
            brand: that will be named; one that breaks a rule of texts is refused by the catalogue.
            digits: length of the codes.

        Raises:
            ConfigurationError: naming the template and the lengths.
        """
        made = render(self, "0" * digits, LONGEST_MINUTES, brand, channel=self.channel or SMS)
        if not self.is_sms:
            if len(made.text) > LONGEST_TEXT:
                raise ConfigurationError(f"Template {self.label}: it has more than {LONGEST_TEXT} characters.")
            return
        if made.segments > self.max_segments:
            size = size_of(made.text)
            raise ConfigurationError(
                f"Template {self.label}: with the longest values it takes {made.segments} SMS ({size.units} units of "
                f"{size.encoding}), and {self.max_segments} is the most. Shorten it, the brand or the domain, or give "
                "it more max_segments."
            )
        if self.app_hash is not None and (long := len(made.text.encode())) > RETRIEVED_BYTES:
            raise ConfigurationError(
                f"Template {self.label}: with the longest values it has {long} bytes; Android's SMS Retriever takes "
                f"{RETRIEVED_BYTES} at the most."
            )

    def _broken(self) -> str | None:
        """The rule that it breaks, apart from lengths; None: none."""
        if not _NAME.fullmatch(self.name):
            return "a name has 1 to 64 ASCII letters, digits, dots, hyphens or underscores"
        if language_tag(self.locale) is None:
            return "locale is a language tag of BCP 47, such as fr or pt-BR"
        if self.channel is not None and not _CHANNEL.fullmatch(self.channel):
            return "channel is a channel's name in small letters, such as sms"
        if self.purpose is not None and not (0 < len(self.purpose) <= 64 and self.purpose.isprintable()):  # noqa: PLR2004  # said in the text
            return "purpose has 1 to 64 printable characters"
        if not 1 <= self.max_segments <= MOST_SEGMENTS:
            return f"max_segments is 1 to {MOST_SEGMENTS}"
        if (rule := refused_in(self.text, lines=True)) is not None:
            return f"the text {rule}"
        if self.text.count("{code}") != 1:
            return "the text has {code} exactly once; a last line for browsers comes from webotp_domain"
        if self.text != self.text.strip():
            return "the text neither begins nor ends with white space"
        return self._broken_subject() or self._broken_ending() or self._broken_dlt()

    def _broken_subject(self) -> str | None:
        if self.subject is None:
            return None
        if (rule := refused_in(self.subject, lines=False)) is not None:
            return f"the subject {rule}"
        if "{code}" in self.subject:
            return "the subject has no {code}: mail servers log subjects"
        if self.channel not in {None, EMAIL}:
            return "only an e-mail has a subject"
        return None if 0 < len(self.subject) <= 200 and self.subject.strip() else "a subject has 1 to 200 characters"  # noqa: PLR2004  # said in the text

    def _broken_ending(self) -> str | None:
        if self.webotp_domain is not None and self.app_hash is not None:
            return "webotp_domain and app_hash are not given together: each wants the last line"
        if self.webotp_domain is not None and not _DOMAIN.fullmatch(self.webotp_domain):
            return "webotp_domain is a host in small ASCII letters, such as example.com, without scheme, port or path"
        if self.app_hash is not None and not _APP_HASH.fullmatch(self.app_hash):
            return "app_hash has 11 characters of base64"
        if not self.is_sms and (self.webotp_domain or self.app_hash):
            return "webotp_domain and app_hash are for SMS"
        return None

    def _broken_dlt(self) -> str | None:
        if self.dlt.keys() - _DLT_NAMES:
            return f"dlt holds {' and '.join(sorted(_DLT_NAMES))}"
        return None if all(map(_DLT_ID.fullmatch, self.dlt.values())) else "an id of dlt has 1 to 40 letters and digits"


def language_tag(text: str | None) -> str | None:
    """The text if it has the shape of a language tag (RFC 5646 section 2.1, at most 71 characters); else None.

    It may come from a header that an end user wrote.
    """
    return text if text is not None and _TAG.fullmatch(text) else None


def refused_in(text: str, *, lines: bool, placeholders: bool = True) -> str | None:
    """Why a text may not be part of a message; None: it may.

    Args:
        text: of an operator.
        lines: it may have line breaks (LF).
        placeholders: it may have the known ones.
    """
    literal = _PARTS.sub("", text) if placeholders else text
    if "{" in literal or "}" in literal:
        allowed = f"no braces but {', '.join(PLACEHOLDERS)}" if placeholders else "no braces"
        return f"has {allowed}: no attributes, no formats, no expressions"
    if _FORMATS.search(text):
        return "has no sign of another template language (a % before anything but a space, ${, $(, <%)"
    for each in literal:
        if (each == "\n" and lines) or each in _JOINERS:
            continue
        if unicodedata.category(each) in _FORBIDDEN:
            breaks = "no control characters but LF" if lines else "no line breaks or other control characters"
            return f"has {breaks}, no marks of direction, no unassigned characters (U+{ord(each):04X})"
    return None


def render(template: Template, code: str, minutes: int, brand: str = "", *, channel: str = SMS) -> MessageText:
    """The message for one code.

    Args:
        template: was found for this channel.
        code: 4 to 10 ASCII digits.
        minutes: that the code still lives, 1 or more.
        brand: as checked by `Templates.check`.
        channel: a last line for browsers or apps is added on "sms" alone, a subject on "email" alone.

    Raises:
        UsageError: that is no code; nothing is quoted.
    """
    if not (4 <= len(code) <= LONGEST_CODE and code.isascii() and code.isdigit()):  # noqa: PLR2004  # said in the text
        raise UsageError("A code has 4 to 10 ASCII digits.")
    values = {"{code}": code, "{minutes}": str(max(1, minutes)), "{brand}": brand}
    text = _joined(template.parts, values)
    if channel == SMS and template.webotp_domain is not None:
        text = f"{text}\n@{template.webotp_domain} #{code}"
    elif channel == SMS and template.app_hash is not None:
        text = f"{text}\n{template.app_hash}"
    subject = _joined(template.subject_parts, values) if channel == EMAIL else None
    return MessageText(
        text=text,
        segments=size_of(text).segments,
        template=template.name,
        locale=template.locale,
        subject=subject or None,
        dlt=template.dlt,
    )


def _joined(parts: tuple[str, ...], values: Mapping[str, str]) -> str:
    return "".join([values.get(part, part) for part in parts])
