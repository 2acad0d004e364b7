"""Planted defects of the Redis store: each turns a test of its red, which proves that the test looks.

Rules of this file: what is planted is taken back by pytest's monkeypatch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from otpcore.errors import StoreError

__all__ = ["Planted", "is_red"]


class Planted(NamedTuple):
    """A defect, and who catches it.

    Attributes:
        sentence: what is wrong.
        owner: of what is exchanged: a class or a module.
        name: what is exchanged.
        by: what it is exchanged for.
        caught: the test that turns red.
    """

    sentence: str
    owner: Any
    name: str
    by: Any
    caught: Callable[..., None]


def is_red(planted: Planted, request: pytest.FixtureRequest, **given: Any) -> bool:
    """Whether the test fails with the defect; its other arguments are fixtures."""
    asked = {
        name: request.getfixturevalue(name)
        for name in inspect.signature(planted.caught).parameters
        if name not in given
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted.owner, planted.name, planted.by)
        try:
            planted.caught(**asked, **given)
        except (AssertionError, StoreError, pytest.fail.Exception):
            return True
    return False
