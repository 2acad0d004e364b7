"""The embedded store's file: what a line holds, what a version and a commit cost, how the store registers itself."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from otpcore.settings import data_folder
from otpcore.stores import tinydb as module
from otpcore.stores.tinydb import TinyDBSettings, TinyDBStore, otpcore_stores
from tests.stores.putting import GC_AT, put

RED = pytest.raises(AssertionError)


# --- what it looks like ----------------------------------------------------------------------------


def test_every_line_is_json_with_the_record_as_it_was_committed(store: TinyDBStore, path: Path) -> None:
    version = put(store, 'a "key"', b'{ "b":1.0, "\xc3\xa9" : null}')
    put(store, "bytes", b"\xff\n")
    put(store, "bytes", None)
    text = path.read_bytes()
    assert b',{ "b":1.0, "\xc3\xa9" : null}]\n' in text
    header, *lines = [json.loads(line) for line in text.rstrip().splitlines()]
    assert header["format"] == "otpcore-tinydb-log"
    micros = 1893553445678901
    assert lines[0][1:] == [0, "records", 'a "key"', version, micros, {"b": 1.0, "é": None}]
    assert lines[1][2:4] == ["records", "bytes"]
    assert lines[1][6] == "/wo="
    assert lines[2][6] is None


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"a":1}\n',
        b"{",
        b'{"a":}',
        b"[1]",
        b'"x"',
        b"null",
        b'{"a":"\xff"}',
        b'{"a":1}\x00',
        b"{" * 2000,
        b" {}",
    ],
)
def test_bytes_come_back_whether_they_are_json_or_not(store: TinyDBStore, path: Path, data: bytes) -> None:
    put(store, "key", data)
    again = TinyDBStore(path)
    for one in (store, again):
        found = one.load("key")
        assert found is not None
        assert found.data == data
    again.close()


# --- versions --------------------------------------------------------------------------------------


def check_versions(path: Path) -> None:
    """One key, over deletion, reopening, compaction and the restore of an old copy."""
    seen: list[str] = []
    backup = path.with_suffix(".backup")
    for turn in range(4):
        store = TinyDBStore(path)
        seen.append(put(store, "key", b"{}"))
        put(store, "key", None)
        seen.append(put(store, "key", b"{}"))
        store.log.compact()
        seen.append(put(store, "key", b"{}"))
        store.close()
        if turn == 0:
            shutil.copy(path, backup)
        else:
            shutil.copy(backup, path)
    assert len(set(seen)) == len(seen)


def test_a_version_never_comes_again(path: Path) -> None:
    check_versions(path)


def test_versions_that_are_counted_fail_that(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_counting(self: TinyDBStore, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        numbers = count(self.stats.lines)  # a counter that is read from the file
        monkeypatch.setattr(module, "new_version", lambda: str(next(numbers)))

    start = TinyDBStore.__init__
    monkeypatch.setattr(TinyDBStore, "__init__", open_counting)
    with RED:
        check_versions(path)


# --- cost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [10, 1000, pytest.param(100_000, marks=pytest.mark.nightly)])
def test_a_commit_writes_one_line_however_many_records_there_are(
    path: Path, records: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TinyDBStore(path, sync=False)
    for number in range(records):
        put(store, f"key{number:06}", b'{"n":1}')
    written, seen, write, read = list[int](), list[int](), os.write, os.pread

    def counted_write(fd: int, data: bytes) -> int:
        written.append(len(data))
        return write(fd, data)

    def counted_read(fd: int, length: int, offset: int) -> bytes:
        seen.append(length)
        return read(fd, length, offset)

    found = store.load("key000005")
    assert found is not None
    monkeypatch.setattr(os, "write", counted_write)
    monkeypatch.setattr(os, "pread", counted_read)
    store.commit("key000005", b'{"n":2}', expect=found.version, gc_at=GC_AT)
    assert len(written) == 1
    assert 0 < written[0] < 120
    assert sum(seen) <= 1024
    monkeypatch.undo()
    store.close()


# --- registration ----------------------------------------------------------------------------------


def test_it_registers_itself_with_settings_that_need_nothing(path: Path) -> None:
    (kind,) = otpcore_stores()
    assert kind.name == "tinydb"
    assert kind.settings() == TinyDBSettings(path=data_folder() / "otpcore.otpdb", sync=True)
    store = kind.build(TinyDBSettings(path=path, sync=False))
    assert isinstance(store, TinyDBStore)
    assert not store.log.sync
    store.close()


def test_an_instant_without_a_time_zone_is_refused(store: TinyDBStore) -> None:
    with pytest.raises(TypeError):
        store.commit("key", b"{}", expect=None, gc_at=GC_AT.replace(tzinfo=None) + timedelta(0))
