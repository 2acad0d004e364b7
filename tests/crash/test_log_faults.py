"""The embedded store on a disk that is full, writes short or fails to sync, and with its lock file deleted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.stores import frames, segment
from otpcore.stores.descriptor import Descriptor
from otpcore.stores.frames import Record
from otpcore.stores.hostlock import HostLock
from otpcore.stores.log import RecordLog
from otpcore.stores.segment import Segment
from otpcore.stores.tinydb import TinyDBStore
from tests.crash.log_files import GC_AT, append, data_of, leave_room, lines_of, put

RED = pytest.raises(AssertionError)


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


def refuse_without_a_look(log: RecordLog, records: Sequence[Record]) -> None:
    try:
        log.current().append(records)
    except OSError as error:
        raise log.unavailable(error) from error


def test_a_log_that_needs_its_filler_fails_that(
    store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "key", b'{"n":0}')

    def nothing(*_errors: object) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()

    monkeypatch.setattr(contextlib, "suppress", nothing)
    monkeypatch.setattr(RecordLog, "append", refuse_without_a_look)
    with pytest.raises(StoreUnavailable):
        check_no_room_for_filler(store, path)


def test_a_write_that_lacks_only_its_newline_counts_because_filler_stands_in(store: TinyDBStore, path: Path) -> None:
    put(store, "key", b'{"n":0}')
    length = len(lines_of(path).splitlines()[-1])
    with pytest.MonkeyPatch.context() as disk:
        full_disk_after(length, disk)
        put(store, "key", b'{"n":1}')
    assert data_of(TinyDBStore(path), "key") == b'{"n":1}'


def test_a_log_that_does_not_cut_its_own_part_fails_that(
    store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordLog, "append", refuse_without_a_look)
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


def test_a_disk_that_fails_while_a_torn_line_is_judged_blocks_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader finds a torn line; before it judges it, a sync has failed and another thread is writing the new file."""
    store = TinyDBStore(path)
    put(store, "key", b'{"n":1}')
    append(path, b"torn")
    refresh, exclusive = RecordLog.refresh, RecordLog.exclusive
    answers, healing = list[bytes | None](), threading.Event()

    def read() -> None:
        answers.append(data_of(store, "key"))

    reader, healer = (threading.Thread(target=read, daemon=True) for _ in range(2))

    def noted(log: RecordLog, *, heal: bool = True) -> contextlib.AbstractContextManager[Segment]:
        if threading.current_thread() is healer:
            healing.set()
        return exclusive(log, heal=heal)

    def fail_meanwhile(log: RecordLog, *, locked: bool, reopen: bool = True) -> bool:
        seen = refresh(log, locked=locked, reopen=reopen)
        if threading.current_thread() is reader and not seen:
            log.current().failed = True
            healer.start()
            assert healing.wait(60)
        return seen

    monkeypatch.setattr(RecordLog, "exclusive", noted)
    monkeypatch.setattr(RecordLog, "refresh", fail_meanwhile)
    reader.start()
    reader.join(10)
    assert not reader.is_alive()
    healer.join(30)
    assert answers == [b'{"n":1}'] * 2
    store.close()  # not in a fixture: one that is blocked could not be closed


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
