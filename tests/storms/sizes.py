"""How large a storm is: small in CI, over every store in both colours; the requirement's figure under `nightly`.

Rules of this file: sizes, and nothing else.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.places import KINDS

__all__ = ["sized"]


def sized(memory: Any, others: Any, full: Any) -> list[Any]:
    """Pairs of a kind and a size.

    Args:
        memory: in CI, over the memory store, where a round costs nothing but the processor.
        others: in CI, over every other store.
        full: nightly, over all.
    """
    small = [pytest.param(kind, memory if kind.startswith("memory") else others, id=kind) for kind in KINDS]
    return small + [pytest.param(kind, full, id=f"{kind}-full", marks=pytest.mark.nightly) for kind in KINDS]
