"""Several records on one trip: each is answered by itself, and what is lost on the way is told as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from otpcore.errors import CommitUnknown, StoreFormatError, StoreFull, StoreUnavailable
from otpcore.ports import Conflict
from otpcore_redis import records, wire
from otpcore_redis.wire import Wire
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Proxy, Server
from tests.redis_stores import Both, request

LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
OLD_OOM = b"-ERR Error running script (call to f_1): @user_script:9: @user_script: 9: -OOM command not allowed\r\n"


def test_a_batch_is_one_trip_and_answers_in_order(server: Server, proxy: Proxy, colour: str) -> None:
    with Both(colour, proxy.url) as store:
        store("load_many", ["warm"])
        store.put("warm", b"1")
        before = proxy.trips
        versions = store.put_many(*(request(f"k{n}", b"%d" % n) for n in range(20)))
        assert proxy.trips == before + 1
        found = store("load_many", [f"k{n}" for n in range(21)])
        assert proxy.trips == before + 2
    assert [(each.data, each.version) for each in found[:20]] == [(b"%d" % n, versions[n]) for n in range(20)]
    assert found[20] is None


def test_one_that_is_refused_leaves_the_others_as_they_are(server: Server, colour: str) -> None:
    with Both(colour, server.url) as store:
        stands = store.put("conflict", b"0")
        with server.client() as raw:
            raw.lpush("otpcore:list", "x")
            raw.set("otpcore:foreign", "x" * 100)
        keys = ["a", "list", "foreign", "conflict", "b"]
        given = store.put_many(*(request(key, b"1") for key in keys))
        assert isinstance(given[1], StoreUnavailable)
        assert "WRONGTYPE" in str(given[1])
        assert isinstance(given[2], StoreFormatError)
        assert isinstance(given[3], Conflict)
        assert given[3].current is not None
        assert given[3].current.version == stands
        found = store("load_many", keys)
        assert [type(each) for each in found[1:3]] == [StoreUnavailable, StoreFormatError]
        assert [(found[index].data, found[index].version) for index in (0, 4)] == [(b"1", given[0]), (b"1", given[4])]


def test_a_batch_whose_answers_are_lost_is_unknown_and_is_sent_once(server: Server, proxy: Proxy, colour: str) -> None:
    with Both(colour, proxy.url) as store:
        store.put("warm", b"1")
        proxy.sent.clear()
        proxy.loses = lambda _: True
        given = store.put_many(*(request(f"k{n}", b"1") for n in range(3)))
        assert [type(each) for each in given] == [CommitUnknown] * 3
        assert b"".join(proxy.sent).count(b"EVALSHA") == 3
        assert [type(each) for each in store("load_many", ["k0", "k1"])] == [StoreUnavailable] * 2
        proxy.loses = lambda _: False
        assert [each.data for each in store("load_many", ["k0", "k1", "k2"])] == [b"1"] * 3


def test_a_server_that_forgot_the_script_is_taught_it_with_one_more_trip(
    server: Server, proxy: Proxy, colour: str
) -> None:
    with Both(colour, proxy.url) as store:
        store.put("warm", b"1")
        server.ask("SCRIPT", "FLUSH")
        before = proxy.trips
        given = store.put_many(*(request(f"k{n}", b"1") for n in range(3)))
        assert all(isinstance(each, str) for each in given)
        assert proxy.trips == before + 2


@pytest.mark.parametrize(("said", "meant"), [(LOADING, StoreUnavailable), (OLD_OOM, StoreFull)])
def test_what_a_server_refuses_is_not_applied_and_the_connection_stays(
    proxy: Proxy, colour: str, said: bytes, meant: type[Exception]
) -> None:
    """The answers that a server of these tests cannot be brought to give are put into its mouth."""
    with Both(colour, proxy.url) as store:
        store.put("warm", b"1")
        proxy.says = lambda _: said * 2
        given = store.put_many(request("a", b"1"), request("b", b"1"))
        assert [type(each) for each in given] == [meant] * 2
        proxy.says = bytes
        connections = proxy.connections
        assert isinstance(store.put("c", b"1"), str)
        assert proxy.connections == connections


def test_a_primary_that_was_demoted_is_left_for_its_successor(server: Server, proxy: Proxy, colour: str) -> None:
    """Whoever stands behind one address: the connection to who is a replica now is not used again."""
    with Server(server.folder / "successor") as successor, Both(colour, proxy.url) as store:
        store.put("a", b"1")
        server.ask("REPLICAOF", "127.0.0.1", successor.port)
        proxy.port_behind = successor.port
        with pytest.raises(StoreUnavailable, match="READONLY"):
            store.put("b", b"1")
        assert isinstance(store.put("b", b"1"), str)


def sent_again(wire: Any, parcels: Any) -> Any:
    """What a client with retries does."""
    answers = CARRY(wire, parcels)
    return CARRY(wire, parcels) if any(isinstance(each, CommitUnknown) for each in answers[0]) else answers


def nothing(_answer: Any) -> None:
    return None


CARRY: Any = vars(Wire)["_carry"]
PLANTED = [
    Planted("sent again", Wire, "_carry", sent_again, test_a_batch_whose_answers_are_lost_is_unknown_and_is_sent_once),
    Planted("demoted and kept", wire, "is_demoted", bool, test_a_primary_that_was_demoted_is_left_for_its_successor),
    Planted("one for all", records, "_loaded", nothing, test_one_that_is_refused_leaves_the_others_as_they_are),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.sentence)
def test_a_planted_defect_is_caught(planted: Planted, request: pytest.FixtureRequest) -> None:
    assert is_red(planted, request, colour="blocking")
