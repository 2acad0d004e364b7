"""What is left unclosed is told in the file that left it; see `tests/conftest.py` for what tests may ask for."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


def pytest_collection_finish() -> None:
    """Later collections pass over what stands by now (modules, 16,000 tests): each takes milliseconds."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def collected() -> Iterator[None]:
    """Collects after the last test of a file: pytest makes an error of a socket, file or pool that nobody closed.

    Else the collector meets it some hundred tests later, and the error is another's.
    """
    yield
    gc.collect()
