"""A server for the tests that do not hurt it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis_servers import Server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.stop()
