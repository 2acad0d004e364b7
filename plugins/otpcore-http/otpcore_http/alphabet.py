"""Which texts a telephone network carries in its own alphabet.

Rules of this file: a table and a question about it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["is_gsm"]

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"  # the alphabet's own letters
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = "\f^{}\\[~]|€"
_ALPHABET: Final = frozenset(_BASIC + _EXTENSION)
"""The default alphabet and its extension table (3GPP TS 23.038, 6.2.1 and 6.2.1.1)."""


def is_gsm(text: str) -> bool:
    """Whether the default alphabet has every character."""
    return _ALPHABET.issuperset(text)
