"""Numbers that belong to nobody, for tests that need many.

Rule of this file: only 555-0100 to 555-0199, which are reserved for fiction in every area code.
"""

from __future__ import annotations

from typing import Final

__all__ = ["phone"]

AREAS: Final = (202, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231, 234, 239, 240, 248, 251, 252)
"""Area codes of the United States."""


def phone(number: int) -> str:
    """One of 2,000 numbers, E.164; an `IndexError` beyond them."""
    return f"+1{AREAS[number // 100]}55501{number % 100:02}"
