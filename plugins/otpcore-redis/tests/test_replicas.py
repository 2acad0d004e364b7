"""Writes that replicas must have: what is acknowledged survives the primary, and what is not is not said to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.ports import Durability
from otpcore_redis import routes, script
from otpcore_redis.routes import Route, Short
from tests.redis_groups import is_followed, pair
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Proxy, Server, until
from tests.redis_stores import Both, request

Pair = tuple[Server, Server]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Pair]:
    """A primary and its replica."""
    primary, replica = made = pair(tmp_path)
    yield made
    replica.kill()
    primary.kill()


def test_a_write_that_a_replica_has_is_replicated_in_one_trip(servers: Pair, colour: str) -> None:
    primary, replica = servers
    with Proxy(primary.port) as proxy, Both(colour, proxy.url, replicas=1) as store:
        assert store.store.capabilities.durability is Durability.REPLICATED
        store.put("warm", b"1")
        before = proxy.trips
        store.put_many(request("a", b"1"), request("b", b"1"))
        assert proxy.trips == before + 1
        assert replica.ask("EXISTS", "otpcore:a", "otpcore:b") == 2
        proxy.sent.clear()
        store("load", "a")
        assert b"WAIT" not in b"".join(proxy.sent)  # a load waits only where there is doubt


@pytest.mark.parametrize("replicas", [0, 1])
def test_what_is_acknowledged_survives_the_primary_where_a_replica_was_waited_for(
    servers: Pair, colour: str, replicas: int
) -> None:
    """The primary dies while its replica is cut off. Without waiting the acknowledged write is lost: the control."""
    primary, replica = servers
    way, acknowledged = Proxy(primary.port), ["kept"]
    replica.ask("REPLICAOF", "127.0.0.1", way.port)
    until(lambda: is_followed(primary), "the replica is connected again")
    with Both(colour, primary.url, replicas=replicas) as store:
        store.put("kept", b"1")
        until(lambda: replica.ask("EXISTS", "otpcore:kept") == 1, "the replica has the first")
        way.says = lambda _: b""
        try:
            store.put("late", b"1")
        except CommitUnknown:
            pass
        else:
            acknowledged.append("late")
        primary.kill()
        way.close()
        replica.ask("REPLICAOF", "NO", "ONE")
    with Both(colour, replica.url) as store:
        lost = [key for key in acknowledged if store("load", key) is None]
    assert lost == ([] if replicas else ["late"])


def test_a_mark_that_no_replica_has_is_not_found_in_its_place(servers: Pair, colour: str) -> None:
    """Who looks whether a commit was applied must not take for kept what the primary alone has."""
    primary, replica = servers
    with Both(colour, primary.url, replicas=1) as store:
        store.put("a", b"1")
        replica.pause()
        with pytest.raises(CommitUnknown):
            store.put("b", b"1")
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="replicas"):
                store("load", "b")
        with pytest.raises(StoreUnavailable):
            store.put("b", b"2")  # it stands, so certainly nothing is applied
        replica.go_on()
        until(lambda: is_followed(primary), "the replica is up to date")
        assert store("load", "b").data == b"1"
        assert isinstance(store.put("c", b"1"), str)


def test_a_lost_answer_is_doubted_too(servers: Pair, colour: str) -> None:
    primary, replica = servers
    with Proxy(primary.port) as proxy, Both(colour, proxy.url, replicas=1) as store:
        store.put("a", b"1")
        replica.pause()
        proxy.loses = lambda _: True
        with pytest.raises(CommitUnknown):
            store.put("b", b"1")
        proxy.loses = lambda _: False
        with pytest.raises(StoreUnavailable, match="replicas"):
            store("load", "b")
        replica.go_on()
        until(lambda: is_followed(primary), "the replica is up to date")
        assert store("load", "b").data == b"1"


def test_who_doubts_writes_before_it_waits(servers: Pair, colour: str) -> None:
    """Since Redis 7.2 WAIT answers at once on a connection that wrote nothing; what is touched stays as it is.

    On such a server `test_a_lost_answer_is_doubted_too` is red without.
    """
    primary, replica = servers
    with Proxy(primary.port) as proxy, Both(colour, proxy.url, replicas=1) as store:
        version = store.put("a", b"1")
        replica.pause()
        with pytest.raises(CommitUnknown):
            store.put("b", b"1")
        for key in ("a", "absent"):
            proxy.sent.clear()
            with pytest.raises(StoreUnavailable, match="replicas"):
                store("load", key)
            asked, _, waited = b"".join(proxy.sent).partition(script.TOUCH)
            assert b"GET" in asked
            assert b"WAIT" in waited
        replica.go_on()
        until(lambda: is_followed(primary), "the replica is up to date")
        assert store("load", "absent") is None
        assert store("load", "a").version == version
        assert 0 < primary.ask("PTTL", "otpcore:a") <= 25 * 3_600_000


def believed(_route: Any, _node: Any, answers: Any, _doubt: Any) -> Any:
    return answers[:-1]


def undoubted(_route: Any, _node: Any, answers: Any, _doubt: Any) -> Any:
    *own, acknowledged = answers
    return own if acknowledged == 1 else [each if isinstance(each, Exception) else Short(each) for each in own]


def unwritten(_command: Any) -> Any:
    return (b"PING",)


PLANTED = [
    Planted("WAIT is believed", Route, "_judged", believed, test_a_mark_that_no_replica_has_is_not_found_in_its_place),
    Planted("no doubt", Route, "_judged", undoubted, test_a_mark_that_no_replica_has_is_not_found_in_its_place),
    Planted("no write", routes, "_touch", unwritten, test_who_doubts_writes_before_it_waits),
    Planted("no doubt of a lost answer", Route, "_judged", undoubted, test_a_lost_answer_is_doubted_too),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.sentence)
def test_a_planted_defect_is_caught(planted: Planted, request: pytest.FixtureRequest) -> None:
    assert is_red(planted, request, colour="blocking")
