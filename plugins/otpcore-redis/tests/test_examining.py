"""What an operator is told of a server's settings, by real servers that have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from otpcore.errors import StoreUnavailable
from otpcore.ports import AsyncExamines, Durability, Examines, StoreRemark
from otpcore_redis.examining import Server as Told
from otpcore_redis.examining import remarks
from otpcore_redis.routes import Route
from tests.redis_groups import Cluster, pair
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Server
from tests.redis_stores import Both


def faults(found: Sequence[StoreRemark]) -> str:
    return " ".join(each.text for each in found if each.is_fault)


def notes(found: Sequence[StoreRemark]) -> str:
    return " ".join(each.text for each in found if not each.is_fault)


def test_a_store_of_either_colour_can_be_examined(redis_url: str, colour: str) -> None:
    with Both(colour, redis_url) as store:
        assert isinstance(store.store, Examines if colour == "blocking" else AsyncExamines)
        found = store("examine")
        assert not faults(found)
        assert "its restart loses everything" in notes(found)


def test_a_server_that_evicts_is_a_fault_and_so_is_one_that_is_full(server: Server, colour: str) -> None:
    with Both(colour, server.url) as store:
        server.ask("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
        assert "volatile-lru: an evicted record is a limit that is forgotten" in faults(store("examine"))
        server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.ask("CONFIG", "SET", "maxmemory", "1")
        assert "memory is full" in faults(store("examine"))


@pytest.mark.parametrize(
    ("fsync", "told", "is_kept"),
    [
        ("always", "loses nothing", True),
        ("everysec", "loses the last second", False),
        ("no", "loses what the system held back", False),
    ],
)
def test_that_writes_are_on_the_disk_is_verified(server: Server, fsync: str, told: str, is_kept: bool) -> None:
    with Both("blocking", server.url, durability=Durability.DISK) as store:
        assert "=disk is not so" in faults(store("examine"))
        server.ask("CONFIG", "SET", "appendonly", "yes")
        server.ask("CONFIG", "SET", "appendfsync", fsync)
        found = store("examine")
        assert told in notes(found)
        assert ("=disk is not so" in faults(found)) is not is_kept


def test_replicas_are_counted(tmp_path: Path, colour: str) -> None:
    primary, replica = pair(tmp_path)
    with primary, replica:
        with Both(colour, primary.url) as store:
            found = store("examine")
            assert "a failover loses what it had not received yet" in notes(found)
            assert "takes writes that will be lost" in notes(found)
            assert not faults(found)
        with Both(colour, primary.url, replicas=1) as store:
            assert "where one is lost, nothing works" in notes(store("examine"))
        with Both(colour, primary.url, replicas=2) as store:
            assert "no commit can be sure" in faults(store("examine"))
        with Both(colour, primary.url, durability=Durability.REPLICATED) as store:
            assert "no replica is waited for" in faults(store("examine"))
        with Both(colour, replica.url) as store:
            assert "It is a replica" in faults(store("examine"))


def test_what_may_not_be_asked_is_said_and_is_no_fault(server: Server, colour: str) -> None:
    server.ask("ACL", "SETUSER", "app", "on", ">word", "~*", "+@all", "-config")
    server.ask("ACL", "SETUSER", "less", "on", ">word", "~*", "+@all", "-config", "-info", "-role")
    for user, told in {"app": "CONFIG cannot be asked", "less": "INFO cannot be asked"}.items():
        with Both(colour, f"redis://{user}:word@127.0.0.1:{server.port}", durability=Durability.REPLICATED) as store:
            found = store("examine")
            assert told in notes(found)
            assert not faults(found)


def test_a_server_that_is_not_there_is_unavailable(server: Server, colour: str) -> None:
    with Both(colour, server.url) as store:
        server.stop()
        with pytest.raises(StoreUnavailable):
            store("examine")


def test_each_node_of_a_cluster_is_asked(cluster: Cluster, colour: str) -> None:
    with Both(colour, cluster.url) as store:
        found = store("examine")
        assert not faults(found)
        assert sorted(each.text.split(": ")[0] for each in found) == sorted(
            f"127.0.0.1:{proxy.port}" for proxy in cluster.proxies
        )
        cluster.nodes[1].ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert faults(store("examine")).startswith(f"127.0.0.1:{cluster.proxies[1].port}: maxmemory-policy")
        cluster.nodes[1].ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    with Both(colour, f"redis://127.0.0.1:{cluster.proxies[0].port}") as store:
        assert "say redis+cluster://" in faults(store("examine"))


WELL = {"redis_version": "7.0.15", "role": "master", "maxmemory_policy": "noeviction", "aof_enabled": "1"}


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ({"redis_version": "6.0.16"}, "Redis 6.0.16 is too old"),
        ({"server_name": "valkey", "valkey_version": "6.1.0"}, "Valkey 6.1.0 is too old"),
        ({"aof_last_write_status": "err"}, "The last write to its disk failed"),
        ({"cluster_enabled": "1"}, "The cluster is not in order"),
    ],
)
def test_what_no_server_of_these_tests_says_is_understood(info: dict[str, str], told: str) -> None:
    server = Told("", WELL | info, {"appendfsync": "always", "save": "", "min-replicas-to-write": "1"}, {})
    assert told in faults(list(remarks(server, Route(), Durability.DISK)))


def unseen(_server: Any) -> Any:
    yield from ()


def test_a_planted_defect_is_caught(request: pytest.FixtureRequest) -> None:
    from otpcore_redis import examining

    body = test_a_server_that_evicts_is_a_fault_and_so_is_one_that_is_full
    assert is_red(Planted("memory is not looked at", examining, "_memory", unseen, body), request, colour="blocking")
