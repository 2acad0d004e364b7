"""The canonicaliser of e-mail addresses: text in, one mailbox out.

Rules of this file: it refuses and never repairs, as `otpcore.phone` does: two readings of one text are two budgets for
one person. Pure: no clock, no environment, no I/O. No message holds anything of what was given, and no `repr` more of
an address than its last two characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from otpcore.contract import mask
from otpcore.errors import InvalidAddress

__all__ = ["EMAIL", "MailAddress", "canonicalise_address"]

EMAIL: Final = "email"
"""The kind of such a recipient, and the channel that reaches it."""

MAX_TEXT: Final = 254
"""Longest address, in characters: a path has 256 octets with its angle brackets (RFC 5321, section 4.5.3.1.3)."""

MAX_LOCAL: Final = 64
"""Longest local part, in characters (RFC 5321, section 4.5.3.1.1)."""

# `atext` of RFC 5322, section 3.2.3, without `!` and `%`: relays of old read these as a route to another mailbox.
_LOCAL: Final = re.compile(r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*")
# Labels of letters, digits and inner hyphens (RFC 1123, section 2.1); the last one is no number, or it would be an
# address of a host. Every repetition ends at a dot, so that there is one way to match.
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address in the spelling that mail is sent to, and the mailbox that it names.

    Attributes:
        address: the local part as it was given, which its own host alone may judge (RFC 5321, section 2.4), and the
            domain in lower case. Masked in the `repr`.
    """

    address: str

    kind: ClassVar[str] = EMAIL
    region: ClassVar[str] = ""
    """A mailbox is in no region, so no rule over regions has a say in it."""
    line_type: ClassVar[str] = ""
    """Nor has it a line type."""

    def __post_init__(self) -> None:
        """Refuse what `canonicalise_address` would not have made: another spelling is another budget.

        Raises:
            InvalidAddress: it is not in that spelling.
        """
        local, _, domain = self.address.rpartition("@")
        if not _is_plain(local, domain, self.address) or domain != domain.lower():
            raise InvalidAddress("A MailAddress is in its one spelling, which this is not; use canonicalise_address().")

    @property
    def identity(self) -> str:
        """What the recipient's record is kept under: all in lower case.

        No host that people use keeps `Jo@` and `jo@` apart; were they two keys, they would be two budgets.
        """
        return self.address.lower()

    def __repr__(self) -> str:
        return f"MailAddress({mask(self.address)})"


def canonicalise_address(text: str) -> MailAddress:
    """The one mailbox that a text plainly names.

    Args:
        text: `local@domain` and nothing else: ASCII, at most 254 characters; the local part a dot-atom
            (RFC 5321, section 4.1.2) of at most 64, the domain a name of two labels or more. A domain of another
            script comes in its ASCII form (`xn--…`), which the application makes: see the page on addresses.

    Returns:
        The address. It need not exist. Canonical text comes back as it is.

    Raises:
        InvalidAddress: everything else, of whatever type; nothing else is ever raised.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidAddress(f"An e-mail address is text, not {type(text).__name__}.")
    local, at, domain = text.rpartition("@")
    if _is_plain(local, domain, text):
        return MailAddress(f"{local}@{domain.lower()}")
    raise InvalidAddress(f"The text {_problem(text, local, at, domain)}.")


def _is_plain(local: str, domain: str, text: str) -> bool:
    return (
        len(text) <= MAX_TEXT
        and len(local) <= MAX_LOCAL
        and _LOCAL.fullmatch(local) is not None
        and _DOMAIN.fullmatch(domain) is not None
    )


def _problem(text: str, local: str, at: str, domain: str) -> str:
    """What is wrong with a text that is not plain, and what to do; nothing of the text itself."""
    if not text:
        return "is empty; give an e-mail address"
    if len(text) > MAX_TEXT:
        return f"is longer than {MAX_TEXT} characters; give the e-mail address alone"
    if not text.isascii() or not text.isprintable():
        return "holds invisible or non-ASCII characters; write the domain in its ASCII form (xn--…)"
    if not at or not local or not domain:
        return "is not plainly an e-mail address; write name@domain"
    if " " in text or "<" in text or "(" in text or '"' in text or "@" in local:
        return "holds more than an e-mail address; give it alone, without name, comment, quotes or spaces"
    if len(local) > MAX_LOCAL:
        return f"has more than {MAX_LOCAL} characters before the @"
    if not _LOCAL.fullmatch(local):
        return "has signs or dots at an odd place before the @"
    return "has no plain domain after the @; write a name of letters, digits and hyphens with a dot in it"
