"""What the audit log was told, and a crowd of threads, for the tests of the engines."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from otpcore.engine import audit
from tests.engine.crowd import Crowd


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the audit log was told, line by line."""
    told: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    handler = Keep()
    before = audit.AUDIT.level
    audit.AUDIT.addHandler(handler)
    audit.AUDIT.setLevel(logging.INFO)
    yield told
    audit.AUDIT.removeHandler(handler)
    audit.AUDIT.setLevel(before)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Nobody is left waiting at the end."""
    made = Crowd()
    yield made
    made.gated.free = True
    made.pool.shutdown()
