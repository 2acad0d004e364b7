from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otpcore.contract import Conflict, Version
from otpcore.errors import CommitUnknown, StoreFormatError, StoreUnavailable
from otpcore.stores import frames, segment
from otpcore.stores.frames import Record
from otpcore.stores.hostlock import HostLock
from otpcore.stores.log import RecordLog
from otpcore.stores.segment import Descriptor, Segment
from otpcore.stores.tinydb import TinyDBStore

GC_AT = datetime.now(UTC) + timedelta(days=1)
RED = pytest.raises(AssertionError)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.otpdb"


@pytest.fixture
def store(path: Path) -> Iterator[TinyDBStore]:
    opened = TinyDBStore(path)
    yield opened
    opened.close()


def put(store: TinyDBStore, key: str, data: bytes) -> Version:
    found = store.load(key)
    answer = store.commit(key, data, expect=found.version if found else None, gc_at=GC_AT)
    assert not isinstance(answer, Conflict)
    return answer


def data_of(store: TinyDBStore, key: str) -> bytes | None:
    found = store.load(key)
    return None if found is None else found.data


def lines_of(path: Path) -> bytes:
    """The file without its filler."""
    return path.read_bytes().rstrip(b"\n") + b"\n"


def append(path: Path, data: bytes) -> None:
    """Write behind the last line, as a writer that fails."""
    end = len(lines_of(path))
    with path.open("r+b") as file:
        file.seek(end)
        file.write(data)


def leave_room(path: Path, room: int) -> None:
    """Set the length of the filler."""
    os.truncate(path, len(lines_of(path)))
    append(path, b"\n" * room)


# --- a disk that takes a part, or nothing ----------------------------------------------------------


def full_disk_after(taken: int, monkeypatch: pytest.MonkeyPatch, *more: int) -> None:
    """Writes take so many bytes, the later ones so many each, and then none."""
    write, parts = os.write, [taken, *more]

    def some(fd: int, data: bytes) -> int:
        part = parts.pop(0) if parts else 0
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data[:part])

    monkeypatch.setattr(os, "write", some)


def check_full_disk(store: TinyDBStore, path: Path, taken: int, room: int) -> None:
    put(store, "key", b'{"state":"old"}')
    leave_room(path, room)
    lines = lines_of(path)
    with pytest.MonkeyPatch.context() as disk:
        full_disk_after(taken, disk)
        with pytest.raises(StoreUnavailable, match=str(path)):
            put(store, "key", b'{"state":"new"}')
    assert lines_of(path) == lines
    assert data_of(store, "key") == b'{"state":"old"}'
    put(store, "key", b'{"state":"later"}')
    assert data_of(store, "key") == b'{"state":"later"}'


@pytest.mark.parametrize("room", [0, 30, 60, 1000])
@pytest.mark.parametrize("taken", [0, 1, 50, 80])
def test_a_full_disk_refuses_and_leaves_nothing_behind(store: TinyDBStore, path: Path, taken: int, room: int) -> None:
    check_full_disk(store, path, taken, room)


def check_no_room_for_filler(store: TinyDBStore, path: Path) -> None:
    """Each disk below takes the line, and then nothing, or a part, of the filler."""
    length = len(frames.encode(Record("records", "key", "0" * 24, frames.micros(GC_AT), b'{"n":1}'), 0)[0])
    for number, (room, more) in enumerate([(0, 0), (0, 10), (30, 0), (length - 1, 1)]):
        leave_room(path, room)
        with pytest.MonkeyPatch.context() as disk:
            full_disk_after(length, disk, more)
            put(store, "key", b'{"n":%d}' % number)
        for reader in (store, TinyDBStore(path)):
            assert data_of(reader, "key") == b'{"n":%d}' % number
    assert store.stats.cuts == 0


def test_a_disk_with_room_for_the_line_alone_takes_it(store: TinyDBStore, path: Path) -> None:
    put(store, "key", b'{"n":0}')
    check_no_room_for_filler(store, path)


def test_a_log_that_needs_its_filler_fails_that(
    store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "key", b'{"n":0}')
    monkeypatch.setattr(contextlib, "suppress", lambda *_errors: contextlib.nullcontext())
    with pytest.raises(StoreUnavailable):
        check_no_room_for_filler(store, path)


def test_a_log_that_does_not_cut_its_own_part_fails_that(
    store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append(log: RecordLog, records: Sequence[Record]) -> None:
        try:
            log.current().append(records)
        except OSError as error:
            raise log.unavailable(error) from error

    monkeypatch.setattr(RecordLog, "append", append)
    with RED:
        check_full_disk(store, path, 50, 1000)


def check_short_writes(store: TinyDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def few(fd: int, data: bytes) -> int:
        return write(fd, data[:7])

    monkeypatch.setattr(os, "write", few)
    put(store, "key", b'{"state":"written in small parts"}')
    monkeypatch.undo()
    assert data_of(TinyDBStore(store.log.path), "key") == b'{"state":"written in small parts"}'


def test_short_writes_are_continued(store: TinyDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    check_short_writes(store, monkeypatch)


def test_a_single_write_fails_that(store: TinyDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_once(fd: int, data: bytes) -> None:
        os.write(fd, data)

    with pytest.MonkeyPatch.context() as defect:
        defect.setattr(segment, "write_all", write_once)
        with RED:
            check_short_writes(store, monkeypatch)


# --- a disk that does not confirm ------------------------------------------------------------------


class Disk:
    """Remembers what was synced; can refuse once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refuse = False
        self.failed: set[int] = set()
        self.trusted_after_failure = False
        self.synced: dict[int, bytes] = {}
        self.calls = 0
        self.real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def fdatasync(self, fd: int) -> None:
        self.calls += 1
        now = os.fstat(fd)
        self.trusted_after_failure |= now.st_ino in self.failed
        if self.refuse:
            self.refuse = False
            self.failed.add(now.st_ino)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.real(fd)
        self.synced[now.st_ino] = os.pread(fd, now.st_size, 0)


def check_synced(path: Path, disk: Disk, *, sync: bool) -> None:
    store = TinyDBStore(path, sync=sync)
    for number in range(5):
        put(store, f"key{number}", b'{"n":1}')
        assert disk.synced.get(path.stat().st_ino) == path.read_bytes()
    store.close()


def test_an_acknowledged_commit_is_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_synced(path, Disk(monkeypatch), sync=True)


def test_without_sync_it_is_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RED:
        check_synced(path, Disk(monkeypatch), sync=False)


def check_failed_sync(store: TinyDBStore, path: Path, disk: Disk) -> None:
    put(store, "key", b'{"state":"old"}')
    inode = path.stat().st_ino
    disk.refuse = True
    with pytest.raises(CommitUnknown):
        put(store, "key", b'{"state":"new"}')
    assert data_of(store, "key") == b'{"state":"new"}'  # and what is seen is on the disk:
    now = path.stat()
    assert now.st_ino != inode
    assert disk.synced[now.st_ino] == path.read_bytes()
    put(store, "key", b'{"state":"later"}')
    assert not disk.trusted_after_failure


def test_after_a_failed_sync_all_is_written_to_a_new_file(
    store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_failed_sync(store, path, Disk(monkeypatch))


def test_a_sync_that_is_tried_again_and_believed_fails_that(
    store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Segment, "failed", property(lambda _self: False, lambda _self, _value: None), raising=False)
    with RED:
        check_failed_sync(store, path, Disk(monkeypatch))


def test_while_the_disk_goes_on_failing_nothing_is_answered(
    store: TinyDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "key", b'{"state":"old"}')

    def broken(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(os, "fdatasync", broken)
        with pytest.raises(CommitUnknown):
            put(store, "key", b'{"state":"new"}')
        with pytest.raises(StoreUnavailable):
            store.load("key")
    assert data_of(store, "key") == b'{"state":"new"}'


def check_shared_sync(store: TinyDBStore, disk: Disk, threads: int) -> None:
    """The first sync waits until every thread has appended; one more must then do for all."""
    appended, first, real = threading.Semaphore(0), threading.Lock(), disk.fdatasync
    append = RecordLog.append

    def counted(log: RecordLog, records: Sequence[Record]) -> None:
        append(log, records)
        appended.release()

    def wait_for_all(fd: int) -> None:
        if first.acquire(blocking=False):
            for _ in range(threads):
                assert appended.acquire(timeout=60)
        real(fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fdatasync", wait_for_all)
        patch.setattr(RecordLog, "append", counted)
        disk.calls = 0
        workers = [threading.Thread(target=put, args=(store, f"key{n}", b'{"n":1}')) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert disk.calls <= 2


def test_threads_that_wait_together_share_a_sync(store: TinyDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    check_shared_sync(store, Disk(monkeypatch), 16)


def test_a_sync_for_each_commit_fails_that(store: TinyDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def each(self: Segment, _end: int) -> None:
        os.fdatasync(self.file.fd)

    monkeypatch.setattr(Segment, "datasync", each)
    with RED:
        check_shared_sync(store, Disk(monkeypatch), 16)


# --- what a crash or the disk left in the file -----------------------------------------------------


def line(more: int, key: str, value: bytes) -> bytes:
    return frames.encode(Record("records", key, "0123456789abcdef", 1, value), more)[0]


TORN = {
    "half a line": line(0, "a", b"{}")[:30],
    "a line without its last bytes": line(0, "a", b"{}")[:-2],
    "zeros": bytes(4096),
    "a damaged last line": line(0, "a", b'{"n":1}').replace(b"1}", b"2}"),
    "half of a batch": line(1, "a", b"{}"),
    "half of a batch and a half line": line(2, "a", b"{}") + line(1, "b", b"{}")[:-5],
}


@pytest.mark.parametrize("name", TORN)
def test_a_torn_tail_is_cut_and_reported(name: str, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = TinyDBStore(path)
    put(before, "key", b'{"n":1}')
    lines = lines_of(path)
    append(path, TORN[name])
    cut = len(TORN[name].rstrip(b"\n"))
    with caplog.at_level(logging.WARNING, "otpcore.stores"):
        after = TinyDBStore(path)
    assert [record.name for record in caplog.records] == ["otpcore.stores"]
    assert f"cut {cut} bytes" in caplog.text
    assert (after.stats.cuts, after.stats.cut_bytes) == (1, cut)
    assert lines_of(path) == lines
    assert after.load("a") is None
    put(after, "a", b'{"n":2}')
    assert data_of(before, "a") == b'{"n":2}'  # one that was open all the time follows
    assert data_of(before, "key") == b'{"n":1}'
    before.close()
    after.close()


def check_damage(path: Path, place: int) -> None:
    store = TinyDBStore(path)
    for number in range(4):
        put(store, f"key{number}", b'{"n":%d}' % number)
    store.close()
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = lines.copy()
    damaged[2] = damaged[2][:place] + bytes([damaged[2][place] ^ 1]) + damaged[2][place + 1 :]
    path.write_bytes(b"".join(damaged))
    try:
        TinyDBStore(path).close()
    except StoreFormatError as error:
        assert "line 3 of" in str(error)  # noqa: PT017 - opening it is the defect
    else:
        pytest.fail("a damaged line was taken")
    path.write_bytes(b"".join(damaged[:2] + damaged[3:]))  # as the documentation says
    store = TinyDBStore(path)
    assert [data_of(store, f"key{number}") is not None for number in range(4)] == [True, False, True, True]
    store.close()


@pytest.mark.parametrize("place", [1, 5, 12, 20, 30, -4, -2])
def test_a_damaged_line_before_intact_ones_is_refused_by_its_number(path: Path, place: int) -> None:
    check_damage(path, place if place >= 0 else 80 + place)


def test_a_file_without_checksums_fails_that(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Any32(int):
        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = int.__hash__

    class Zlib:
        @staticmethod
        def crc32(_data: object) -> int:
            return Any32(0)

    monkeypatch.setattr(frames, "zlib", Zlib)
    with pytest.raises(pytest.fail.Exception):
        check_damage(path, 76)


GAPS = {
    "a lost sector": (b"\n" * 1024, True),
    "a lost sector inside a line": (line(0, "a", b"{}")[:30] + b"\n" * 1024, True),
    "a long gap in the middle of one": (b"\n" * 65, True),
    "an empty line": (b"\n", False),
    "some empty lines": (b"\n" * 9, False),
    "an empty line behind a damaged one": (line(0, "a", b"{}")[1:] + b"\n", False),
}


def check_gap(path: Path, name: str) -> None:
    """A gap as only a power loss leaves it is cut, with what is behind; one that somebody typed is refused."""
    store = TinyDBStore(path)
    put(store, "key", b'{"n":1}')
    while len(lines_of(path)) % 512 < 200 or len(lines_of(path)) % 512 > 400:
        put(store, "key", b'{"n":1}')
    store.close()
    gap, lost = GAPS[name]
    if len(gap) > 500:  # to the end of a sector
        gap = gap[: -((len(lines_of(path)) + len(gap)) % 512)]
    append(path, gap + line(0, "key", b'{"n":2}') + line(0, "key", b'{"n":3}'))
    before = path.read_bytes()
    if lost:
        store = TinyDBStore(path)
        assert data_of(store, "key") == b'{"n":1}'
        assert store.stats.cuts == 1
        put(store, "key", b'{"n":4}')
        assert b'{"n":3}' not in path.read_bytes()
        store.close()
        return
    with pytest.raises(StoreFormatError, match="intact lines follow"):
        TinyDBStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", GAPS)
def test_a_gap_is_cut_or_refused_by_its_kind(path: Path, name: str) -> None:
    check_gap(path, name)


@pytest.mark.parametrize("name", ["a lost sector", "an empty line"])
def test_a_store_that_believes_its_first_empty_line_fails_that(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Segment, "_only_filler", lambda _self, _size: True)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check_gap(path, name)


def test_a_line_that_changes_in_place_is_not_answered(store: TinyDBStore, path: Path) -> None:
    put(store, "key", b'{"n":1}')
    path.write_bytes(path.read_bytes().replace(b'{"n":1}', b'{"n":2}'))
    with pytest.raises(StoreFormatError):
        store.load("key")


def test_a_removed_file_is_not_begun_anew(store: TinyDBStore, path: Path) -> None:
    put(store, "key", b'{"n":1}')
    path.unlink()
    with pytest.raises(StoreUnavailable, match="removed"):
        store.load("key")
    with pytest.raises(StoreUnavailable, match="removed"):
        put(store, "key", b'{"n":2}')
    assert not path.exists()


# --- the lock --------------------------------------------------------------------------------------


def refused_while_held(first: TinyDBStore, second: TinyDBStore, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the second cannot have the lock while the first has it."""
    flock = fcntl.flock

    def at_once(fd: int, operation: int) -> None:
        flock(fd, operation | fcntl.LOCK_NB)

    with first.log.exclusive(), monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", at_once)
        try:
            with second.log.exclusive():
                return False
        except StoreUnavailable:
            return True


def test_a_deleted_lock_file_is_noticed(store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(f"{path}.lock").unlink()
    other = TinyDBStore(path)
    assert refused_while_held(store, other, monkeypatch)
    assert refused_while_held(other, store, monkeypatch)
    other.close()


def test_a_lock_that_does_not_look_fails_that(store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(lock: HostLock) -> None:
        if lock.file is None:
            lock.file = Descriptor(os.open(lock.path, os.O_RDWR | os.O_CREAT, 0o600))
        fcntl.flock(lock.file.fd, fcntl.LOCK_EX)

    monkeypatch.setattr(HostLock, "acquire", acquire)
    Path(f"{path}.lock").unlink()
    other = TinyDBStore(path)
    assert not refused_while_held(store, other, monkeypatch)
    other.close()
