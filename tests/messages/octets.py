"""How many SMS a text takes, worked out from octets: an independent count.

Rules of this file: nothing of `otpcore`. A message has 140 octets of user data; several that belong together begin with
a header of 6 each. The alphabet is by code point, in the order of the table of 3GPP TS 23.038 section 6.2.1.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BASIC", "EXTENSION", "messages"]

BASIC: Final = (
    *(0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5),
    *(0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, None, 0xC6, 0xE6, 0xDF, 0xC9),
    *(0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x40)),
    *(0xA1, *range(0x41, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7),
    *(0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0),
)
EXTENSION: Final = {
    0x0A: 0x0C,
    0x14: 0x5E,
    0x28: 0x7B,
    0x29: 0x7D,
    0x2F: 0x5C,
    0x3C: 0x5B,
    0x3D: 0x7E,
    0x3E: 0x5D,
    0x40: 0x7C,
    0x65: 0x20AC,
}
ESCAPE: Final = 0x1B
OCTETS: Final = 140
HEADER: Final = 6


def messages(text: str) -> int:
    """The messages that a text takes."""
    septets = _septets(text)
    bits, signs = (7, septets) if septets is not None else (16, [_utf_16(each) for each in text])
    if sum(map(len, signs)) * bits <= OCTETS * 8:
        return 1
    # the body begins at a boundary of its own units
    room = (OCTETS - HEADER) * 8 // bits
    count, used = 1, 0
    for sign in signs:
        if used + len(sign) > room:
            count, used = count + 1, 0
        used += len(sign)
    return count


def _septets(text: str) -> list[list[int]] | None:
    assert len(BASIC) == 128
    basic = {chr(point): [place] for place, point in enumerate(BASIC) if point is not None}
    escaped = {chr(point): [ESCAPE, place] for place, point in EXTENSION.items()}
    known = {**escaped, **basic}
    return [known[each] for each in text] if known.keys() >= set(text) else None


def _utf_16(each: str) -> list[int]:
    octets = each.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(octets[at : at + 2]) for at in range(0, len(octets), 2)]
