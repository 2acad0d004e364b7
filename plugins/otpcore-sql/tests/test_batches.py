"""Batches answer each item by itself, as single calls would; what a server tells an operator; engines from settings."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore import Sent, open_async_engine, open_engine
from otpcore.errors import StoreUnavailable
from otpcore.ports import AsyncBatches, Batches, CommitRequest, Conflict, Examines, Version, Versioned
from otpcore_sql import SQLSettings, mysql, postgresql
from otpcore_sql.aio import AsyncSQLStore
from otpcore_sql.store import SQLStore
from tests.sql_places import KINDS, Place, place
from tests.sql_servers import PostgreSQL, Server, place_of

LATER = datetime.now(UTC) + timedelta(days=30)
ODD = ("a'b", 'a"b', "a\\b", "{a,b}", "a,b", "NULL", "%s", "?", ":a", " a ", "[1]", "k" * 200)


@pytest.fixture(params=[*KINDS, "awaiting"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    kind = request.param
    with place("postgresql" if kind == "awaiting" else kind, tmp_path) as made:
        yield made


@pytest.fixture
def call(at: Place, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Ask a store of the place, of either colour."""
    if "awaiting" not in request.node.name:
        store = at.store()

        def ask(method: str, *given: Any, **named: Any) -> Any:
            return getattr(store, method)(*given, **named)

        yield ask
        store.close()
        return
    with asyncio.Runner() as runner:
        awaited = at.async_store()

        def ask_awaited(method: str, *given: Any, **named: Any) -> Any:
            return runner.run(getattr(awaited, method)(*given, **named))

        yield ask_awaited
        runner.run(awaited.close())


def test_each_item_of_a_batch_is_answered_by_itself_and_in_order(call: Any) -> None:
    stands = {key: call("commit", key, key.encode(), expect=None, gc_at=LATER) for key in "abcdef"}
    never = Version("x" * 16)
    asked = [
        CommitRequest("f", None, stands["f"], LATER),  # deletes
        CommitRequest("new", b"\x00\xff", None, LATER),  # makes
        CommitRequest("a", b"2", stands["a"], LATER),  # changes
        CommitRequest("b", b"2", never, LATER),  # expects what does not stand
        CommitRequest("c", b"2", None, LATER),  # expects nothing
        CommitRequest("gone", b"2", never, LATER),
        CommitRequest("d", None, never, LATER),
        CommitRequest("nothing", None, None, LATER),  # deletes what is not there, as expected
        CommitRequest("e", b"2", Version("odd"), LATER),
    ]
    answers = call("commit_many", asked)
    won = {one.key: Version(answer) for one, answer in zip(asked, answers, strict=True) if isinstance(answer, str)}
    lost = {one.key: answer for one, answer in zip(asked, answers, strict=True) if not isinstance(answer, str)}
    assert set(won) == {"f", "new", "a", "nothing"}
    assert lost == {
        **{key: Conflict(Versioned(key.encode(), stands[key])) for key in "bcde"},
        "gone": Conflict(None),
    }
    found = call("load_many", ["new", "f", "a", "nothing", "b"])
    assert found == [
        Versioned(b"\x00\xff", won["new"]),
        None,
        Versioned(b"2", won["a"]),
        None,
        Versioned(b"b", stands["b"]),
    ]


def test_odd_keys_and_any_bytes_go_through_a_batch(call: Any) -> None:
    asked = [CommitRequest(key, bytes(range(256)) + key.encode(), None, LATER) for key in ODD]
    versions = call("commit_many", asked)
    found = call("load_many", list(reversed(ODD)))
    assert found == [
        Versioned(one.data or b"", version) for one, version in zip(reversed(asked), reversed(versions), strict=True)
    ]
    assert call("commit_many", asked) == [
        Conflict(Versioned(one.data or b"", version)) for one, version in zip(asked, versions, strict=True)
    ]


def test_an_empty_batch_and_one_of_hundreds_are_batches(call: Any) -> None:
    assert call("load_many", []) == []
    assert call("commit_many", []) == []
    asked = [CommitRequest(f"k{number}", b"x" * 600, None, LATER) for number in range(400)]
    versions = call("commit_many", asked)
    again = [CommitRequest(one.key, b"y", version, LATER) for one, version in zip(asked, versions, strict=True)]
    assert all(isinstance(answer, str) for answer in call("commit_many", again))
    assert [one.data for one in call("load_many", [one.key for one in asked])] == [b"y"] * 400


def test_a_sweep_walks_more_rows_than_a_page_and_keeps_what_is_not_due(call: Any) -> None:
    """2,500 rows, every fifth of them due."""
    due = datetime.now(UTC) - timedelta(hours=1)
    for start in range(0, 2500, 500):
        call(
            "commit_many",
            [CommitRequest(f"k{n:04}", b"x", None, due if n % 5 == 0 else LATER) for n in range(start, start + 500)],
        )
    assert call("sweep", datetime.now(UTC), limit=450) == 450
    assert call("sweep", datetime.now(UTC), limit=450) == 50
    assert len(call("scan", "", 3000)) == 2000


def test_the_methods_are_those_of_the_protocols(at: Place) -> None:
    store = at.store()
    assert all(isinstance(store, protocol) for protocol in (Batches, Examines))
    store.close()


@pytest.fixture(params=["strict", "lenient"])
def mariadb(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Iterator[Place]:
    """One that refuses values which do not fit, as it does from the start, and one that was told to cut them."""
    server: Any = servers["mariadb"]
    made = Place("mariadb", server.url.replace("mariadb:", "mariadb+pymysql:"), f"t{secrets.token_hex(6)}")
    ((before,),) = made.run("SELECT @@GLOBAL.sql_mode")
    if request.param == "lenient":
        made.run("SET GLOBAL sql_mode = ''")
    yield made
    made.drop()
    made.run(f"SET GLOBAL sql_mode = '{before}'")


@pytest.mark.parametrize("ignores", [False, True], ids=["", "planted"])
def test_what_does_not_fit_is_refused_and_never_cut(
    mariadb: Place, ignores: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of 201 characters. INSERT IGNORE, in a batch, is the control: it keeps the first 200, and tells nobody."""
    if ignores:
        monkeypatch.setattr(mysql, "INSERT_MANY", mysql.INSERT_MANY.replace("INSERT", "INSERT IGNORE"))
    store = mariadb.store()
    with pytest.raises(StoreUnavailable, match="1406"):
        store.commit("k" * 201, b"1", expect=None, gc_at=LATER)
    asked = [CommitRequest(key, b"1", None, LATER) for key in ("a", "k" * 201)]
    with nullcontext() if ignores else pytest.raises(StoreUnavailable, match="1406"):
        store.commit_many(asked)
    assert [key for key, _ in store.scan("", 5)] == (["a", "k" * 200] if ignores else [])
    store.close()


# --- what an operator is told --------------------------------------------------------------------


def test_a_server_says_what_its_settings_mean(call: Any) -> None:
    remarks = call("examine")
    assert remarks
    assert all(one.text for one in remarks)


def test_a_sqlite_that_syncs_less_than_it_was_told_is_a_fault(tmp_path: Path) -> None:
    for level, is_fault in (("full", False), ("normal", False)):
        with place("sqlite", tmp_path) as at:
            store = at.store(synchronous=level)
            (remark,) = store.examine()
            assert (level.upper() in remark.text, remark.is_fault) == (True, is_fault)
            store.close()


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        ({}, 0),
        ({"fsync": "off"}, 1),
        ({"full_page_writes": "off"}, 1),
        ({"synchronous_commit": "off"}, 1),
        ({"in_recovery": "true"}, 1),
        ({"default_transaction_read_only": "on"}, 1),
        ({"synchronous_standby_names": "x", "synchronous_commit": "on"}, 0),
        ({"default_transaction_isolation": "serializable"}, 0),
    ],
)
def test_what_endangers_records_on_postgresql_is_a_fault(found: dict[str, str], faults: int) -> None:
    healthy = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "in_recovery": "false",
        "default_transaction_isolation": "read committed",
    }
    said = postgresql.remarks({**healthy, **found})
    assert sum(one.is_fault for one in said) == faults
    assert any("standby" in one.text for one in said)


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        ({}, 0),
        ({"engine": "MyISAM"}, 1),
        ({"read_only": "ON"}, 1),
        ({"innodb_flush_log_at_trx_commit": "2"}, 1),
        ({"innodb_doublewrite": "OFF"}, 0),
        ({"log_bin": "ON", "sync_binlog": "0"}, 0),
        ({"rpl_semi_sync_master_enabled": "ON"}, 0),
    ],
)
def test_what_endangers_records_on_mariadb_is_a_fault(found: dict[str, str], faults: int) -> None:
    said = mysql.remarks({"engine": "InnoDB", "innodb_flush_log_at_trx_commit": "1", **found})
    assert sum(one.is_fault for one in said) == faults
    assert any("replica" in one.text for one in said)


def test_a_postgresql_without_fsync_is_told_of() -> None:
    with place_of("unsafe") as folder:
        server = PostgreSQL(folder, "-c", "fsync=off", "-c", "synchronous_commit=off")
        store = Place("postgresql", server.url, "otpcore").store()
        faults = [one.text for one in store.examine() if one.is_fault]
        store.close()
        server.stop()
    assert [text.partition(" ")[0] for text in faults] == ["fsync", "synchronous_commit"]


# --- engines from settings -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_of_either_colour_opens_by_settings_and_sends(kind: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "store": "sql",
        "plugins": ["sql"],
        "provider": "fake",
        "pepper": secrets.token_urlsafe(32),
    }
    with place(kind, tmp_path) as at:
        settings: SQLSettings = at.settings()
        with open_engine(store_settings=settings, **given) as engine:
            assert isinstance(engine.start("+12025550123"), Sent)

        async def send() -> None:
            async with open_async_engine(store_settings=settings, **given) as engine:
                assert isinstance(await engine.start("+12025550142"), Sent)

        asyncio.run(send())
        store = at.store()
        assert len(store.scan("", 10)) == 2
        store.close()


def test_postgresql_alone_is_awaited_natively(tmp_path: Path) -> None:
    for kind in KINDS:
        with place(kind, tmp_path) as at:
            store = at.async_store()
            assert isinstance(store, AsyncSQLStore if kind == "postgresql" else SQLStore)
            assert isinstance(store, AsyncBatches)
