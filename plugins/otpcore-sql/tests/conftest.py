"""Servers that the tests of one worker may hurt; each test finds them started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.sql_servers import MariaDB, PostgreSQL, Server, place_of

SERVERS = {"postgresql": PostgreSQL, "mariadb": MariaDB}


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """By kind, started at the first use."""
    with ExitStack() as opened:

        class Started(dict[str, Server]):
            def __missing__(self, kind: str) -> Server:
                self[kind] = SERVERS[kind](opened.enter_context(place_of(kind)))
                opened.callback(self[kind].stop)
                return self[kind]

        yield Started()
