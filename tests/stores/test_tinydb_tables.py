"""The embedded store's storage under TinyDB's own tables and queries."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import tinydb
from tinydb import operations
from tinydb.middlewares import CachingMiddleware
from tinydb.table import Document

from otpcore.errors import ConfigurationError
from otpcore.stores import tables
from otpcore.stores.tables import LogDB, LogStorage
from otpcore.stores.tinydb import RECORDS, TinyDBStore

GC_AT = datetime.now(UTC) + timedelta(days=1)
WHERE = cast("Any", tinydb.where)
increment = cast("Any", operations).increment


@pytest.fixture
def db(path: Path) -> Iterator[Any]:
    with LogDB(path) as opened:
        yield opened


@pytest.fixture
def other(path: Path, db: object) -> Iterator[Any]:
    """A second instance on the same file, opened before anything is written."""
    with LogDB(path) as opened:
        yield opened


def test_what_one_instance_inserts_the_other_finds(db: Any, other: Any) -> None:
    table = db.table("notes")
    assert len(other.table("notes")) == 0
    first = table.insert({"n": 1})
    second = table.insert(Document({"n": 2}, "by-name"))  # type: ignore[arg-type]  # TinyDB's types say int
    assert isinstance(first, str)
    assert second == "by-name"
    seen = other.table("notes")
    assert seen.get(doc_id="by-name") == {"n": 2}
    assert seen.get(doc_id="by-name").doc_id == "by-name"
    assert seen.get(WHERE("n") == 1).doc_id == first
    assert sorted(doc["n"] for doc in seen.all()) == [1, 2]
    assert seen.search(WHERE("n") > 1) == [{"n": 2}]
    assert seen.contains(doc_id=first)
    assert seen.get(doc_id="absent") is None
    assert [doc.doc_id for doc in seen.get(doc_ids=["by-name", "absent"])] == ["by-name"]


def test_updates_and_removals_are_seen_although_the_same_was_asked_before(db: Any, other: Any) -> None:
    table, seen = db.table("notes"), other.table("notes")
    ids = table.insert_multiple({"n": number} for number in range(5))
    assert seen.count(WHERE("n") >= 3) == 2
    table.update({"n": 9}, doc_ids=[ids[0]])
    assert seen.count(WHERE("n") >= 3) == 3
    table.update(increment("n"), WHERE("n") == 9)
    assert seen.get(doc_id=ids[0]) == {"n": 10}
    table.upsert({"n": 4, "again": True}, WHERE("n") == 4)
    table.upsert({"n": 77}, WHERE("n") == 77)
    assert seen.count(WHERE("again") == True) == 1  # noqa: E712 - builds a query
    table.remove(WHERE("n") == 77)
    assert sorted(doc["n"] for doc in seen) == [1, 2, 3, 4, 10]
    table.truncate()
    assert seen.all() == []
    assert other.tables() == set()


def test_documents_and_tables_are_there_after_closing(path: Path) -> None:
    with LogDB(path) as before:
        cast("Any", before).table("notes").insert({"text": 'é "quoted" \n and \t \u2028'})
        cast("Any", before).insert({"in": "the default table"})
    with LogDB(path) as after:
        assert after.tables() == {"notes", "_default"}
        assert [dict(doc) for doc in cast("Any", after).table("notes")] == [{"text": 'é "quoted" \n and \t \u2028'}]
        after.drop_table("notes")
        assert after.tables() == {"_default"}
        after.drop_tables()
        assert after.tables() == set()


def test_an_update_writes_only_what_it_touched(db: Any, path: Path) -> None:
    table = db.table("notes")
    ids = table.insert_multiple({"n": number, "pad": "x" * 500} for number in range(100))
    lines = path.read_bytes().rstrip().count(b"\n")
    table.update({"n": 1000}, WHERE("n") == 50)
    table.update({"n": 7}, doc_ids=[ids[7]])  # as it was
    assert path.read_bytes().rstrip().count(b"\n") == lines + 1


def test_an_update_that_raises_writes_nothing(db: Any, path: Path) -> None:
    table = db.table("notes")
    ids = table.insert_multiple([{"n": 1}, {"n": 2}])
    before = path.read_bytes()

    def fail_at_2(doc: dict[str, int]) -> None:
        doc["n"] = 10 // (2 - doc["n"])

    with pytest.raises(ZeroDivisionError):
        table.update(fail_at_2)
    with pytest.raises(TypeError):
        table.insert_multiple([{"n": 3}, {"n": object()}])
    with pytest.raises(ValueError, match="already exists"):
        table.insert(Document({"n": 3}, ids[0]))
    assert path.read_bytes() == before
    assert [doc["n"] for doc in table] == [1, 2]


def test_the_stores_records_are_documents(path: Path) -> None:
    store = TinyDBStore(path)
    store.commit("b", b'{"status": "pending", "n": 1}', expect=None, gc_at=GC_AT)
    store.commit("a", b"\x00no JSON\n", expect=None, gc_at=GC_AT)
    table = cast("Any", store.db).table(RECORDS)
    assert table.get(doc_id="b") == {"status": "pending", "n": 1}
    assert table.get(doc_id="a") == {"base64": "AG5vIEpTT04K"}
    assert [doc.doc_id for doc in table.search(WHERE("status") == "pending")] == ["b"]
    store.close()


@pytest.mark.parametrize("data", [b'{"n":%s}' % (b"9" * 5000), b'{"n":%s%s}' % (b"[" * 600, b"]" * 600)])
def test_a_record_that_json_would_not_bear_is_shown_as_base64(path: Path, data: bytes) -> None:
    store = TinyDBStore(path)
    store.commit("key", data, expect=None, gc_at=GC_AT)
    assert cast("Any", store.db).table(RECORDS).all() == [{"base64": base64.b64encode(data).decode()}]
    found = store.load("key")
    assert found is not None
    assert found.data == data
    store.close()


def test_a_table_is_emptied_without_looking_at_its_documents(db: Any, other: Any) -> None:
    """Else each document that goes passes over all that are gone: minutes under the lock for a large table."""
    table = db.table("notes")
    table.insert_multiple({"n": number} for number in range(50))
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(tables, "decode")
        table.truncate()
    assert other.tables() == set()


def test_a_document_that_is_changed_by_hand_gets_a_new_version_and_keeps_its_instant(path: Path) -> None:
    store = TinyDBStore(path)
    version = store.commit("key", b'{"n": 1}', expect=None, gc_at=GC_AT)
    cast("Any", store.db).table(RECORDS).update({"n": 2}, doc_ids=["key"])
    found = store.load("key")
    assert found is not None
    assert found.data == b'{"n":2}'
    assert found.version != version
    assert store.sweep(GC_AT, limit=10) == 0
    assert store.sweep(GC_AT + timedelta(seconds=1), limit=10) == 1
    store.close()


def test_a_query_may_read_the_database_that_it_is_asked_of(db: Any) -> None:
    table = db.table("notes")
    table.insert_multiple([{"n": 1}, {"n": 2}])

    def is_last(doc: dict[str, int]) -> bool:
        return doc["n"] == len(table)

    table.update({"last": True}, is_last)
    assert [doc["n"] for doc in table.search(WHERE("last") == True)] == [2]  # noqa: E712 - builds a query


def test_a_caching_middleware_is_refused(path: Path) -> None:
    caching = cast("Any", CachingMiddleware)(LogStorage)
    with pytest.raises(ConfigurationError, match="middleware"):
        tinydb.TinyDB(str(path), storage=caching)
    with pytest.raises(ConfigurationError, match="storage of its own"):
        LogDB(path, storage=caching)


def test_a_stock_table_cannot_write_the_whole_file(db: Any, path: Path) -> None:
    stock = tinydb.TinyDB(db.storage.log, storage=LogStorage)
    with pytest.raises(ConfigurationError, match="document by document"):
        cast("Any", stock).insert({"n": 1})
    assert db.tables() == set()


def test_a_query_cache_is_refused(db: Any) -> None:
    with pytest.raises(ConfigurationError, match="cache"):
        db.table("notes", cache_size=10)


def test_the_stock_query_cache_is_the_reason(tmp_path: Path) -> None:
    first, second = (cast("Any", tinydb.TinyDB(tmp_path / "stock.json")) for _ in range(2))
    first.insert({"n": 1})
    assert second.count(WHERE("n") == 1) == 1
    first.truncate()
    assert second.count(WHERE("n") == 1) == 1  # stale
    first.close()
    second.close()
