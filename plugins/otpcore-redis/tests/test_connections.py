"""The blocking store's connections: whose they are, and when one is used no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otpcore.errors import StoreUnavailable
from otpcore_redis import connections
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Server
from tests.redis_stores import Both

CHILD = Path(__file__).with_name("fork_child.py")


def forked(url: str, keep: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), url, keep], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_child_uses_connections_of_its_own(server: Server) -> None:
    """Parent and child make 60 commits and loads each at once, after the parent has used the store and forked."""
    done = forked(server.url, "let go")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_child_that_kept_its_parents_connection_is_seen(server: Server) -> None:
    """The control of the test before."""
    assert forked(server.url, "keep").returncode == 1


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(server: Server) -> None:
    with Both("blocking", server.url) as store:
        version = store.put("a", b"1")
        server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert isinstance(store.put("a", b"2", version), str)


def test_calls_use_one_connection_where_one_is_enough(server: Server) -> None:
    with Both("blocking", server.url) as store, server.client() as raw:
        store("load", "a")
        before = raw.info("stats")["total_connections_received"]
        for _ in range(20):
            store("load", "a")
        assert raw.info("stats")["total_connections_received"] == before


def test_who_finds_every_connection_in_use_is_told_so_in_time(server: Server) -> None:
    with Both("blocking", server.url, connections=1, timeout_s=0.2) as store:
        store("load", "a")
        (pool,) = store.store._wire._pools.values()
        held = pool.take()
        with pytest.raises(StoreUnavailable):
            store("load", "a")
        pool.give(held, sound=True)
        assert store("load", "a") is None


CLOSED = test_a_connection_that_the_server_closed_meanwhile_is_not_used_again


def unseen(_connection: object) -> bool:
    return False


def test_a_connection_used_without_a_look_is_seen(request: pytest.FixtureRequest) -> None:
    """The control of the test that has the server close one."""
    assert is_red(Planted("no look", connections, "_is_stale", unseen, CLOSED), request)
