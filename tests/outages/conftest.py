"""Servers of a worker's own, which its tests may hurt; each finds them started, with settings that lose nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import redis_servers, sql_servers
from tests.outages.trouble import Served
from tests.places import Place, redis

LASTING = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """By store, started at the first use."""
    started: dict[str, Any] = {}
    with ExitStack() as opened:

        def server(store: str) -> Any:
            if store not in started:
                folder: Path = tmp_path_factory.mktemp("redis")
                if store == "redis":
                    started[store] = redis_servers.Server(folder, *LASTING)
                else:
                    made = sql_servers.PostgreSQL if store == "postgresql" else sql_servers.MariaDB
                    started[store] = made(opened.enter_context(sql_servers.place_of(store)))
                opened.callback(started[store].stop)
            return started[store]

        yield server


@pytest.fixture
def served_by(servers: Callable[[str], Any]) -> Callable[[str], Served]:
    """A new place on the server of a store, of `tests.places.SERVED`."""

    def make(store: str) -> Served:
        server = servers(store)
        if store == "redis":
            return Served(server, redis(server.url))
        return Served(server, Place(store, server.url, f"t{secrets.token_hex(6)}"))

    return make
