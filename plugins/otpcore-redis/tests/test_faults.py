"""A server that stops, forgets, refuses or is cut off: what is told is true, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from otpcore.errors import CommitUnknown, ConfigurationError, StoreFormatError, StoreFull, StoreUnavailable
from otpcore.ports import Conflict, Version
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build, build_async
from tests.redis_servers import Proxy, Server

COLOURS = ["blocking", "awaiting"]
LATER = datetime.now(UTC) + timedelta(hours=1)


def always(_data: bytes) -> bool:
    return True


def never(_data: bytes) -> bool:
    return False


class Both:
    """A store of either colour, asked as if it were blocking."""

    def __init__(self, colour: str, url: str, **given: Any) -> None:
        settings = RedisSettings(url=SecretStr(url), **given)
        self.runner = asyncio.Runner() if colour == "awaiting" else None
        self.store: Any = build(settings) if self.runner is None else build_async(settings)

    def __call__(self, method: str, *given: Any, **named: Any) -> Any:
        call = getattr(self.store, method)
        return call(*given, **named) if self.runner is None else self.runner.run(call(*given, **named))

    def put(self, key: str, data: bytes | None, expect: Version | None = None) -> Any:
        return self("commit", key, data, expect=expect, gc_at=LATER)

    def close(self) -> None:
        self("close")
        if self.runner is not None:
            self.runner.close()


def client(server: Server) -> Any:
    """An administrator's."""
    return redis.Redis(port=server.port)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    made = Proxy(server.port)
    yield made
    made.close()


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_a_server_that_was_started_anew_is_taught_the_script(server: Server, colour: str) -> None:
    store = Both(colour, server.url)
    version = store.put("a", b"1")
    raw: Any = redis.Redis(port=server.port)
    raw.script_flush()
    second = store.put("a", b"2", version)
    assert store("load", "a").version == second
    server.kill()
    server.start()
    try:
        outcome = store.put("a", b"3", second)
    except (StoreUnavailable, CommitUnknown):
        outcome = Conflict(None)
    assert outcome == Conflict(None)  # it kept nothing on disk
    assert isinstance(store.put("b", b"1"), str)
    raw.close()
    store.close()


def test_every_key_has_a_lifetime_whichever_way_it_was_written(server: Server, colour: str) -> None:
    store = Both(colour, server.url)
    version = store.put("a", b"1")
    store.put("a", b"2", version)
    store.put("a", b"3", version)  # refused
    store("commit", "b", b"1", expect=None, gc_at=datetime.now(UTC) - timedelta(days=9))
    store("commit", "c", b"1", expect=None, gc_at=datetime.now(UTC) + timedelta(days=400))
    with client(server) as raw:
        left = {key.decode(): raw.ttl(key) / 86_400 for key in raw.keys("*")}
    assert left == {
        "otpcore:a": pytest.approx(1 + 1 / 24, abs=0.01),
        "otpcore:b": pytest.approx(1, abs=0.01),
        "otpcore:c": pytest.approx(401, abs=0.01),
    }
    store.close()


def test_a_server_that_is_not_there_is_unavailable_and_nothing_is_applied(tmp_path: Path, colour: str) -> None:
    server = Server(tmp_path)
    store = Both(colour, server.url)
    server.stop()
    asks: list[Callable[[], Any]] = [
        lambda: store("load", "a"),
        lambda: store.put("a", b"1"),
        lambda: store("scan", "", 5),
    ]
    for ask in asks:
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            ask()
    server.start()
    assert store("load", "a") is None
    store.close()
    server.stop()


def test_an_answer_that_is_lost_leaves_the_commit_unknown_and_a_load_tells(
    server: Server, proxy: Proxy, colour: str
) -> None:
    store = Both(colour, proxy.url)
    first = store.put("a", b"1")
    proxy.loses = always
    with pytest.raises(CommitUnknown):
        store.put("a", b"2", first)
    with pytest.raises(StoreUnavailable):
        store("load", "a")
    proxy.loses = never
    assert store("load", "a").data == b"2"
    assert isinstance(store.put("a", b"3", first), Conflict)
    store.close()


def test_a_server_without_memory_is_full_and_what_stands_stays(server: Server, colour: str) -> None:
    store = Both(colour, server.url)
    version = store.put("a", b"1")
    with client(server) as raw:
        raw.config_set("maxmemory", "1")
        raw.config_set("maxmemory-policy", "noeviction")
        with pytest.raises(StoreFull):
            store.put("b", b"1")
        raw.config_set("maxmemory", "0")
    assert store("load", "a").version == version
    assert store("load", "b") is None
    store.close()


def test_a_replica_refuses_and_nothing_is_applied(server: Server, tmp_path: Path, colour: str) -> None:
    folder = tmp_path / "replica"
    folder.mkdir()
    replica = Server(folder, "--replicaof", "127.0.0.1", str(server.port))
    store = Both(colour, replica.url)
    with pytest.raises(StoreUnavailable, match="refused"):
        store.put("a", b"1")
    store.close()
    replica.stop()


def test_what_others_wrote_is_told_and_not_overwritten(server: Server, colour: str) -> None:
    store = Both(colour, server.url)
    with client(server) as raw:
        for value in (b"", b"short", b"x" * 100):
            raw.set("otpcore:a", value)
            with pytest.raises(StoreFormatError):
                store("load", "a")
            with pytest.raises(StoreFormatError):
                store.put("a", b"1")
            assert raw.get("otpcore:a") == value
        raw.delete("otpcore:a")
        raw.lpush("otpcore:a", "x")
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            store("load", "a")
    store.close()


def together(proxy: Proxy, calls: int) -> int:
    """Trips that this many loads took, all asked while one was on the wire."""
    store = build(RedisSettings(url=SecretStr(proxy.url)))
    store.load("warm")
    gate, go = threading.Event(), threading.Event()

    def holds(_data: bytes) -> bool:
        gate.set()
        assert go.wait(20)
        return False

    proxy.loses = holds
    before = proxy.trips
    first = threading.Thread(target=store.load, args=("first",))
    first.start()
    assert gate.wait(20)
    others = [threading.Thread(target=store.load, args=(f"k{n}",)) for n in range(calls)]
    for each in others:
        each.start()
    waiting: list[Any] = vars(store)["_combiner"]._waiting
    while len(waiting) < calls:
        pass
    proxy.loses = never
    go.set()
    for each in (first, *others):
        each.join(20)
    store.close()
    return proxy.trips - before


def test_calls_that_wait_for_one_trip_share_the_next(proxy: Proxy) -> None:
    assert together(proxy, 20) == 2


def test_a_url_that_is_none_is_refused_and_not_shown() -> None:
    for make in (build, build_async):
        with pytest.raises(ConfigurationError) as refused:
            make(RedisSettings(url=SecretStr("http://:secret@127.0.0.1")))
        assert "secret" not in str(refused.value)
