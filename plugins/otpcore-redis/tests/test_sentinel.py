"""A service that sentinels watch: its primary is found, and its successor when it dies."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.connection import Connection

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.ports import Conflict, Version
from otpcore_redis import primary as connections
from otpcore_redis.store import RedisStore
from tests.redis_groups import SERVICE, Watched, is_followed, pair
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Server, until
from tests.redis_stores import COLOURS, Both


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Watched]:
    """One that may be hurt."""
    made = Watched(tmp_path)
    yield made
    made.stop()


def test_a_primary_that_dies_is_followed_by_its_replica(own: Watched, opened: Callable[..., Both]) -> None:
    """A writer of each colour counts up all the while. What it is told is true: what was acknowledged stands unless the
    replica had not received it, and then the last thing before the kill is all that is gone.
    """
    stores = [opened(colour, own.url, sentinel_password=own.PASSWORD) for colour in COLOURS]
    versions = [store.put(colour, b"0") for store, colour in zip(stores, COLOURS, strict=True)]
    until(lambda: is_followed(own.primary), "the replica has both")
    own.primary.kill()
    for store, colour, version in zip(stores, COLOURS, versions, strict=True):
        with pytest.raises((StoreUnavailable, CommitUnknown)):
            store.put(colour, b"1", version)
        with pytest.raises(StoreUnavailable):
            store("load", colour)
    until(lambda: own.names(own.replica), "the sentinels name the replica")
    for store, colour, version in zip(stores, COLOURS, versions, strict=True):
        assert store("load", colour).version == version
        assert isinstance(store.put(colour, b"1", version), str)
    own.primary.start()  # as a primary of what is over, until the sentinels make it a replica
    for store, colour in zip(stores, COLOURS, strict=True):
        assert store("load", colour).data == b"1"


def test_what_was_in_flight_when_the_primary_died_is_told_as_it_is(own: Watched) -> None:
    """Increments by compare-and-swap, over the failover: each one acknowledged or unknown, and none of it twice.

    After an unknown outcome, and after the failover, which may forget what was acknowledged last, the writer looks.
    """
    with Both("blocking", own.url, sentinel_password=own.PASSWORD) as store:
        version, count = store.put("a", b"0"), 0
        killer = threading.Timer(0.05, own.primary.kill)
        killer.start()
        unknown = lost = 0
        while not own.names(own.replica) or not lost:
            try:
                answer = store.put("a", b"%d" % (count + 1), version)
            except StoreUnavailable:
                lost += 1
                continue
            except CommitUnknown:
                unknown += 1
                continue
            if isinstance(answer, Conflict):
                break
            version, count = answer, count + 1
        killer.join()
        until(lambda: own.names(own.replica), "the sentinels name the replica")
        stands = store("load", "a")
        assert count - 1 - unknown <= int(stands.data) <= count + unknown
        assert isinstance(store.put("a", b"end", stands.version), str)


def test_what_the_sentinels_name_must_call_itself_a_primary(tmp_path: Path, colour: str) -> None:
    """A sentinel that has not heard of a failover names the old primary, and what that tells is old."""
    primary, replica = pair(tmp_path)
    file = f"sentinel monitor {SERVICE} 127.0.0.1 {replica.port} 1\nsentinel down-after-milliseconds {SERVICE} 60000"
    with (
        primary,
        replica,
        Server(tmp_path / "sentinel", file=file) as sentinel,
        Both(colour, f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}") as store,
    ):
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                store("load", "a")


def test_a_name_that_no_sentinel_knows_is_unavailable(watched: Watched, colour: str) -> None:
    with (
        Both(colour, watched.url + "s", sentinel_password=watched.PASSWORD) as store,
        pytest.raises(StoreUnavailable, match="cannot be reached"),
    ):
        store("load", "a")


def test_a_sentinel_that_is_gone_is_passed_over(watched: Watched, colour: str) -> None:
    hosts = f"127.0.0.1:1,127.0.0.1:{watched.sentinels[1].port}"
    with Both(colour, f"redis+sentinel://{hosts}/{SERVICE}", sentinel_password=watched.PASSWORD) as store:
        assert store("load", "nobody") is None


def test_without_the_password_of_the_sentinels_nothing_is_found(watched: Watched, colour: str) -> None:
    with Both(colour, watched.url) as store, pytest.raises(StoreUnavailable):
        store("load", "a")


class AskedOnce(connections.PrimaryConnection):
    """The defect: the sentinels are asked for the first connection, and what they named then is kept."""

    found: tuple[str, int] | None = None

    def _connect(self) -> Any:
        if AskedOnce.found is None:
            sock = super()._connect()
            AskedOnce.found = (self.host, self.port)
            return sock
        self.host, self.port = AskedOnce.found
        return Connection._connect(self)  # type: ignore[no-untyped-call]  # redis-py's


def lying(store: RedisStore, *given: Any, **named: Any) -> Any:
    """The defect: five commits that did not arrive are acknowledged."""
    try:
        return honest(store, *given, **named)
    except StoreUnavailable:
        if LIES:
            return Version(LIES.pop())
        raise


honest = RedisStore.commit
LIES = [f"lie {number}" for number in range(5)]

PLANTED = [
    Planted("not confirmed", connections, "agreed", bool, test_what_the_sentinels_name_must_call_itself_a_primary),
    Planted(
        "asked once", connections, "PrimaryConnection", AskedOnce, test_a_primary_that_dies_is_followed_by_its_replica
    ),
    Planted("lying", RedisStore, "commit", lying, test_what_was_in_flight_when_the_primary_died_is_told_as_it_is),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.sentence)
def test_a_planted_defect_is_caught(planted: Planted, request: pytest.FixtureRequest) -> None:
    given = {"colour": "blocking"} if "colour" in inspect.signature(planted.caught).parameters else {}
    assert is_red(planted, request, **given)
