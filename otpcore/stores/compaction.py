"""Compaction: when the lines that still count are copied into a new file, and how.

A compaction takes a snapshot under the lock, copies it without, follows the tail that others write meanwhile, and
takes the lock again for the last of the tail and the rename. Killed anywhere, it leaves the old file in place
and a file at the temporary name, which the next one removes.

Right before the rename it writes a mark behind the last line of the old file, where others look for new lines, and a
map of what went where. Others who still have that file open go on with their index and look lines up in the map
(`moves.py`); without the map, they read the new file. A mark without a rename is cut like a torn line.

Rules of this file: it reads the old file and writes the new one. Locks, the rename, and what readers do are the
log's (`log.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import stat
import threading
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from otpcore.errors import StoreError, StoreFormatError
from otpcore.stores import frames
from otpcore.stores.descriptor import Descriptor
from otpcore.stores.frames import Header
from otpcore.stores.moves import MARK, Moves
from otpcore.stores.segment import Entry, Segment

if TYPE_CHECKING:
    from otpcore.stores.log import RecordLog

__all__ = ["COMPACT_MIN_LINES", "Compactor", "Live", "adopt", "copy_live", "copy_tail", "create", "snapshot"]

logger = logging.getLogger("otpcore.stores")

COMPACT_FACTOR: Final = 3
"""A compaction starts when lines reach this multiple of the live ones (and `COMPACT_MIN_LINES`)."""
COMPACT_MIN_LINES: Final = 4096
SMALL_TAIL: Final = 64 * 1024
"""Bytes that a compaction may leave to copy under the lock."""
CATCH_UP_ROUNDS: Final = 8
BUFFER: Final = 1 << 20

Live = dict[str, dict[str, Entry]]
"""By table and key, the entries of the lines that stand for a record."""


class Compactor:
    """Compacts one log, one compaction at a time on a host.

    Attributes:
        min_lines: no compaction starts by itself below this many lines.
        done: compactions that this object finished.
    """

    def __init__(self, log: RecordLog, min_lines: int) -> None:
        self._log = log
        self.min_lines = min_lines
        self.done = 0
        self.reset()

    def reset(self) -> None:
        """Forget what another process was doing: after a fork."""
        self._busy = threading.Lock()
        self._worker: threading.Thread | None = None

    def join(self) -> None:
        """Wait for the compaction under way."""
        if self._worker is not None:
            self._worker.join()

    def consider(self, segment: Segment) -> None:
        """Start a compaction in a thread of its own if the segment has grown enough."""
        lines = segment.index.lines
        if lines < max(self.min_lines, segment.compact_at) or lines < COMPACT_FACTOR * segment.index.live:
            return
        if self._worker is not None and self._worker.is_alive():
            return
        segment.compact_at = lines + self.min_lines  # when this one fails, or another process does it
        worker = threading.Thread(target=self._run_aside, name="otpcore-compaction", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter is ending; the next process will do it
            worker.start()
            self._worker = worker

    def _run_aside(self) -> None:
        try:
            self.run()
        except StoreError as error:
            logger.warning("compaction failed, the file goes on growing: %s", error)

    def run(self, *, wait: bool = False) -> bool:
        """Compact now; others read and write meanwhile.

        Args:
            wait: for another thread or process that is compacting, instead of leaving it to them.

        Returns:
            Whether this call did it.

        Raises:
            StoreUnavailable, StoreFormatError: it could not be done; the old file stands.
        """
        if not self._busy.acquire(blocking=wait):
            return False
        try:
            with self._log.exclusive(heal=False) as old:
                pass
            try:
                fcntl.flock(old.file.fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                return self._replace(old)
            finally:
                fcntl.flock(old.file.fd, fcntl.LOCK_UN)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._log.unavailable(error) from error
        finally:
            self._busy.release()

    def _replace(self, old: Segment) -> bool:
        """Copy and rename; the caller holds the old inode's lock."""
        log = self._log
        with log.exclusive(heal=False) as now:
            if now is not old:
                return False  # another process has done it
            live, mark = snapshot(old), old.end
        new = create(log.temp, old)
        try:
            moves = Moves(mark)
            copy_live(old, live, new, moves)
            for _ in range(CATCH_UP_ROUNDS):
                with log.exclusive(heal=False):
                    end = old.end
                copy_tail(old, new, mark, end)
                os.fdatasync(new.file.fd)
                behind, mark = end - mark, end
                if behind < SMALL_TAIL:
                    break
            with log.exclusive(heal=False) as now:
                if now is old:
                    copy_tail(old, new, mark, old.end)
                    moves.end, moves.lines = new.end, new.index.lines
                    log.publish(new, lambda: leave_map(old, moves.pack()))
                    self.done += 1
                    return True
        except BaseException:
            discard(log.temp)
            raise
        discard(log.temp)
        return False


def discard(temp: str) -> None:
    """Remove the file at the temporary name, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temp)  # noqa: PTH108 - a string in, no Path needed


def create(temp: str, predecessor: Segment | None) -> Segment:
    """A new segment at `temp`, empty but for its header; mode 0600, or its predecessor's mode and group."""
    discard(temp)  # left by a process that died
    file = Descriptor(os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if predecessor is not None:
        old = os.fstat(predecessor.file.fd)
        with contextlib.suppress(PermissionError):  # the group of a folder that others share
            os.fchown(file.fd, -1, old.st_gid)
        os.fchmod(file.fd, stat.S_IMODE(old.st_mode))
    header = Header(os.urandom(12).hex(), None if predecessor is None else predecessor.header.id)
    line = frames.encode_header(header)
    new = Segment(file, header, len(line))
    new.write(line, 0)
    return new


def snapshot(segment: Segment) -> Live:
    """The live lines of a segment; the caller holds the mutex."""
    return {table: entries.copy() for table, entries in segment.index.tables.items()}


def copy_live(old: Segment, live: Live, new: Segment, moves: Moves) -> None:
    """Append the lines of a snapshot, checked, in the order of the old file, and note in `moves` where they went.

    Raises:
        StoreFormatError: a line is no longer what was written.
        OSError: the new file cannot be written.
    """
    buffer = bytearray()
    for offset, table, key, entry in sorted(
        (old.place(entry.position), table, key, entry)
        for table, entries in live.items()
        for key, entry in entries.items()
    ):
        line = frames.alone(old.line(entry))
        at = new.end + len(buffer)
        new.index.put(table, key, replace(entry, position=new.start + at))
        moves.before.append(offset)
        moves.after.append(at)
        buffer += line + b"\n"
        if len(buffer) >= BUFFER:
            flush(new, buffer)
    flush(new, buffer)
    moves.tail = new.end


def flush(new: Segment, buffer: bytearray) -> None:
    """Write the buffer at the end and empty it."""
    new.write(bytes(buffer), new.end)
    new.end += len(buffer)
    buffer.clear()


def copy_tail(old: Segment, new: Segment, start: int, stop: int) -> None:
    """Append the complete batches in `[start, stop)` of the old file as they are.

    Raises:
        StoreFormatError: they are no longer what was written.
        OSError: the new file cannot be written.
    """
    size = new.end
    while start < stop:
        chunk = os.pread(old.file.fd, min(BUFFER, stop - start), start)
        if not chunk:
            break
        new.write(chunk, size)
        start += len(chunk)
        size += len(chunk)
    if start < stop or not new.follow(size):
        raise StoreFormatError("the end of the store's file changed while it was copied")


def leave_map(old: Segment, content: bytes) -> None:
    """Leave the map behind the last line of the old file; the caller holds the lock and will rename.

    Raises:
        OSError: not even its mark is there, so others would not notice the rename.
    """
    os.ftruncate(old.file.fd, old.end)
    old.write(content[: len(MARK)], old.end)
    with contextlib.suppress(OSError):  # the others read, then
        old.write(content[len(MARK) :], old.end + len(MARK))


def adopt(old: Segment, new: Segment) -> None:
    """Hand the index of the old file on to its successor, if a map says how; else leave it to be read.

    Raises:
        OSError: the old file cannot be read.
    """
    if new.header.predecessor != old.header.id:
        return
    size = os.fstat(old.file.fd).st_size
    old.follow(size)
    moves = Moves.unpack(os.pread(old.file.fd, size - old.end, old.end))
    if moves is not None and moves.end <= os.fstat(new.file.fd).st_size:  # else somebody cut it
        new.succeed(old, moves)
