"""From text to the octets of a short message, exactly: GSM 03.38 where every character is in it, else UCS-2.

Rules of this file: pure functions; nothing is replaced, nothing dropped. What has no octets is an error.

Sources: 3GPP TS 23.038 clause 6.2.1 (the default alphabet and its extension), TS 23.040 clause 9.2.3.24 (parts of a
long message), SMPP 3.4 clause 5.2.19 (data_coding).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

__all__ = ["DEFAULT_ALPHABET", "UCS2", "Encoded", "encode", "split"]

DEFAULT_ALPHABET: Final = 0x00
"""data_coding: the default alphabet of the SMSC, here GSM 03.38, one septet in each octet."""

UCS2: Final = 0x08
"""data_coding: UCS-2, big end first; what is beyond 16 bits goes as a pair of surrogates, as phones take it."""

ESCAPE: Final = 0x1B
BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
SEPTETS: Final[Mapping[str, bytes]] = MappingProxyType(
    {character: bytes([place]) for place, character in enumerate(BASIC) if place != ESCAPE}
    | {character: bytes([ESCAPE, place]) for character, place in EXTENSION.items()}
)
"""Octets of each character of GSM 03.38."""

ROOM: Final = {DEFAULT_ALPHABET: (160, 153), UCS2: (140, 134)}
"""Octets of one message, and of each of several (a header of 6 octets, or 7 septets, goes off)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as it goes over the link.

    Attributes:
        data_coding: `DEFAULT_ALPHABET` or `UCS2`.
        characters: the octets of each character, in their order; a character is never cut.
    """

    data_coding: int
    characters: Sequence[bytes] = field(repr=False)

    @property
    def octets(self) -> bytes:
        """All of it."""
        return b"".join(self.characters)

    @property
    def fits(self) -> bool:
        """Whether one message holds it."""
        return sum(map(len, self.characters)) <= ROOM[self.data_coding][0]


def encode(text: str, *, ucs2: bool = False) -> Encoded:
    """The octets of a text.

    Args:
        text: any characters.
        ucs2: do not use the default alphabet, whatever the text.

    Raises:
        ValueError: a lone surrogate, which no alphabet has. The message does not hold the text.
    """
    if not ucs2 and all(character in SEPTETS for character in text):
        return Encoded(DEFAULT_ALPHABET, [SEPTETS[character] for character in text])
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("The text holds half a character (a lone surrogate).")
    return Encoded(UCS2, [character.encode("utf-16-be") for character in text])


def split(encoded: Encoded) -> Iterator[bytes]:
    """The parts of a text that one message does not hold, in order, without headers; each as full as it can be."""
    room = ROOM[encoded.data_coding][1]
    part = b""
    for character in encoded.characters:
        if len(part) + len(character) > room:
            yield part
            part = b""
        part += character
    yield part
