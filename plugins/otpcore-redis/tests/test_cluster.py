"""A cluster of three nodes: who has a key is found, followed when it moves, and sent nothing twice."""

from __future__ import annotations

import inspect
import secrets
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.ports import Conflict, Versioned
from otpcore_redis import cluster as way
from tests.redis_groups import Cluster
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Server, until
from tests.redis_stores import COLOURS, Both, request


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that may be hurt."""
    made = Cluster(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def prefix() -> str:
    return f"test:{secrets.token_hex(6)}:"


def told(answer: Any) -> Any:
    """The data, or what kind of error it is."""
    return answer.data if isinstance(answer, Versioned) else answer.__class__


class Migration:
    """A slot on its way from one node to another."""

    def __init__(self, cluster: Cluster, slot: int, source: int, target: int) -> None:
        self.slot, self.cluster = slot, cluster
        self.source, self.target = cluster.nodes[source], cluster.nodes[target]
        self.target_id = self.target.ask("CLUSTER", "MYID")
        self.target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self.source.ask("CLUSTER", "MYID"))
        self.source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self.target_id)

    def move(self, *keys: str) -> None:
        self.source.ask("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)

    def finish(self) -> None:
        left = self.source.ask("CLUSTER", "GETKEYSINSLOT", self.slot, 1000)
        if left:
            self.move(*(key.decode() for key in left))
        for node in (self.target, self.source):
            node.ask("CLUSTER", "SETSLOT", self.slot, "NODE", self.target_id)


@contextmanager
def moving(cluster: Cluster, slot: int) -> Generator[Migration]:
    """A slot on its way from the first node to the last; in the end it is back, whatever happened."""
    migration = Migration(cluster, slot, 0, 2)
    try:
        yield migration
    finally:
        migration.finish()
        Migration(cluster, slot, 2, 0).finish()


def same_slot(prefix: str, count: int) -> list[str]:
    """Keys of one slot, which a tag in braces keeps together, on the first node."""
    tag = next(f"t{n}" for n in range(10_000) if key_slot(f"t{n}".encode()) < 5000)
    return [f"{{{tag}}}{prefix}{number}" for number in range(count)]


def test_a_batch_goes_to_every_node_once(cluster: Cluster, prefix: str, colour: str) -> None:
    keys = [cluster.key_of(number, prefix, name) for number in range(3) for name in "abc"]
    with Both(colour, cluster.url, prefix=prefix) as store:
        store.put_many(*(request(f"{key}warm", b"1") for key in keys))
        store("load_many", keys)
        before = [proxy.trips for proxy in cluster.proxies]
        versions = store.put_many(*(request(key, key.encode()) for key in keys))
        found = store("load_many", [*keys, "absent"])
        assert [each.trips - trips for each, trips in zip(cluster.proxies, before, strict=True)] == [2, 2, 2]
    assert [(each.data, each.version) for each in found[:-1]] == [
        (key.encode(), version) for key, version in zip(keys, versions, strict=True)
    ]
    assert found[-1] is None


def test_only_the_node_that_forgot_the_script_is_taught_it(cluster: Cluster, prefix: str, colour: str) -> None:
    keys = [cluster.key_of(number, prefix) for number in range(3)]
    with Both(colour, cluster.url, prefix=prefix) as store:
        versions = store.put_many(*(request(key, b"1") for key in keys))
        cluster.nodes[1].ask("SCRIPT", "FLUSH")
        before = [proxy.trips for proxy in cluster.proxies]
        given = store.put_many(*(request(key, b"2", version) for key, version in zip(keys, versions, strict=True)))
        assert all(isinstance(each, str) for each in given)
        assert [each.trips - trips for each, trips in zip(cluster.proxies, before, strict=True)] == [1, 2, 1]


def test_an_answer_that_is_lost_leaves_the_commit_unknown_and_was_sent_once(
    cluster: Cluster, prefix: str, colour: str
) -> None:
    key = cluster.key_of(1, prefix)
    with Both(colour, cluster.url, prefix=prefix) as store:
        first = store.put(key, b"1")
        for proxy in cluster.proxies:
            proxy.sent.clear()
            proxy.loses = lambda _: True
        with pytest.raises(CommitUnknown):
            store.put(key, b"2", first)
        sent = b"".join(data for proxy in cluster.proxies for data in proxy.sent)
        assert sent.count(b"EVAL") == 1
        with pytest.raises(StoreUnavailable):
            store("load", key)
        for proxy in cluster.proxies:
            proxy.loses = lambda _: False
        assert store("load", key).data == b"2"
        assert isinstance(store.put(key, b"3", first), Conflict)


def test_a_slot_that_moves_is_followed(cluster: Cluster, prefix: str, colour: str) -> None:
    """On its way some keys are there, some are not, and new ones are made where it goes."""
    moved, stays, absent, later = keys = same_slot(prefix, 4)
    with Both(colour, cluster.url, prefix="") as store, cluster.nodes[2].client() as target:
        old = store.put_many(request(moved, b"m"), request(stays, b"s"))
        with moving(cluster, key_slot(moved.encode())) as migration:
            migration.move(moved)
            assert [getattr(each, "data", each) for each in store("load_many", keys[:3])] == [b"m", b"s", None]
            new = store.put_many(request(moved, b"m2", old[0]), request(stays, b"s2", old[1]), request(absent, b"a"))
            assert all(isinstance(each, str) for each in new)
            migration.finish()
            found = store("load_many", keys[:3])
            assert all(isinstance(each, Versioned) for each in found)
            assert [(each.data, each.version) for each in found] == list(zip([b"m2", b"s2", b"a"], new, strict=True))
            before = cluster.proxies[0].trips
            store.put(later, b"1")
            assert cluster.proxies[0].trips <= before + 1  # to learn the new owners
            assert min(target.pttl(key) for key in keys) > 0


def test_a_counter_in_a_slot_that_moves_loses_and_doubles_nothing(cluster: Cluster, prefix: str, colour: str) -> None:
    """One writer by compare-and-swap while the slot goes there and back, four times."""
    key, over = same_slot(prefix, 1)[0], threading.Event()
    done: list[int] = []

    def migrate() -> None:
        try:
            for source, target in ((0, 1), (1, 0)) * 2:
                Migration(cluster, key_slot(key.encode()), source, target).finish()
        finally:
            over.set()

    with Both(colour, cluster.url, prefix="") as store:
        version = store.put(key, b"0")
        thread = threading.Thread(target=migrate)
        thread.start()
        while not over.is_set():
            version = store.put(key, b"%d" % (len(done) + 1), version)
            assert not isinstance(version, Conflict), version
            done.append(1)
        thread.join()
        assert store("load", key).data == b"%d" % len(done)
    assert done


def test_a_node_that_dies_takes_its_slots_alone(own: Cluster, opened: Callable[..., Both]) -> None:
    keys = [own.key_of(number) for number in range(3)]
    stores = [opened(colour, own.url, timeout_s=1) for colour in COLOURS]
    versions = stores[0].put_many(*(request(key, b"1") for key in keys))
    assert [each.version for each in stores[1]("load_many", keys)] == versions
    own.nodes[1].kill()
    own.proxies[1].close()
    for store in stores:
        for _ in range(3):
            found = store("load_many", keys)
            assert [told(each) for each in found] == [b"1", StoreUnavailable, b"1"]
        given = store.put_many(*(request(key, b"1", version) for key, version in zip(keys, versions, strict=True)))
        assert isinstance(given[1], StoreUnavailable)
        versions = [given[0], versions[1], given[2]]
        assert all(isinstance(each, str) for each in versions)
        with pytest.raises(StoreUnavailable):
            store("scan", "", 10)
        with pytest.raises(StoreUnavailable):
            store("sweep", datetime.now(UTC), limit=10)


def test_a_replica_that_takes_over_is_found(own: Cluster, tmp_path: Path, opened: Callable[..., Both]) -> None:
    with own.replica_of(0, tmp_path / "replica") as replica:
        keys = [own.key_of(0, name=colour) for colour in COLOURS]
        stores = [opened(colour, own.url) for colour in COLOURS]
        versions = [store.put(key, b"1") for store, key in zip(stores, keys, strict=True)]
        until(lambda: replica.ask("DBSIZE") == len(COLOURS), "the replica has both")
        own.nodes[0].kill()
        own.proxies[0].close()
        for store, key, version in zip(stores, keys, versions, strict=True):
            with pytest.raises((StoreUnavailable, CommitUnknown)):
                store.put(key, b"2", version)
        replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        own.agree({replica.port, own.proxies[1].port, own.proxies[2].port}, own.nodes[1:])
        for store, key, version in zip(stores, keys, versions, strict=True):
            assert store("load", key).version == version
            assert isinstance(store.put(key, b"2", version), str)


def test_nobody_there_is_unavailable(tmp_path: Path, colour: str) -> None:
    server = Server(tmp_path)
    with Both(colour, f"redis+cluster://127.0.0.1:{server.port}") as store:
        with pytest.raises(StoreUnavailable, match="cluster support disabled"):
            store("load", "a")
        server.stop()
        calls: list[Any] = [
            lambda: store("load", "a"),
            lambda: store.put("a", b"1"),
            lambda: store("scan", "", 5),
            lambda: store("examine"),
        ]
        for call in calls:
            with pytest.raises(StoreUnavailable, match="tells its slots"):
                call()


def test_records_of_all_nodes_are_walked_in_order_and_swept(cluster: Cluster, prefix: str, colour: str) -> None:
    with Both(colour, cluster.url, prefix=prefix) as store:
        keys = sorted(f"k{number:03}" for number in range(60))
        for key in keys:
            gone = datetime.now(UTC) - timedelta(hours=1)
            store("commit", key, b"1", expect=None, gc_at=gone)
        assert {cluster.owner(prefix + key) for key in keys} == {0, 1, 2}
        walked: list[str] = []
        while page := store("scan", walked[-1] if walked else "", 7):
            walked += [key for key, _ in page]
        assert walked == keys
        assert store("sweep", datetime.now(UTC), limit=25) == 25
        assert store("sweep", datetime.now(UTC), limit=100) == 35
        assert store("scan", "", 5) == []


def not_followed(_cluster: Any, _node: Any, _answer: Any) -> None:
    return None


def first(_key: bytes) -> int:
    return 0


def none_alone(route: Any, keys: Any, commands: Any, *, writes: bool) -> Any:
    """The defect: with the command of one node, those of the others are given up."""
    answers = yield from by_itself(route, keys, commands, writes=writes)
    failed = [answer for answer in answers if isinstance(answer, StoreUnavailable)]
    return failed[:1] * len(answers) if failed else answers


by_itself = way.Cluster.send

PLANTED = [
    Planted("not followed", way.Cluster, "_onward", not_followed, test_a_slot_that_moves_is_followed),
    Planted("not asking", way, "ASKING", (b"PING",), test_a_slot_that_moves_is_followed),
    Planted("taught all", way, "key_slot", first, test_a_batch_goes_to_every_node_once),
    Planted("none alone", way.Cluster, "send", none_alone, test_a_node_that_dies_takes_its_slots_alone),
    Planted("not looked for", way.Cluster, "_onward", not_followed, test_a_replica_that_takes_over_is_found),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.sentence)
def test_a_planted_defect_is_caught(planted: Planted, request: pytest.FixtureRequest) -> None:
    given = {"colour": "blocking"} if "colour" in inspect.signature(planted.caught).parameters else {}
    assert is_red(planted, request, **given)
