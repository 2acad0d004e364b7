"""The embedded store's append-only log: who may write, who sees what, and what happens after a crash.

Locks, in the order in which they are taken:

1. the mutex, among the threads of one process: index, end of file, current segment;
2. `flock` on `<file>.lock`, among processes, kept open and never deleted: held to append, to cut a torn tail and
   for the rename that ends a compaction; never while a disk is waited for, but for that rename.

A compaction also holds `flock` on the inode that it copies, so that there is one at a time on a host.

Readers take no lock between processes: they follow the end of the file, and the inode when it was replaced.
What looks damaged to them is judged again under the lock, because a writer may be at it.

Rules of this file: records are opaque JSON values; nothing here knows TinyDB or the store contract.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otpcore.errors import StoreError, StoreFormatError, StoreUnavailable
from otpcore.stores import compaction, frames
from otpcore.stores.frames import Record
from otpcore.stores.place import prepare, sync_folder
from otpcore.stores.segment import Descriptor, Entry, Segment

__all__ = ["LogStats", "RecordLog", "new_version"]

logger = logging.getLogger("otpcore.stores")

COMPACT_FACTOR: Final = 3
"""A compaction starts when lines reach this multiple of the live ones (and `min_lines`)."""
COMPACT_MIN_LINES: Final = 4096
SMALL_TAIL: Final = 64 * 1024
"""Bytes that a compaction may leave to copy under the lock."""
CATCH_UP_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class LogStats:
    """How a log stands, for `doctor`.

    Attributes:
        path: of the file.
        file_bytes, lines, live: size, lines below the header, lines that stand for a record.
        cuts, cut_bytes: torn tails that this object cut, and their bytes.
        compactions: that this object finished.
    """

    path: str
    file_bytes: int
    lines: int
    live: int
    cuts: int
    cut_bytes: int
    compactions: int


def new_version() -> str:
    """A token that never comes again: 96 random bits, so no counter can be set back by a restore or a fork."""
    return os.urandom(12).hex()


class RecordLog:
    """Versioned JSON values by table and key in one file, for threads and processes of one host.

    Attributes:
        path: the file's real path.
        sync: what `exclusive` appended is on the disk when it has returned.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True, min_lines: int = COMPACT_MIN_LINES) -> None:
        self.path = prepare(path)
        self.sync = sync
        self._min_lines = min_lines
        self._cuts = self._cut_bytes = self._compactions = 0
        self._segment: Segment | None = None
        self._lock: Descriptor | None = None
        self._closed = False
        self._may_create = True
        self._reset()
        with self.exclusive():
            self._may_create = False
        _logs.add(self)

    def _reset(self) -> None:
        """Start with nothing of another process: in the constructor, and in a child after a fork.

        A child must not share the descriptors: `flock` belongs to the open file, so parent and child
        would both hold it, and the parent's would outlive the parent. A lock that another thread of the
        parent held is held for ever in the child, hence new ones.
        """
        self._pid = os.getpid()
        self._mutex = threading.RLock()
        self._compacting = threading.Lock()
        self._worker: threading.Thread | None = None
        self._depth = 0
        self._owner = 0  # the thread inside `exclusive`
        self._written: Segment | None = None
        if self._segment is not None:
            self._segment.file.close()
        if self._lock is not None:
            self._lock.close()
        self._segment = self._lock = None

    def after_fork(self) -> None:
        """Forget the parent's descriptors and locks, if this process is not the one that made them."""
        if self._pid != os.getpid():
            self._reset()

    @property
    def stats(self) -> LogStats:
        """How the log stands now."""
        with self.reading() as segment:
            index = segment.index
            size = os.fstat(segment.file.fd).st_size
            return LogStats(self.path, size, index.lines, index.live, self._cuts, self._cut_bytes, self._compactions)

    def close(self) -> None:
        """Release the files; a compaction under way is waited for. Calling it twice is harmless."""
        self.after_fork()
        if (worker := self._worker) is not None:
            worker.join()
        with self._mutex:
            self._closed = True
            # only dropped: a thread may still be in a sync, and the last user closes
            self._segment = self._lock = None

    # --- seeing ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[Segment]:
        """The current segment, followed to the end of the file; no other thread moves it meanwhile.

        Raises:
            StoreUnavailable, StoreFormatError: the file cannot be read.
        """
        self._heal()
        with self._mutex:
            if self._depth == 0 and not self._guarded_refresh(locked=False):
                with self.exclusive():  # judges and cuts what readers cannot
                    pass
            yield self._current()

    def find(self, table: str, key: str) -> tuple[Entry, bytes] | None:
        """The entry and value of a key."""
        with self.reading() as segment:
            entry = segment.index.tables.get(table, {}).get(key)
            return None if entry is None else (entry, self.value(segment, entry))

    def value(self, segment: Segment, entry: Entry) -> bytes:
        """The value of an entry of `segment`.

        Raises:
            StoreUnavailable, StoreFormatError: it cannot be read.
        """
        try:
            return segment.value(entry)
        except OSError as error:
            raise self._unavailable(error) from error

    def _current(self) -> Segment:
        if self._segment is None:
            raise StoreUnavailable(f"{self.path} is closed")
        return self._segment

    def _guarded_refresh(self, *, locked: bool) -> bool:
        if self._closed:
            raise StoreUnavailable(f"{self.path} is closed")
        try:
            return self._refresh(locked=locked)
        except OSError as error:
            raise self._unavailable(error) from error

    def _refresh(self, *, locked: bool) -> bool:
        """Follow the file to its end; False: only a holder of the lock can."""
        try:
            now = os.stat(self.path)  # noqa: PTH116 - the hot path; a Path costs more than the call
        except FileNotFoundError:
            now = None
        if self._may_create and (now is None or now.st_size == 0):
            self._publish(compaction.create(self._temp, None))
            return True
        if now is None:
            raise StoreUnavailable(f"{self.path} was removed while it was in use")
        segment, size = self._segment, now.st_size
        if segment is None or now.st_ino != segment.inode or size < segment.end:
            segment = Segment.open(self.path)
            size = os.fstat(segment.file.fd).st_size
            if self.sync:
                sync_folder(self.path)  # whoever renamed it may have died before it could
            self._segment = segment
        if size == segment.end or segment.follow(size):
            return True
        if locked:
            self._cut(segment, size)
        return locked

    def _cut(self, segment: Segment, size: int) -> None:
        """Remove what a writer that died or failed left after the last complete batch."""
        rest = os.pread(segment.file.fd, size - segment.end, segment.end)
        damaged = frames.find_damage(rest)
        if damaged is not None:
            raise StoreFormatError(
                f"line {segment.index.lines + 2 + damaged} of {self.path} is damaged and intact lines follow it,"
                " so this is no interrupted write; see 'A damaged line' in the documentation of the embedded store"
            )
        os.ftruncate(segment.file.fd, segment.end)
        self._cuts += 1
        self._cut_bytes += len(rest)
        logger.warning("cut %d bytes of an unfinished write off the end of %s", len(rest), self.path)

    # --- writing -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def exclusive(self, *, heal: bool = True) -> Iterator[Segment]:
        """No other thread or process writes meanwhile; what was appended is on the disk at the exit.

        Raises:
            StoreUnavailable, StoreFormatError: the file cannot be used.
            CommitUnknown: at the exit: the disk did not confirm what was appended.
        """
        if heal:
            self._heal()
        with self._mutex:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._begin()
                yield self._current()
                written = self._written if self._depth == 1 else None
                end = written.end if written is not None else 0
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._release()
        if written is not None:
            if self.sync:
                written.datasync(end)
            self._consider_compaction(written)

    def _begin(self) -> None:
        self._owner = threading.get_ident()
        self._written = None
        if self._segment is not None:
            self._guarded_refresh(locked=False)  # a new inode takes long to read: not under the lock
        try:
            self._take_lock()
        except OSError as error:
            raise self._unavailable(error) from error
        self._guarded_refresh(locked=True)

    def _release(self) -> None:
        self._owner = 0
        if self._lock is not None:
            fcntl.flock(self._lock.fd, fcntl.LOCK_UN)

    def _take_lock(self) -> None:
        while True:
            if self._lock is None:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                self._lock = Descriptor(os.open(self.path + ".lock", flags, 0o600))
            fcntl.flock(self._lock.fd, fcntl.LOCK_EX)
            if os.fstat(self._lock.fd).st_nlink:
                return
            self._lock = None  # somebody deleted it, so others lock another file by now

    def append(self, records: Sequence[Record]) -> None:
        """Append one batch, inside `exclusive`: all of it or nothing.

        Raises:
            StoreUnavailable: nothing of it counts.
        """
        segment = self._current()
        try:
            segment.append(records)
        except OSError as error:
            self._guarded_refresh(locked=True)
            raise self._unavailable(error) from error
        self._written = segment

    def _unavailable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(f"{self.path}: {error.strerror}")

    # --- compacting --------------------------------------------------------------------------

    @property
    def _temp(self) -> str:
        return self.path + ".compacting"

    def _publish(self, new: Segment) -> None:
        """Make `new`, which lies at the temporary name, the file. The caller holds the lock."""
        os.fdatasync(new.file.fd)
        os.replace(self._temp, self.path)  # noqa: PTH105 - strings in, no Path needed
        sync_folder(self.path)  # before anybody can acknowledge a write to it
        self._segment = new

    def _heal(self) -> None:
        """After a failed sync: write everything that is seen to a new file before anything is answered."""
        self.after_fork()
        segment = self._segment
        if segment is not None and segment.failed and self._owner != threading.get_ident():
            self.compact(wait=True)

    def compact(self, *, wait: bool = False) -> bool:
        """Copy the live lines into a new file and put it in place; others read and write meanwhile.

        Args:
            wait: for another thread or process that is compacting, instead of leaving it to them.

        Returns:
            Whether this call did it.

        Raises:
            StoreUnavailable, StoreFormatError: it could not be done; the old file stands.
        """
        if not self._compacting.acquire(blocking=wait):
            return False
        try:
            with self.exclusive(heal=False) as old:
                live, mark = compaction.snapshot(old), old.end
            fcntl.flock(old.file.fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            try:
                return self._replace(old, live, mark)
            finally:
                fcntl.flock(old.file.fd, fcntl.LOCK_UN)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            self._compacting.release()

    def _replace(self, old: Segment, live: list[compaction.Live], mark: int) -> bool:
        """Copy and rename; the caller holds the inode's lock."""
        with self.exclusive(heal=False) as now:
            if now is not old:
                return False  # another process has done it
        new = compaction.create(self._temp, old)
        try:
            compaction.copy_live(old, live, new)
            for _ in range(CATCH_UP_ROUNDS):
                with self._mutex:
                    self._guarded_refresh(locked=False)
                    end = old.end
                compaction.copy_tail(old, new, mark, end)
                os.fdatasync(new.file.fd)
                behind, mark = end - mark, end
                if behind < SMALL_TAIL:
                    break
            with self.exclusive(heal=False) as now:
                if now is not old:
                    return False
                compaction.copy_tail(old, new, mark, old.end)
                self._publish(new)
                self._compactions += 1
                return True
        finally:
            if self._segment is not new:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._temp)  # noqa: PTH108 - a string in, no Path needed

    def _consider_compaction(self, segment: Segment) -> None:
        lines = segment.index.lines
        if lines < max(self._min_lines, segment.compact_at) or lines < COMPACT_FACTOR * segment.index.live:
            return
        if self._worker is not None and self._worker.is_alive():
            return
        segment.compact_at = lines + self._min_lines  # when this one fails, or another process does it
        self._worker = threading.Thread(target=self._compact_aside, name="otpcore-compaction", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter is ending; the next process will do it
            self._worker.start()

    def _compact_aside(self) -> None:
        try:
            self.compact()
        except StoreError as error:
            logger.warning("compaction of %s failed, it goes on growing: %s", self.path, error)


_logs: weakref.WeakSet[RecordLog] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """Close inherited descriptors at once: an idle child would keep a lock that its dead parent held."""
    for log in list(_logs):
        log.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
