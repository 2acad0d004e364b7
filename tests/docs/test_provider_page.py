"""The provider of the page is as short as the page says a provider is, and keeps the kit (test_pages runs the kit)."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "write-a-provider.md"


def test_a_provider_over_rest_fits_in_sixty_lines() -> None:
    found = re.search(r"```python file=pigeon\.py\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert 0 < len(found[1].splitlines()) <= 60
