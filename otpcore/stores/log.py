"""The embedded store's append-only log: who may write, who sees what, and what happens after a crash.

Locks, in the order in which they are taken:

1. the mutex, among the threads of one process: index, end of file, current segment;
2. `flock` on `<file>.lock`, among processes, kept open and never deleted: held to append, to cut a torn tail and
   for the rename that ends a compaction; never while a disk is waited for, but for that rename.

A compaction also holds `flock` on the inode that it copies, so that there is one at a time on a host.

Readers take no lock between processes: they follow the lines to the filler. Where something else follows, the
file was replaced, or cut, or a write is torn: then they look at the path's inode.
What looks damaged to them is judged again under the lock, because a writer may be at it.

Rules of this file: records are opaque JSON values; nothing here knows TinyDB or the store contract.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import Final

from otpcore.errors import StoreUnavailable
from otpcore.stores.compaction import COMPACT_MIN_LINES, Compactor, adopt, create
from otpcore.stores.frames import Record
from otpcore.stores.hostlock import HostLock
from otpcore.stores.place import prepare, require_regular, sync_folder
from otpcore.stores.segment import Entry, LogStats, Segment

__all__ = ["LogStats", "RecordLog"]

logger = logging.getLogger("otpcore.stores")

LOOK_EVERY: Final = 1.0
"""Seconds after which the inode is looked at in any case: somebody may have put another file there."""
REOPENINGS: Final = 3
"""How often a writer that finds a new file gives the lock back before it reads it while others wait."""


class RecordLog:
    """Versioned JSON values by table and key in one file, for threads and processes of one host.

    Attributes:
        path: the file's real path.
        temp: where a new file is written before it is renamed.
        lock: among processes.
        compactor: copies the file when it has grown.
        sync: what `exclusive` appended is on the disk when it has returned.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True, min_lines: int = COMPACT_MIN_LINES) -> None:
        self.path = prepare(path)
        self.sync = sync
        self.temp = self.path + ".compacting"
        self._cuts = self._cut_bytes = 0
        self._segment: Segment | None = None
        self.lock = HostLock(self.path + ".lock")
        self.compactor = Compactor(self, min_lines)
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
        self.compactor.reset()
        self._depth = self._owner = 0  # the thread inside `exclusive`, and how often
        self._look_at = 0.0
        self._written: Segment | None = None
        if self._segment is not None:
            self._segment.file.close()
            self._segment = None
        self.lock.forget()

    def after_fork(self) -> None:
        """Forget the parent's descriptors and locks, if this process is not the one that made them."""
        if self._pid != os.getpid():
            self._reset()

    @property
    def stats(self) -> LogStats:
        """How the log stands now."""
        with self.reading() as segment:
            index, size = segment.index, os.fstat(segment.file.fd).st_size
            return LogStats(self.path, size, index.lines, index.live, self._cuts, self._cut_bytes, self.compactor.done)

    def close(self) -> None:
        """Release the files; a compaction under way is waited for. Calling it twice is harmless."""
        self.after_fork()
        self.compactor.join()
        with self._mutex:
            self._closed = True
            self._segment = None  # only dropped: a thread may still be in a sync, and the last user closes
            self.lock.forget()

    # --- seeing ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Generator[Segment]:
        """The current segment, followed to the end of the file; no other thread moves it meanwhile.

        Raises:
            StoreUnavailable, StoreFormatError: the file cannot be read.
        """
        self._heal()
        with self._mutex:
            yield self._seen()

    def find(self, table: str, key: str) -> tuple[Entry, bytes] | None:
        """The entry and value of a key; raises as `reading` does."""
        self._heal()
        with self._mutex:
            segment = self._seen()
            entries = segment.index.tables.get(table)
            entry = None if entries is None else entries.get(key)
            return None if entry is None else (entry, self.value(segment, entry))

    def _seen(self) -> Segment:
        if self._depth == 0 and not self._guarded_refresh(locked=False):
            with self.exclusive(heal=False):  # judges and cuts what readers cannot; who heals may want the mutex
                pass
        segment = self.current()
        segment.settle()
        return segment

    def value(self, segment: Segment, entry: Entry) -> bytes:
        """The value of an entry of `segment`.

        Raises:
            StoreUnavailable, StoreFormatError: it cannot be read.
        """
        try:
            return segment.value(entry)
        except OSError as error:
            raise self.unavailable(error) from error

    def current(self) -> Segment:
        """The segment in use, inside `reading` or `exclusive`."""
        if self._segment is None:
            raise StoreUnavailable(f"{self.path} is closed")
        return self._segment

    def _guarded_refresh(self, *, locked: bool, reopen: bool = True) -> bool:
        if self._closed:
            raise StoreUnavailable(f"{self.path} is closed")
        try:
            return self.refresh(locked=locked, reopen=reopen)
        except OSError as error:
            raise self.unavailable(error) from error

    def refresh(self, *, locked: bool, reopen: bool = True) -> bool:
        """Follow the file to its end; False: only a holder of the lock can, or a new file was not to be opened."""
        segment = self._segment
        # Followed to filler, it is the file: a compaction writes over the filler before it renames. Since Linux 6.13
        # a look at an inode's times makes the next write record new ones, and the sync after it a third slower.
        if segment is not None and segment.in_filler() and time.monotonic() < self._look_at:
            return True
        try:
            now = os.stat(self.path)  # noqa: PTH116 - the hot path; a Path costs more than the call
        except FileNotFoundError:
            now = None
        if self._may_create and (now is None or now.st_size == 0):
            if not locked:
                return False
            if now is not None:
                require_regular(self.path, now.st_mode)
            self.publish(create(self.temp, None))
            return True
        if now is None:
            raise StoreUnavailable(f"{self.path} was removed while it was in use")
        segment, size = self._segment, now.st_size
        if segment is None or now.st_ino != segment.inode or size < segment.end:
            if not reopen:
                return False
            require_regular(self.path, now.st_mode)
            before, segment = segment, Segment.open(self.path)
            if self.sync:
                sync_folder(self.path)  # whoever renamed it may have died before it could
            if before is not None:
                adopt(before, segment)
            self._segment, size = segment, os.fstat(segment.file.fd).st_size
        segment.size, self._look_at = size, time.monotonic() + LOOK_EVERY  # not before the file is the one in use
        if size == segment.end or segment.follow(size):
            return True
        if locked:
            self._cut(segment, size)
        return locked

    def _cut(self, segment: Segment, size: int) -> None:
        cut = segment.cut(size, self.path)
        self._cuts += 1
        self._cut_bytes += cut
        logger.warning("cut %d bytes of an unfinished write off the end of %s", cut, self.path)

    # --- writing -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def exclusive(self, *, heal: bool = True) -> Generator[Segment]:
        """No other thread or process writes meanwhile; what was appended is on the disk at the exit.

        Raises:
            StoreUnavailable, StoreFormatError: the file cannot be used.
            CommitUnknown: at the exit: the disk did not confirm what was appended.
        """
        segment = self.enter(heal=heal)
        try:
            yield segment
        except BaseException:
            self.leave()
            raise
        self.finish()

    def enter(self, *, heal: bool = True) -> Segment:
        """Begin what `exclusive` does; `leave` or `finish` follows, whatever happens. Raises as `exclusive` does."""
        if heal:
            self._heal()
        self._mutex.acquire()
        self._depth += 1
        try:
            if self._depth == 1:
                self._begin()
            return self.current()
        except BaseException:
            self.leave()
            raise

    def leave(self) -> Segment | None:
        """Let others write.

        Returns:
            The segment that was written and is to be synced; None: nothing was, or the outermost `leave` is to come.
        """
        self._depth -= 1
        written = None
        try:
            if self._depth == 0:
                self._owner = 0
                written, self._written = self._written, None
                self.lock.release()
        finally:
            self._mutex.release()
        return written

    def finish(self) -> None:
        """Leave, and wait for the disk."""
        end = self._written.end if self._written is not None else 0
        written = self.leave()
        if written is not None:
            if self.sync:
                written.datasync(end)
            self.compactor.consider(written)

    def _begin(self) -> None:
        self._owner = threading.get_ident()
        self._written = None
        if self._segment is not None:
            self._segment.settle()
        self._take_lock()
        for _ in range(REOPENINGS):
            if self._guarded_refresh(locked=True, reopen=False):
                return
            self.lock.release()  # a new file takes long to read: not under the lock
            self._guarded_refresh(locked=False)
            self._take_lock()
        self._guarded_refresh(locked=True)

    def _take_lock(self) -> None:
        try:
            self.lock.acquire()
        except OSError as error:
            raise self.unavailable(error) from error

    def append(self, records: Sequence[Record]) -> None:
        """Append one batch, inside `exclusive`: all of it or nothing.

        Raises:
            StoreUnavailable: nothing of it counts.
        """
        segment = self.current()
        end = segment.end
        try:
            segment.append(records)
        except OSError as error:
            self._guarded_refresh(locked=True)
            if segment.end == end:  # else it lacked only its newline, and filler stands in for that
                raise self.unavailable(error) from error
        self._written = segment

    def publish(self, new: Segment, before: Callable[[], None] = lambda: None) -> None:
        """Make `new`, which lies at `temp`, the file. The caller holds the lock.

        Args:
            new: the segment.
            before: called when the new file is on the disk, right before others can find it.

        Raises:
            OSError: it is not, or not certainly on the disk; the next use looks again.
        """
        os.fdatasync(new.file.fd)
        before()
        os.replace(self.temp, self.path)  # noqa: PTH105 - strings in, no Path needed
        sync_folder(self.path)  # before anybody can acknowledge a write to it
        self._segment = new

    def _heal(self) -> None:
        """After a failed sync: write everything that is seen to a new file before anything is answered."""
        self.after_fork()
        segment = self._segment
        if segment is not None and segment.failed and self._owner != threading.get_ident():
            self.compactor.run(wait=True)

    def compact(self) -> bool:
        """Compact now, beside other readers and writers; False: another thread or process is at it.

        Raises:
            StoreUnavailable, StoreFormatError: it could not be done; the old file stands.
        """
        self._heal()
        return self.compactor.run()

    def unavailable(self, error: OSError) -> StoreUnavailable:
        """The error that tells of a failed system call."""
        return StoreUnavailable(f"{self.path}: {error.strerror}")


_logs: weakref.WeakSet[RecordLog] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """Close inherited descriptors at once: an idle child would keep a lock that its dead parent held."""
    for log in list(_logs):
        log.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
