"""Views for operators; see docs/stores/sql.md.

Rules of this file: text of SQL alone, by dialect.
"""

from __future__ import annotations

__all__ = ["views"]


def views(dialect: str, prefix: str) -> list[str]:
    """What version 2 of the schema adds."""
    return []
