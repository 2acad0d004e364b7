"""Compaction of the embedded store's file: what the new file holds, and how others follow to it."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from otpcore.contract import Conflict, Version
from otpcore.errors import StoreFormatError, StoreUnavailable
from otpcore.stores import compaction, frames, log, segment
from otpcore.stores.log import RecordLog
from otpcore.stores.moves import Moves
from otpcore.stores.segment import Entry, Segment
from otpcore.stores.tinydb import TinyDBStore

GC_AT = datetime.now(UTC) + timedelta(days=1)
RED = pytest.raises(AssertionError)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.otpdb"


@pytest.fixture
def open_store(path: Path) -> Iterator[Callable[[], TinyDBStore]]:
    """Opens the same file again, as another process does."""
    opened: list[TinyDBStore] = []

    def one_more() -> TinyDBStore:
        opened.append(TinyDBStore(path))
        return opened[-1]

    yield one_more
    for store in opened:
        store.close()


Opens = Callable[[], TinyDBStore]


def put(store: TinyDBStore, key: str, number: int) -> Version:
    found = store.load(key)
    data = b'{"n":%d}' % number
    answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
    assert not isinstance(answer, Conflict)
    return answer


def number_of(store: TinyDBStore, key: str) -> int | None:
    found = store.load(key)
    return None if found is None else int(json.loads(found.data)["n"])


def add_one(store: TinyDBStore, key: str) -> None:
    answer: Version | Conflict = Conflict(None)
    while isinstance(answer, Conflict):
        found = store.load(key)
        data = b'{"n":%d}' % ((json.loads(found.data)["n"] if found else 0) + 1)
        answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)


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


def check_followed(open_store: Opens) -> None:
    store, other = open_store(), open_store()
    put(store, "key", 1)
    assert number_of(other, "key") == 1
    store.log.compact()
    put(store, "key", 2)
    assert number_of(other, "key") == 2
    put(other, "key", 3)
    assert number_of(store, "key") == 3


def test_readers_and_writers_follow_to_the_new_file(open_store: Opens) -> None:
    check_followed(open_store)


def test_a_reader_that_looks_at_the_size_alone_fails_that(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh = RecordLog.refresh

    def deaf(self: RecordLog, *, locked: bool, reopen: bool = True) -> bool:
        try:
            segment = self.current()
        except StoreUnavailable:  # not opened yet
            return refresh(self, locked=locked, reopen=reopen)
        return segment.follow(os.fstat(segment.file.fd).st_size)

    monkeypatch.setattr(RecordLog, "refresh", deaf)
    with RED:
        check_followed(open_store)


def check_followed_by_map(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that was taken over is the one that reading the new file gives, and no line is parsed for it."""
    store, ahead, behind = open_store(), open_store(), open_store()
    table = cast("Any", store.db).table("notes")
    ids = table.insert_multiple({"n": number} for number in range(15))
    for number in range(40):
        put(store, f"key{number % 8}", number)
    table.remove(doc_ids=ids[3:6])
    copy = compaction.copy_live

    def copy_and_write(old: Segment, live: compaction.Live, new: Segment, moves: Moves) -> None:
        copy(old, live, new, moves)
        put(ahead, "key1", 100)
        put(ahead, "new", 1)
        table.remove(doc_ids=ids[:2])

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "copy_live", copy_and_write)
        assert store.log.compact()
    put(store, "key2", 200)
    parsed, parse = list[int](), frames.parse

    def counted(chunk: bytes, start: int = 0, stop: int | None = None) -> frames.Frame | None:
        parsed.append(start)
        return parse(chunk, start, stop)

    fresh = open_store()
    with fresh.log.reading() as read:
        for follower, most in ((store, 0), (ahead, 3), (behind, 60)):
            with monkeypatch.context() as patch:
                patch.setattr(frames, "parse", counted)
                parsed.clear()
                with follower.log.reading() as followed:
                    assert followed.inode == read.inode
                    assert (followed.end, followed.index.lines) == (read.end, read.index.lines)
                    assert placed(followed) == placed(read)
                assert len(parsed) <= most + (follower is behind) * 20


def placed(segment: Segment) -> dict[str, dict[str, tuple[int, bytes]]]:
    """What an index says, in offsets of the file."""
    return {
        table: {key: (segment.place(entry.position), segment.value(entry)) for key, entry in entries.items()}
        for table, entries in segment.index.tables.items()
    }


def test_an_index_is_taken_over_by_the_new_file(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    check_followed_by_map(open_store, monkeypatch)


def test_a_map_that_forgets_the_tail_fails_that(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = Moves.pack

    def forget(self: Moves) -> bytes:
        self.tail += 1
        return pack(self)

    monkeypatch.setattr(Moves, "pack", forget)
    with pytest.raises((AssertionError, StoreFormatError)):
        check_followed_by_map(open_store, monkeypatch)


def check_settled_by_and_by(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows pays for a few entries at a time and reads every record right meanwhile; three files in a row."""
    monkeypatch.setattr(segment, "SETTLED_AT_ONCE", 3)
    work = list[str]()

    def counted(entry: Entry, **changes: Any) -> Entry:
        work.append("entry")
        return structs.replace(entry, **changes)

    store, follower = open_store(), open_store()
    for number in range(40):
        put(store, f"key{number}", number)
    listed = follower.scan("", 100)
    expected = {f"key{number}": number for number in range(40)}
    with monkeypatch.context() as patch:
        patch.setattr("otpcore.stores.segment.replace", counted)
        for turn in range(3):
            assert store.log.compact()
            work.clear()
            with follower.log.reading():
                assert len(work) <= 3
            for number in range(0, 40, 2 + turn):
                key = f"key{number}"
                expected[key] += 100
                work.clear()
                put(follower, key, expected[key])
                assert len(work) <= 3 * 3  # it loads, it loads the version, it commits
                assert number_of(store, key) == expected[key]
            assert {key: number_of(follower, key) for key in expected} == expected
    assert follower.scan("", 100) != listed


def test_an_index_that_was_taken_over_is_settled_by_and_by(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    check_settled_by_and_by(open_store, monkeypatch)


def test_settling_all_at_once_fails_that(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    settle = Segment.settle

    def at_once(self: Segment) -> bool:
        while settle(self):
            pass
        return False

    monkeypatch.setattr(Segment, "settle", at_once)
    with RED:
        check_settled_by_and_by(open_store, monkeypatch)


def test_forgetting_to_settle_before_the_next_file_fails_that(
    open_store: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_self: Segment) -> bool:
        return False

    monkeypatch.setattr(Segment, "settle", never)
    with pytest.raises((AssertionError, StoreFormatError)):
        check_settled_by_and_by(open_store, monkeypatch)


def test_what_was_listed_before_a_compaction_is_read_after_it(open_store: Opens) -> None:
    store, follower = open_store(), open_store()
    for number in range(6):
        put(store, f"key{number}", number)
    assert store.log.compact()
    with follower.log.reading() as listed:  # taken over, and not settled when the entries were copied
        entries = dict(listed.index.tables["records"])
    assert store.log.compact()
    assert number_of(follower, "key3") == 3
    values = {key: json.loads(listed.value(entry))["n"] for key, entry in entries.items()}
    assert values == {f"key{number}": number for number in range(6)}


def spoil_map(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(old: Segment, _content: bytes) -> None:
        os.ftruncate(old.file.fd, old.end + 1000 * (not content))
        old.write(content + b"\n" * 1000 * (not content), old.end)

    monkeypatch.setattr(compaction, "leave_map", spoil)


@pytest.mark.parametrize("content", [b"\0moved\0\0", bytes(100), b"\0moved\0\0" + bytes(60)])
def test_without_a_map_the_new_file_is_read(open_store: Opens, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    spoil_map(content, monkeypatch)
    check_followed(open_store)


def test_without_the_mark_others_do_not_notice(open_store: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LOOK_EVERY", 3600.0)
    spoil_map(b"", monkeypatch)
    with RED:
        check_followed(open_store)


def check_replaced(open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file was put there, by somebody who knows of no mark."""
    now = 1000.0
    monkeypatch.setattr("otpcore.stores.log.time.monotonic", lambda: now)
    store = open_store()
    put(store, "key", 1)
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    put(store, "key", 2)
    assert number_of(store, "key") == 2
    copy.replace(path)
    now += 1.0
    assert number_of(store, "key") == 1


def test_another_file_is_noticed_within_a_second(
    open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_replaced(open_store, path, monkeypatch)


def test_a_store_that_relies_on_the_mark_alone_fails_that(
    open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LOOK_EVERY", 3600.0)
    with RED:
        check_replaced(open_store, path, monkeypatch)


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


def test_a_grown_file_is_compacted_by_itself(open_store: Opens) -> None:
    store = open_store()
    store.log.compactor.min_lines = 100
    for number in range(400):
        put(store, "key", number)
        store.log.compactor.join()
    assert store.stats.compactions >= 3
    assert store.stats.lines < 110
    assert number_of(open_store(), "key") == 399


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
