"""The embedded store's file: who may read it, what is refused in its place, what a line holds, exports."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
import tinydb

from otpcore.contract import Conflict, Version
from otpcore.errors import ConfigurationError, StoreFormatError, StoreUnavailable, UsageError
from otpcore.settings import data_folder
from otpcore.stores import log, place
from otpcore.stores import tinydb as module
from otpcore.stores.export import export_json
from otpcore.stores.tinydb import TinyDBSettings, TinyDBStore, otpcore_stores

GC_AT = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
RED = pytest.raises(AssertionError)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.otpdb"


@pytest.fixture
def store(path: Path) -> Iterator[TinyDBStore]:
    opened = TinyDBStore(path)
    yield opened
    opened.close()


def put(store: TinyDBStore, key: str, data: bytes | None) -> Version:
    found = store.load(key)
    answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
    assert not isinstance(answer, Conflict)
    return answer


# --- where it lies ---------------------------------------------------------------------------------


def test_folders_and_files_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.otpdb"
    before = os.umask(0)
    try:
        TinyDBStore(path).close()
    finally:
        os.umask(before)
    modes = [one.stat().st_mode & 0o777 for one in (path.parent.parent, path.parent, path, Path(f"{path}.lock"))]
    assert [oct(mode) for mode in modes] == ["0o700", "0o700", "0o600", "0o600"]


def test_an_empty_file_that_somebody_made_is_begun(path: Path) -> None:
    path.touch()
    store = TinyDBStore(path)
    put(store, "key", b"{}")
    store.close()


def test_a_link_goes_on_naming_the_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    store = TinyDBStore(link)
    put(store, "key", b"{}")
    store.log.compact()
    store.close()
    assert link.is_symlink()
    again = TinyDBStore(path)
    assert again.load("key") is not None
    again.close()


def test_what_cannot_be_opened_is_unavailable_and_named(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnavailable, match=str(path)):
        TinyDBStore(path / "store.otpdb")


def make_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root may make a device")


def make_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


NO_FILES: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "device": make_device,
    "pipe": os.mkfifo,
    "socket": make_socket,
}


def check_refused(path: Path, kind: str) -> None:
    """Whatever has the path keeps it, and nothing was made beside it."""
    before = path.lstat()
    with pytest.raises(ConfigurationError, match=f"is a {kind}"):
        TinyDBStore(path).close()
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_refused_and_left_alone(kind: str, path: Path) -> None:
    NO_FILES[kind](path)
    check_refused(path, kind)


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_link_to_what_is_no_file_is_refused_too(kind: str, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "target"
    target.parent.mkdir()
    NO_FILES[kind](target)
    path.symlink_to(target)
    with pytest.raises(ConfigurationError, match=f"{target} is a {kind}"):
        TinyDBStore(path)
    assert [one.name for one in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("kind", ["device", "pipe", "socket"])
def test_a_store_that_does_not_look_what_it_replaces_fails_that(
    kind: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_path: str, _mode: int) -> None:
        pass

    for module_ in (place, log):
        monkeypatch.setattr(module_, "require_regular", nothing)
    NO_FILES[kind](path)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check_refused(path, kind)


MOUNTS = """\
/dev/vda1 / ext4 rw 0 0
server:/export /srv/shared nfs4 rw 0 0
tmpfs /srv/shared/local tmpfs rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0
me@host:/ /home/me/remote fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", None),
        ("/srv/shared", "nfs4"),
        ("/srv/shared/app/data", "nfs4"),
        ("/srv/shared-not", None),
        ("/srv/shared/local", None),
        ("/mnt/with space/x", "cifs"),
        ("/home/me/remote", "fuse.sshfs"),
    ],
)
def test_a_network_file_system_is_known_by_the_deepest_mount(folder: str, kind: str | None) -> None:
    assert place.network_file_system(folder, MOUNTS) == kind


def test_a_network_file_system_is_refused(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    with pytest.raises(ConfigurationError, match="nfs4"):
        TinyDBStore(path)
    assert not path.exists()


# --- what is not ours ------------------------------------------------------------------------------

FOREIGN = {
    "a stock TinyDB file": (b'{"_default": {"1": {"n": 1}}}', "stock TinyDB"),
    "a stock TinyDB file with lines": (b'{\n "_default": {}\n}', "stock TinyDB"),
    "text": (b"hello\n", "another kind"),
    "an SQLite file": (b"SQLite format 3\x00" + bytes(100), "another kind"),
    "a newer schema": (b'{"format": "otpcore-tinydb-log", "schema": 2, "new": []}\n', "schema 2"),
    "a header without its id": (b'{"format": "otpcore-tinydb-log", "schema": 1}\n', "schema 1"),
    "half a header": (b'{"format": "otpcore-tinydb-log", "sch', "stock TinyDB"),
    "an array": (b"[]\n", "another kind"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(name: str, path: Path) -> None:
    content, words = FOREIGN[name]
    path.write_bytes(content)
    with pytest.raises(StoreFormatError, match=words):
        TinyDBStore(path)
    assert path.read_bytes() == content


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


# --- export ----------------------------------------------------------------------------------------


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
