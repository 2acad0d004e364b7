"""How many SMS a text takes.

Rules of this file: see `otpcore.messages`. The alphabet and the lengths are those of the standards: 3GPP TS 23.038
sections 6.2.1 (GSM 7 bit default alphabet), 6.2.1.1 (its extension table) and 6.2.3 (UCS-2); TS 23.040 section
9.2.3.24.1 (several messages that are shown as one). National tables are not used: not every network has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["Encoding", "Size", "size_of"]

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each (TS 23.038 section 6.2.1); the escape is no character."""

EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""The escape and one more septet each (TS 23.038 section 6.2.1.1)."""

BEYOND_BMP: Final = 0x10000
"""From here on a character is two units of UTF-16, which is what telephones read UCS-2 as."""


class Encoding(StrEnum):
    """What a text is sent as."""

    GSM_7 = "gsm-7"
    UCS_2 = "ucs-2"


LENGTHS: Final = {Encoding.GSM_7: (160, 153), Encoding.UCS_2: (70, 67)}
"""Units in a single message, and in each of several: 140 octets, 6 of them a header where there are several."""


@dataclass(frozen=True, slots=True)
class Size:
    """A text as SMS.

    Attributes:
        encoding: GSM 7 bit if every character has a place there, else UCS-2.
        units: septets, or units of UTF-16.
        segments: messages that it takes, 1 or more.
        left: units that the last of them still takes.
    """

    encoding: Encoding
    units: int
    segments: int
    left: int


def size_of(text: str) -> Size:
    """Measure a text.

    An escaped character, or a pair of UTF-16, is never cut by the end of a message; so a message of several may
    be one unit short.
    """
    beyond = set(text) - BASIC
    if beyond <= EXTENSION:
        encoding, widths = Encoding.GSM_7, [1 + (each in EXTENSION) for each in text] if beyond else None
    else:
        encoding, widths = Encoding.UCS_2, [1 + (ord(each) >= BEYOND_BMP) for each in text]
    units = len(text) if widths is None else sum(widths)
    single, each_of_several = LENGTHS[encoding]
    if units <= single:
        return Size(encoding, units, 1, single - units)
    segments, left = 1, each_of_several
    for width in widths or [1] * units:
        if width > left:
            segments, left = segments + 1, each_of_several
        left -= width
    return Size(encoding, units, segments, left)
