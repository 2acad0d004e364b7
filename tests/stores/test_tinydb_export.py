"""The embedded store as a file that any TinyDB opens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest
import tinydb

from otpcore.errors import StoreUnavailable, UsageError
from otpcore.stores.export import export_json
from otpcore.stores.tinydb import TinyDBStore
from tests.stores.putting import put


def test_an_export_is_opened_by_stock_tinydb(store: TinyDBStore, path: Path, tmp_path: Path) -> None:
    version = put(store, "b", b'{"status": "pending", "text": "\xc3\xa9"}')
    put(store, "a", b"\x00\n")
    put(store, "gone", b"{}")
    put(store, "gone", None)
    cast("Any", store.db).table('my "notes"').insert_multiple([{"n": 1}, {"n": 2}])
    out = tmp_path / "out.json"
    out.write_text("an older export")
    assert export_json(path, out) == 4
    assert out.stat().st_mode & 0o777 == 0o600
    with tinydb.TinyDB(out) as stock:
        assert stock.tables() == {"records", 'my "notes"'}
        records = cast("Any", stock).table("records")
        found = records.get(tinydb.Query().record.status == "pending")
        assert found == {
            "key": "b",
            "version": version,
            "gc_at": "2030-01-02T03:04:05.678901+00:00",
            "record": {"status": "pending", "text": "é"},
        }
        assert [doc["record"] for doc in records if doc["key"] == "a"] == [{"base64": "AAo="}]
        notes = cast("Any", stock).table('my "notes"').all()
        assert [(doc.doc_id, doc["gc_at"], doc["record"]) for doc in notes] == [
            (1, None, {"n": 1}),
            (2, None, {"n": 2}),
        ]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out.json", "store.otpdb", "store.otpdb.lock"]


def test_an_empty_store_is_exported_as_an_empty_database(store: TinyDBStore, path: Path, tmp_path: Path) -> None:
    assert export_json(path, tmp_path / "out.json") == 0
    assert (tmp_path / "out.json").read_text() == "{}"


def test_an_export_that_cannot_be_written_leaves_the_older_one(
    store: TinyDBStore, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"
    out.write_text("an older export")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailable, match="No space"):
            export_json(path, out)
    assert out.read_text() == "an older export"
    assert len(list(tmp_path.iterdir())) == 3


def test_an_export_onto_a_pipe_is_refused(store: TinyDBStore, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    os.mkfifo(out)
    with pytest.raises(UsageError, match="no regular file"):
        export_json(path, out)
    assert out.is_fifo()
    store.close()


def test_an_export_onto_the_store_or_of_nothing_is_refused(store: TinyDBStore, path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export_json(path, path)
    with pytest.raises(UsageError):
        export_json(tmp_path / "absent", tmp_path / "out.json")
    assert not (tmp_path / "absent").exists()
