"""A server that stops, forgets, refuses or is cut off: what is told is true, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import connection
from redis.asyncio import connection as aio_connection

from otpcore.errors import CommitUnknown, StoreFormatError, StoreFull, StoreUnavailable
from otpcore.ports import Conflict
from otpcore_redis import RedisSettings, wire
from otpcore_redis.settings import build_async
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Proxy, Server
from tests.redis_stores import Both

Opened = Callable[..., Both]


def always(_data: bytes) -> bool:
    return True


def never(_data: bytes) -> bool:
    return False


def test_a_server_that_was_started_anew_is_taught_the_script(server: Server, colour: str, opened: Opened) -> None:
    store = opened(colour, server.url)
    version = store.put("a", b"1")
    server.ask("SCRIPT", "FLUSH")
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


def test_every_key_has_a_lifetime_whichever_way_it_was_written(server: Server, colour: str, opened: Opened) -> None:
    store = opened(colour, server.url)
    version = store.put("a", b"1")
    store.put("a", b"2", version)
    store.put("a", b"3", version)  # refused
    store("commit", "b", b"1", expect=None, gc_at=datetime.now(UTC) - timedelta(days=9))
    store("commit", "c", b"1", expect=None, gc_at=datetime.now(UTC) + timedelta(days=400))
    with server.client() as raw:
        left = {key.decode(): raw.ttl(key) / 86_400 for key in raw.keys("*")}
    assert left == {
        "otpcore:a": pytest.approx(1 + 1 / 24, abs=0.01),
        "otpcore:b": pytest.approx(1, abs=0.01),
        "otpcore:c": pytest.approx(401, abs=0.01),
    }


def test_a_server_that_is_not_there_is_unavailable_and_nothing_is_applied(
    tmp_path: Path, colour: str, opened: Opened
) -> None:
    server = Server(tmp_path)
    store = opened(colour, server.url)
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
    server.stop()


def test_an_answer_that_is_lost_leaves_the_commit_unknown_and_a_load_tells(
    server: Server, proxy: Proxy, colour: str, opened: Opened
) -> None:
    store = opened(colour, proxy.url)
    first = store.put("a", b"1")
    proxy.loses = always
    with pytest.raises(CommitUnknown):
        store.put("a", b"2", first)
    with pytest.raises(StoreUnavailable):
        store("load", "a")
    proxy.loses = never
    assert store("load", "a").data == b"2"
    assert isinstance(store.put("a", b"3", first), Conflict)


def test_a_server_without_memory_is_full_and_what_stands_stays(server: Server, colour: str, opened: Opened) -> None:
    store = opened(colour, server.url)
    version = store.put("a", b"1")
    with server.client() as raw:
        raw.config_set("maxmemory", "1")
        raw.config_set("maxmemory-policy", "noeviction")
        with pytest.raises(StoreFull):
            store.put("b", b"1")
        raw.config_set("maxmemory", "0")
    assert store("load", "a").version == version
    assert store("load", "b") is None


def test_a_replica_refuses_and_nothing_is_applied(server: Server, tmp_path: Path, colour: str, opened: Opened) -> None:
    folder = tmp_path / "replica"
    folder.mkdir()
    replica = Server(folder, "--replicaof", "127.0.0.1", str(server.port))
    store = opened(colour, replica.url)
    with pytest.raises(StoreUnavailable, match="refused"):
        store.put("a", b"1")
    replica.stop()


def test_what_others_wrote_is_told_and_not_overwritten(server: Server, colour: str, opened: Opened) -> None:
    store = opened(colour, server.url)
    with server.client() as raw:
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


def test_a_connection_that_breaks_while_a_commit_is_sent_leaves_it_unknown(
    server: Server, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of it may have reached the server, and the whole of it too."""
    module: Any = connection if colour == "blocking" else aio_connection

    def broken(*_: Any, **__: Any) -> Any:
        raise BrokenPipeError

    with Both(colour, server.url) as store:
        version = store.put("a", b"1")
        with monkeypatch.context() as planted:
            planted.setattr(module.AbstractConnection, "send_packed_command", broken)
            with pytest.raises(CommitUnknown):
                store.put("a", b"2", version)
            with pytest.raises(StoreUnavailable):
                store("load", "a")
        assert store("load", "a").version == version


LOST = test_an_answer_that_is_lost_leaves_the_commit_unknown_and_a_load_tells
BROKEN = test_a_connection_that_breaks_while_a_commit_is_sent_leaves_it_unknown
PLANTED = [
    Planted("lost, and called unapplied", wire, "unanswered", wire.unreachable, LOST),
    Planted("broken, and called unapplied", wire, "unanswered", wire.unreachable, BROKEN),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.sentence)
def test_a_planted_defect_is_caught(planted: Planted, request: pytest.FixtureRequest) -> None:
    assert is_red(planted, request, colour="blocking")


def test_who_gives_up_again_and_again_keeps_no_connection(server: Server) -> None:
    """Some frameworks cancel a task at every step until it ends; what it held is given back all the same."""

    async def given_up(store: Any) -> int:
        await asyncio.gather(*(store.load(str(number)) for number in range(2)))
        server.pause()
        load = asyncio.ensure_future(store.load("a"))
        for _ in range(20):  # turns of the loop: it has sent by then, and waits
            await asyncio.sleep(0)
        held: set[Any] = store._wire._pools[None]._in_use_connections
        assert len(held) == 1
        while not load.done():
            load.cancel()
            await asyncio.sleep(0)
        server.go_on()
        await store.close()
        return len(held)

    assert asyncio.run(given_up(build_async(RedisSettings(url=SecretStr(server.url), connections=2)))) == 0
