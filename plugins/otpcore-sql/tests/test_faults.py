"""A server that stops, dies, refuses or is cut off: what is told is true, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Version
from otpcore_sql import SQLSettings
from otpcore_sql.settings import build, build_async
from tests.redis_servers import Proxy
from tests.sql_places import Place
from tests.sql_servers import SECRET, Server

LATER = datetime.now(UTC) + timedelta(days=30)


class Both:
    """A store of either colour, asked as if it were blocking."""

    def __init__(self, server: Any, colour: str, *, port: int | None = None, **given: Any) -> None:
        url = server.url.replace(f":{server.port}/", f":{port or server.port}/")
        self.prefix = given.setdefault("prefix", f"t{secrets.token_hex(6)}")
        all_given: dict[str, Any] = {"url": SecretStr(url), "timeout_s": 10.0, **given}
        settings = SQLSettings(**all_given)
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


Opened = Callable[..., Both]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens stores, which are closed after the test, whatever became of it."""
    with ExitStack() as stack:

        def make(*given: Any, **named: Any) -> Both:
            made = Both(*given, **named)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture(params=[("postgresql", "blocking"), ("postgresql", "awaiting"), ("mariadb", "blocking")], ids="-".join)
def where(request: pytest.FixtureRequest, servers: dict[str, Server]) -> tuple[Server, str]:
    kind, colour = request.param
    return servers[kind], colour


@pytest.fixture
def proxy(where: tuple[Server, str]) -> Iterator[Proxy]:
    made = Proxy(where[0].port)
    yield made
    made.close()


def never(_data: bytes) -> bool:
    return False


def always(_data: bytes) -> bool:
    return True


def test_a_server_that_is_not_there_is_unavailable_and_nothing_is_applied(
    where: tuple[Server, str], opened: Opened
) -> None:
    server, colour = where
    store, unused = opened(server, colour), opened(server, colour)
    store.put("a", b"1")
    server.stop()
    asks: list[Callable[[], Any]] = [
        lambda: store("load", "a"),
        lambda: store.put("b", b"1"),
        lambda: store("load_many", ["a", "b"]),
        lambda: store("commit_many", [CommitRequest("b", b"1", None, LATER)]),
        lambda: store("scan", "", 5),
        lambda: store("sweep", LATER, limit=5),
        lambda: store("examine"),
        lambda: unused("load", "a"),
    ]
    try:
        for ask in asks:
            with pytest.raises(StoreUnavailable, match="cannot be reached") as refused:
                ask()
            assert refused.value.__cause__ is not None
            assert SECRET not in f"{refused.value} {refused.value.__cause__}"
    finally:
        server.start()
    assert store("load", "b") is None
    assert store("load", "a").data == b"1"


def test_the_first_call_after_a_restart_is_served_by_a_new_connection(
    where: tuple[Server, str], opened: Opened
) -> None:
    server, colour = where
    store = opened(server, colour)
    version = store.put("a", b"1")
    server.stop()
    server.start()
    second = store.put("a", b"2", version)
    assert isinstance(second, str)
    server.kill()
    server.start()
    assert store("load", "a").version == second  # acknowledged, and so on the disk


def test_without_the_look_at_an_idle_connection_the_first_call_after_a_restart_is_in_doubt(
    where: tuple[Server, str], monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    """The control of the test before."""
    server, colour = where
    store = opened(server, colour)
    version = store.put("a", b"1")
    monkeypatch.setattr(store.store._dialect, "is_stale", never)
    if colour == "blocking":
        monkeypatch.setattr(store.store._connections, "_is_stale", never)
    server.stop()
    server.start()
    with pytest.raises(CommitUnknown):
        store.put("a", b"2", version)


def test_an_answer_that_is_lost_leaves_the_commit_unknown_and_a_load_tells(
    where: tuple[Server, str], proxy: Proxy, opened: Opened
) -> None:
    server, colour = where
    store = opened(server, colour, port=proxy.port)
    first = store.put("a", b"1")
    proxy.loses = always
    with pytest.raises(CommitUnknown) as unknown:
        store.put("a", b"2", first)
    assert unknown.value.__cause__ is not None
    with pytest.raises(StoreUnavailable):
        store("load", "a")
    proxy.loses = never
    assert store("load", "a").data == b"2"
    assert isinstance(store.put("a", b"3", first), Conflict)


def test_a_batch_whose_answer_is_lost_is_unknown_as_a_whole(
    where: tuple[Server, str], proxy: Proxy, opened: Opened
) -> None:
    server, colour = where
    store = opened(server, colour, port=proxy.port)
    first = store.put("a", b"1")
    proxy.loses = always
    with pytest.raises(CommitUnknown):
        store("commit_many", [CommitRequest("a", b"2", first, LATER), CommitRequest("b", b"2", None, LATER)])
    proxy.loses = never
    found = store("load_many", ["a", "b"])
    assert [one and one.data for one in found] in ([b"2", b"2"], [b"1", None])


def test_who_waits_too_long_is_told_that_nobody_knows(where: tuple[Server, str], proxy: Proxy, opened: Opened) -> None:
    server, colour = where
    store = opened(server, colour, port=proxy.port, timeout_s=1.0)
    first = store.put("a", b"1")
    go = threading.Event()

    def held(_data: bytes) -> bool:
        assert go.wait(60)
        return True

    proxy.loses = held
    with pytest.raises(CommitUnknown):
        store.put("a", b"2", first)
    proxy.loses = never
    go.set()
    assert store("load", "a").data in (b"1", b"2")


def test_who_gives_up_leaves_no_answer_for_the_next_caller(servers: dict[str, Server], opened: Opened) -> None:
    """A task that is cancelled while its commit is on the wire: the one connection that there is is not used again."""
    proxy = Proxy(servers["postgresql"].port)
    store = opened(servers["postgresql"], "awaiting", port=proxy.port, connections=1)
    first = store.put("a", b"1")
    reached, go = threading.Event(), threading.Event()

    def held(_data: bytes) -> bool:
        reached.set()
        assert go.wait(60)
        return False

    async def gives_up() -> Any:
        task = asyncio.create_task(store.store.commit("a", b"2", expect=first, gc_at=LATER))
        await asyncio.to_thread(reached.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        proxy.loses = never
        go.set()
        return await store.store.load("b")

    proxy.loses = held
    assert store.runner is not None
    assert store.runner.run(gives_up()) is None
    assert store("load", "a").data == b"2"
    proxy.close()


def test_a_connection_that_breaks_in_a_batch_says_of_each_what_is_known(
    servers: dict[str, Server], monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    """The deletions go by themselves, after the others: the first is in doubt, the second was not asked any more."""
    store = opened(servers["postgresql"], "blocking")
    first, second = store.put("a", b"1"), store.put("b", b"1")
    dialect = store.store._dialect
    perform = dialect.perform

    def breaks(connection: Any, statement: Any, params: Any) -> Any:
        if statement is dialect.delete:
            raise CommitUnknown
        return perform(connection, statement, params)

    monkeypatch.setattr(dialect, "perform", breaks)
    made, doubt, unasked = store(
        "commit_many",
        [
            CommitRequest("c", b"1", None, LATER),
            CommitRequest("a", None, first, LATER),
            CommitRequest("b", None, second, LATER),
        ],
    )
    assert isinstance(made, str)
    assert isinstance(doubt, CommitUnknown)
    assert isinstance(unasked, StoreUnavailable)
    assert store("load", "b").version == second


def test_what_the_server_refuses_is_certainly_not_applied(servers: dict[str, Server], opened: Opened) -> None:
    server: Any = servers["postgresql"]
    for colour in ("blocking", "awaiting"):
        store = opened(server, colour)
        version = store.put("a", b"1")

        class ReadOnly:
            url = f"{server.url}?options=-cdefault_transaction_read_only%3Don"
            port = server.port

        refused = opened(ReadOnly, colour, prefix=store.prefix)
        with pytest.raises(StoreUnavailable, match="25006"):
            refused.put("a", b"2", version)
        (answer,) = refused("commit_many", [CommitRequest("a", None, version, LATER)])
        assert isinstance(answer, StoreUnavailable)
        assert refused("load", "a").version == version


def test_when_all_connections_are_in_use_the_next_awaiting_caller_is_told(
    servers: dict[str, Server], opened: Opened
) -> None:
    store = opened(servers["postgresql"], "awaiting", connections=1, timeout_s=0.2)
    store.put("a", b"1")

    async def asks() -> Any:
        async with store.store._room:
            return await asyncio.wait_for(store.store.load("a"), 30)

    assert store.runner is not None
    with pytest.raises(StoreUnavailable, match="in use"):
        store.runner.run(asks())
    assert store("load", "a").data == b"1"


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_who_waits_too_long_for_the_tables_is_told(servers: dict[str, Server], colour: str, opened: Opened) -> None:
    """Another thread, or task, of the process is at it."""
    store = opened(servers["postgresql"], colour, timeout_s=0.2)
    preparing = store.store._preparing

    async def asks() -> Any:
        async with preparing:
            return await asyncio.wait_for(store.store.load("a"), 30)

    def asked() -> Any:
        if store.runner is not None:
            return store.runner.run(asks())
        with preparing:
            return store("load", "a")

    with pytest.raises(StoreUnavailable, match="tables"):
        asked()
    assert store("load", "a") is None


def test_when_all_connections_are_in_use_the_next_caller_is_told(servers: dict[str, Server], opened: Opened) -> None:
    store = opened(servers["postgresql"], "blocking", connections=1, timeout_s=0.2)
    store.put("a", b"1")
    held = store.store._connections.take()
    with pytest.raises(StoreUnavailable, match="in use"):
        store("load", "a")
    store.store._connections.give(held, sound=True)
    assert store("load", "a").data == b"1"


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_a_commit_that_is_refused_after_its_statement_went_well_is_no_commit(
    servers: dict[str, Server], colour: str, opened: Opened
) -> None:
    """PostgreSQL tells of the row that was changed, and then that the transaction was refused: here by a trigger."""
    server: Any = servers["postgresql"]
    store = opened(server, colour)
    first = store.put("a", b"1")
    Place("postgresql", server.url, store.prefix).run(
        f"CREATE FUNCTION {store.prefix}_no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
        f"CREATE CONSTRAINT TRIGGER no AFTER UPDATE ON {store.prefix}_records DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW EXECUTE FUNCTION {store.prefix}_no()",
    )
    with pytest.raises(StoreUnavailable, match="P0001"):
        store.put("a", b"2", first)
    with pytest.raises(StoreUnavailable, match="P0001"):
        store("commit_many", [CommitRequest("a", b"2", first, LATER), CommitRequest("b", b"2", None, LATER)])
    assert store("load", "a").version == first
    assert store("load", "b") is None
