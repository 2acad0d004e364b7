"""What the tests of the SMPP provider share: an SMSC, and a provider of each colour that is bound to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.smpp_lines import COLOURS, Line, settings_of
from tests.smsc import Smsc


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as smsc:
        yield smsc


@pytest.fixture(params=COLOURS)
def line(request: pytest.FixtureRequest, smsc: Smsc) -> Iterator[Line]:
    with Line(request.param, settings_of(smsc.port)) as line:
        yield line


@pytest.fixture(params=COLOURS)
def line_with(request: pytest.FixtureRequest, smsc: Smsc) -> Iterator[Callable[..., Line]]:
    """Makes lines with other settings."""
    made: list[Line] = []

    def make(**changes: Any) -> Line:
        made.append(Line(request.param, settings_of(smsc.port, **changes)))
        return made[-1]

    yield make
    for line in made:
        line.__exit__()
