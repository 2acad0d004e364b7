"""One file of the embedded store: its descriptor, the index of its lines, reading, appending, syncing.

A segment is an inode. It only grows; a compaction writes a new one and renames it into place. So an entry
that was once read stays readable through the descriptor for as long as somebody holds the segment.

It grows in steps of newlines, its filler, and lines are written over those: a sync then has no new size to
record, which is a third of its cost. The lines end at the first empty one.

A segment that follows another takes over its index as it is, and knows by the map of the compaction where each
line went. Entries are brought up to date a few at a time: all at once would hold up whoever comes first.

Rules of this file: no locks between processes and no decision about damage; `log.py` has both. What
changes the index or the end is called under the log's mutex; `datasync` and `line` need no lock.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from otpcore.errors import CommitUnknown, StoreFormatError
from otpcore.stores import frames
from otpcore.stores.descriptor import Descriptor, write_all
from otpcore.stores.frames import Header, Record
from otpcore.stores.moves import Moves

__all__ = ["Entry", "Index", "LogStats", "Segment"]

CHUNK: Final = 1 << 20
TAIL: Final = 512
"""Bytes that are read to see whether there is anything new: a line or two."""
PAGE: Final = 4096
FILLER: Final = 1 << 18
"""Most bytes of filler: the sync after it takes some 0.5 ms more, once in 1,000 lines."""

SETTLED_AT_ONCE: Final = 256
"""Entries of an index that was taken over which an operation brings up to date: some 0.2 ms."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Where the live line of a key lies.

    Attributes:
        position: of the line; `Segment.place` gives its offset in the file. Positions grow from file to file.
        length: of the line in bytes, newline excluded.
        value_at: where the value starts in the line.
        version, gc_us: see `frames.Record`.
    """

    position: int
    length: int
    value_at: int
    version: str
    gc_us: int


@dataclass(frozen=True, slots=True)
class LogStats:
    """How a log stands, for `doctor`.

    Attributes:
        path: of the file.
        file_bytes, lines, live: size with the filler, lines below the header, lines that stand for a record.
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


class Index:
    """The live entries of a segment, by table and key, and the count of all its lines."""

    __slots__ = ("lines", "tables")

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Entry]] = {}
        self.lines = 0

    @property
    def live(self) -> int:
        """How many lines stand for a record."""
        return sum(map(len, self.tables.copy().values()))  # a copy, for it is asked for outside the mutex too

    def put(self, table: str, key: str, entry: Entry | None) -> None:
        """Count one line: the new state of a key, None for deleted."""
        self.lines += 1
        if entry is not None:
            self.tables.setdefault(table, {})[key] = entry
            return
        entries = self.tables.get(table)
        if entries is not None and entries.pop(key, None) is not None and not entries:
            del self.tables[table]

    def take(self, chunk: bytes, base: int) -> int:
        """Take in the complete batches at the start of `chunk`, whose position is `base`.

        Returns:
            How many bytes they fill.
        """
        taken = start = 0
        batch: list[tuple[str, str, Entry | None]] = []
        expected: int | None = None
        while (stop := chunk.find(b"\n", start)) > start:
            frame = frames.parse(chunk, start, stop)
            if frame is None or (expected is not None and frame.more != expected):
                break
            entry = Entry(base + start, stop - start, frame.value_at, frame.version, frame.gc_us)
            batch.append((frame.table, frame.key, None if frame.deletes else entry))
            start = stop + 1
            if frame.more:
                expected = frame.more - 1
                continue
            for table, key, state in batch:
                self.put(table, key, state)
            batch.clear()
            expected, taken = None, start
        return taken


class Segment:
    """An open file of lines.

    Attributes:
        file: the descriptor; only `write` moves its position.
        inode: tells whether the path still names this file.
        header: its first line.
        index: what the lines up to `end` say.
        start: position of the file's first byte.
        end: offset after the last complete batch that the index knows.
        size: of the file with its filler, as of the last look at it.
        failed: a sync failed, so nobody knows what of this file is on the disk. It is never synced again:
            the kernel reports a lost write once and then calls the pages clean.
        compact_at: no compaction starts by itself before it has this many lines.
    """

    def __init__(self, file: Descriptor, header: Header, end: int) -> None:
        self.file = file
        self.inode = os.fstat(file.fd).st_ino
        self.header = header
        self.index = Index()
        self.start = 0
        self.end = self.size = end
        self.failed = False
        self.compact_at = 0
        self._position = -1  # unknown
        self._filler_seen = False
        self._synced = 0
        self._gate = threading.Lock()
        self._moves: Moves | None = None
        self._old_start = 0
        self._unsettled: list[tuple[str, list[str]]] = []

    @classmethod
    def open(cls, path: str) -> Self:
        """Open an existing file; its lines are not read yet.

        Raises:
            OSError: it cannot be opened.
            StoreFormatError: it is not one of ours, or of a newer schema.
        """
        file = Descriptor(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        header, length = frames.decode_header(os.pread(file.fd, frames.HEADER_LIMIT, 0), path)
        return cls(file, header, length)

    def follow(self, size: int) -> bool:
        """Take in every complete batch up to offset `size`; False: what is left there is none, and no filler."""
        span = TAIL
        while self.end < size:
            wanted = min(span, size - self.end)
            chunk = os.pread(self.file.fd, wanted, self.end)
            if chunk.startswith(b"\n"):
                return self._only_filler(size)
            taken = self.index.take(chunk, self.start + self.end)
            if taken:
                self.end += taken
                span = CHUNK
            elif len(chunk) < wanted or wanted == size - self.end:
                return False
            else:
                span *= 2  # a batch longer than the chunk
        return True

    def in_filler(self) -> bool:
        """Follow to the end of the lines; whether filler is behind them, as far as the size is known."""
        return self.end < self.size and self.follow(self.size) and self.end < self.size

    def _only_filler(self, size: int) -> bool:
        """Whether nothing follows the end; looked at once, because only a power loss leaves gaps."""
        if not self._filler_seen:
            rest = os.pread(self.file.fd, size - self.end, self.end)
            self._filler_seen = rest.count(b"\n") == len(rest)
        return self._filler_seen

    def place(self, position: int) -> int:
        """The offset in this file of a line that the index knew while this was the current segment.

        Raises:
            StoreFormatError: a compaction did not copy it.
        """
        if position >= self.start or self._moves is None:
            return position - self.start
        return self._moves.place(position - self._old_start)

    def succeed(self, old: Segment, moves: Moves) -> None:
        """Take over the index of the segment that this one was compacted from, which is not to be followed again."""
        while old.settle():
            pass
        self._moves, self._old_start = moves, old.start
        self.start = old.start + old.end
        self.end = moves.end
        self.index.tables, self.index.lines = old.index.tables, moves.lines
        self._unsettled = [(table, list(entries)) for table, entries in self.index.tables.items()]

    def settle(self) -> bool:
        """Bring some of the entries that were taken over up to date; whether there may be more."""
        if not self._unsettled:
            return False
        table, keys = self._unsettled[-1]
        entries = self.index.tables.get(table, {})
        for key in keys[-SETTLED_AT_ONCE:]:
            entry = entries.get(key)
            if entry is not None and entry.position < self.start:
                entries[key] = replace(entry, position=self.start + self.place(entry.position))
        del keys[-SETTLED_AT_ONCE:]
        if not keys:
            self._unsettled.pop()
        return True

    def cut(self, size: int, path: str) -> int:
        """Remove what a writer that died or failed left behind the last complete batch. The caller holds the lock.

        Returns:
            Its length in bytes, without filler.

        Raises:
            OSError: it cannot be removed.
            StoreFormatError: it is no interrupted write.
        """
        rest = os.pread(self.file.fd, size - self.end, self.end)
        damaged = frames.find_damage(rest, self.end)
        if damaged is not None:
            raise StoreFormatError(
                f"line {self.index.lines + 2 + damaged} of {path} is damaged and intact lines follow it,"
                " so this is no interrupted write; see 'A damaged line' in the documentation of the embedded store"
            )
        os.ftruncate(self.file.fd, self.end)
        self.size = self.end
        return len(rest.rstrip(b"\n"))

    def line(self, entry: Entry) -> bytes:
        """The line of an entry, without its newline, checked again.

        Raises:
            StoreFormatError: it is not what it was; somebody wrote into the file, or the disk did.
        """
        offset = self.place(entry.position)
        line = os.pread(self.file.fd, entry.length, offset)
        if not frames.is_intact(line, entry.version):
            raise StoreFormatError(f"the line at byte {offset} of the store's file changed after it was written")
        return line

    def value(self, entry: Entry) -> bytes:
        """The value of an entry: one line of JSON."""
        return self.line(entry)[entry.value_at : -1]

    def append(self, records: Sequence[Record]) -> None:
        """Write one batch at the end. The caller holds the lock and has followed to the end.

        Raises:
            OSError: the batch is not complete in the file; a part of it may be.
        """
        lines: list[bytes] = []
        states: list[Entry | None] = []
        at, more = self.end, len(records)
        for record in records:
            more -= 1
            line, value_at = frames.encode(record, more)
            entry = Entry(self.start + at, len(line) - 1, value_at, record.version, record.gc_us)
            states.append(None if record.value == frames.DELETED else entry)
            lines.append(line)
            at += len(line)
        self.write(b"".join(lines), self.end)
        for record, state in zip(records, states, strict=True):
            self.index.put(record.table, record.key, state)
        self.end = at
        if at > self.size:
            self.size = at
            with contextlib.suppress(OSError):  # a disk that is nearly full: the line is there
                self._fill()

    def _fill(self) -> None:
        """Add filler: as much as there are lines, so that a small file stays small, up to `FILLER`."""
        size = -(-(self.end + min(self.end, FILLER)) // PAGE) * PAGE
        self.write(b"\n" * (size - self.end), self.end)
        self.size = size

    def write(self, data: bytes, at: int) -> None:
        """Write at an offset, without any of the care that `append` takes.

        Raises:
            OSError: a part may be written.
        """
        if self._position != at:
            os.lseek(self.file.fd, at, os.SEEK_SET)
        self._position = -1
        write_all(self.file.fd, data)
        self._position = at + len(data)

    def datasync(self, end: int) -> None:
        """Return when everything up to `end` is on the disk; threads that wait together share one call.

        Raises:
            CommitUnknown: the disk failed, now or earlier.
        """
        with self._gate:
            if self._synced >= end:
                return
            if self.failed:
                raise CommitUnknown
            goal = self.end  # read before the call: what is appended during it may be missed by it
            try:
                os.fdatasync(self.file.fd)
            except OSError as error:
                self.failed = True
                raise CommitUnknown(f"the disk did not confirm a write: {error.strerror}") from error
            self._synced = max(goal, end)
