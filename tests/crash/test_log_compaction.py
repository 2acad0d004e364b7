"""Compaction of the embedded store's file: what the new file holds, and when it is made."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from otpcore.errors import StoreUnavailable
from otpcore.stores import compaction, log
from otpcore.stores.moves import Moves
from otpcore.stores.segment import Entry, Segment
from otpcore.stores.tinydb import TinyDBStore
from tests.crash.counted import GC_AT, Opens, add_one, number_of, put

RED = pytest.raises(AssertionError)


def test_only_the_standing_records_are_kept_with_their_versions(open_store: Opens, path: Path) -> None:
    store = open_store()
    for number in range(50):
        put(store, f"key{number % 5}", number)
    put(store, "gone", 1)
    found = store.load("gone")
    assert found is not None
    store.commit("gone", None, expect=found.version, gc_at=GC_AT)
    before, size = store.scan("", 100), path.stat().st_size
    assert store.log.compact()
    assert store.scan("", 100) == before
    assert open_store().scan("", 100) == before
    assert store.stats.lines == store.stats.live == 5
    assert path.stat().st_size < size / 5
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]


def test_a_new_file_names_its_predecessor_and_keeps_the_mode(open_store: Opens, path: Path) -> None:
    store = open_store()
    path.chmod(0o640)
    before = json.loads(path.read_bytes().splitlines()[0])
    store.log.compact()
    after = json.loads(path.read_bytes().splitlines()[0])
    assert before["predecessor"] is None
    assert after["predecessor"] == before["id"] != after["id"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_batches_are_taken_apart(open_store: Opens) -> None:
    store = open_store()
    table = cast("Any", store.db).table("notes")
    table.insert_multiple({"n": number} for number in range(12))
    docs = {doc["n"]: doc.doc_id for doc in table}
    table.remove(doc_ids=[docs[3], docs[11]])
    store.log.compact()
    kept = sorted(doc["n"] for doc in cast("Any", open_store().db).table("notes"))
    assert kept == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]


def check_writes_beside(open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process writes after the snapshot, again and again."""
    store, other = open_store(), open_store()
    for number in range(20):
        put(store, f"key{number}", number)
    copy, sync, rounds = compaction.copy_live, os.fdatasync, [1, 2]

    def write(number: int) -> None:
        for _ in range(60):  # more than may be left to copy under the lock
            put(other, "beside", number)

    def copy_and_write(old: Segment, live: compaction.Live, new: Segment, moves: Moves) -> None:
        write(0)
        copy(old, live, new, moves)

    def sync_and_write(fd: int) -> None:
        sync(fd)
        if rounds and os.fstat(fd).st_ino != path.stat().st_ino:  # the new file's, so not one of these writes
            write(rounds.pop(0))

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "copy_live", copy_and_write)
        patch.setattr(compaction, "SMALL_TAIL", 1000)
        patch.setattr(os, "fdatasync", sync_and_write)
        put(other, "key1", 100)
        assert store.log.compact()
    assert not rounds
    for reader in (store, other, open_store()):
        assert number_of(reader, "key1") == 100
        assert number_of(reader, "beside") == 2


def test_what_others_write_meanwhile_is_kept(open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writes_beside(open_store, path, monkeypatch)


def test_a_compaction_that_forgets_the_tail_fails_that(
    open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(_old: Segment, _new: Segment, _start: int, _stop: int) -> None:
        pass

    monkeypatch.setattr(compaction, "copy_tail", forget)
    with RED:
        check_writes_beside(open_store, path, monkeypatch)


def test_a_mark_without_a_rename_is_cut(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = open_store(), open_store()
    put(store, "key", 1)

    def refuse(_source: str, _target: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(StoreUnavailable):
            store.log.compact()
    put(other, "key", 2)
    assert number_of(store, "key") == 2
    assert other.stats.cuts == 1
    assert store.log.compact()
    assert number_of(other, "key") == 2


def check_order(store: TinyDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is on the disk before it has the name, and the name is before anybody can write to the file."""
    done: list[str] = []

    def noted(name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: object) -> None:
            done.append(name)
            real(*args)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", noted("file", os.fdatasync))
        patch.setattr(os, "replace", noted("name", os.replace))
        patch.setattr(os, "fsync", noted("folder", os.fsync))
        patch.setattr(store.log.lock, "release", noted("unlock", store.log.lock.release))
        store.log.compact()
    rename = done.index("name")
    assert done[rename - 1 : rename + 3] == ["file", "name", "folder", "unlock"]


def test_the_new_file_is_on_the_disk_before_it_is_written_to(
    open_store: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_order(open_store(), monkeypatch)


def test_a_rename_without_the_folder_fails_that(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_path: str) -> None:
        pass

    monkeypatch.setattr(log, "sync_folder", nothing)
    with RED:
        check_order(open_store(), monkeypatch)


def test_one_compaction_at_a_time(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = open_store(), open_store()
    put(store, "key", 1)
    copy, answers = compaction.copy_live, list[bool]()

    def copy_and_try(old: Segment, live: compaction.Live, new: Segment, moves: Moves) -> None:
        answers.extend([other.log.compact(), store.log.compact()])
        copy(old, live, new, moves)

    monkeypatch.setattr(compaction, "copy_live", copy_and_try)
    assert store.log.compact()
    assert answers == [False, False]
    assert number_of(other, "key") == 1


def test_one_that_is_interrupted_as_it_begins_keeps_nobody_from_it(
    open_store: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = open_store(), open_store()
    flock = fcntl.flock

    def interrupted(fd: int, operation: int) -> None:
        flock(fd, operation)
        if operation & fcntl.LOCK_NB:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.log.compact()
    assert other.log.compact()


def test_a_grown_file_is_compacted_by_itself(open_store: Opens) -> None:
    store = open_store()
    store.log.compactor.min_lines = 100
    for number in range(400):
        put(store, "key", number)
        store.log.compactor.join()
    assert store.stats.compactions >= 3
    assert store.stats.lines < 110
    assert number_of(open_store(), "key") == 399


class Growing(dict[str, dict[str, Entry]]):
    """Another thread makes a table between two steps of whoever goes through them; a copy is one step."""

    def values(self) -> Any:
        for entries in super().values():
            yield entries
            self["made"] = {}


def test_a_table_that_another_thread_makes_does_not_fail_a_commit(open_store: Opens) -> None:
    store = open_store()
    store.log.compactor.min_lines = 1
    put(store, "key", 1)
    index = store.log.current().index
    index.tables = Growing(index.tables)
    put(store, "key", 2)
    assert number_of(store, "key") == 2


def test_a_compaction_without_room_leaves_the_old_file(
    open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    store.log.compactor.min_lines = 10

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(compaction, "copy_live", full)
    with caplog.at_level(logging.WARNING, "otpcore.stores"):
        for number in range(35):
            put(store, "key", number)
            store.log.compactor.join()
    assert caplog.text.count("No space left on device") == 3  # and not again for every write
    assert number_of(open_store(), "key") == 34
    assert not Path(f"{path}.compacting").exists()


def test_compactions_race_readers_and_writers(open_store: Opens) -> None:
    keys, times, ended = ["a", "b"], 120, threading.Event()
    seen: list[list[int]] = []

    def write(key: str) -> None:
        store = open_store()
        for _ in range(times):
            add_one(store, key)

    def read() -> None:
        store, numbers = open_store(), list[int]()
        while not ended.is_set():
            numbers.append(sum(number_of(store, key) or 0 for key in keys))
        seen.append(numbers)

    def compact() -> None:
        store = open_store()
        while not ended.is_set():
            store.log.compact()

    writers = [threading.Thread(target=write, args=(key,)) for key in keys * 2]
    others = [threading.Thread(target=target) for target in (read, read, compact, compact)]
    for thread in writers + others:
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    for thread in others:
        thread.join()
    last = open_store()
    assert [number_of(last, key) for key in keys] == [2 * times] * 2
    assert len(seen) == 2
    assert all(numbers == sorted(numbers) for numbers in seen)
