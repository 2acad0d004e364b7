"""How others follow to the file that a compaction made: by its mark and its map, a few entries at a time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from otpcore.errors import StoreFormatError, StoreUnavailable
from otpcore.stores import compaction, frames, log, segment
from otpcore.stores.log import RecordLog
from otpcore.stores.moves import Moves
from otpcore.stores.segment import Entry, Segment
from tests.crash.counted import GC_AT, Opens, number_of, put

RED = pytest.raises(AssertionError)


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


def test_another_file_is_noticed_by_one_who_writes_only(
    open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("otpcore.stores.log.time.monotonic", lambda: now)
    store = open_store()
    put(store, "key", 1)
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    now += 1.0
    store.commit("new", b'{"n":2}', expect=None, gc_at=GC_AT)
    assert number_of(open_store(), "new") == 2


def test_another_file_that_is_none_of_ours_is_refused_each_time(
    open_store: Opens, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("otpcore.stores.log.time.monotonic", lambda: now)
    store = open_store()
    put(store, "key", 1)
    other = path.with_suffix(".other")
    other.write_text("somebody's notes\n")
    other.replace(path)
    now += 1.0
    for _ in range(2):
        with pytest.raises(StoreFormatError):
            store.load("key")
