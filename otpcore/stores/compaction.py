"""Copying what still counts of a segment into a new file.

Rules of this file: it copies between two segments and nothing else. When to do it, under which lock, and
the rename that makes it true are the log's (`log.py`).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Final

from otpcore.errors import StoreFormatError
from otpcore.stores import frames
from otpcore.stores.frames import Header, Record
from otpcore.stores.segment import Descriptor, Entry, Segment, write_all

__all__ = ["Live", "copy_live", "copy_tail", "create", "snapshot"]

BUFFER: Final = 1 << 20

Live = tuple[str, str, Entry]
"""Table, key and entry of a line that stands for a record."""


def create(temp: str, predecessor: Segment | None) -> Segment:
    """A new segment at `temp`, empty but for its header; mode 0600, or its predecessor's mode and group."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temp)  # noqa: PTH108 - left by a process that died; a string in, no Path needed
    file = Descriptor(os.open(temp, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if predecessor is not None:
        old = os.fstat(predecessor.file.fd)
        with contextlib.suppress(PermissionError):  # the group of a folder that others share
            os.fchown(file.fd, -1, old.st_gid)
        os.fchmod(file.fd, stat.S_IMODE(old.st_mode))
    header = Header(os.urandom(12).hex(), None if predecessor is None else predecessor.header.id)
    line = frames.encode_header(header)
    write_all(file.fd, line)
    return Segment(file, header, len(line))


def snapshot(segment: Segment) -> list[Live]:
    """The live lines of a segment; the caller holds the mutex."""
    return [(table, key, entry) for table, entries in segment.index.tables.items() for key, entry in entries.items()]


def copy_live(old: Segment, live: Iterable[Live], new: Segment) -> None:
    """Append the lines of a snapshot, checked, in the order of the old file.

    Raises:
        StoreFormatError: a line is no longer what was written.
        OSError: the new file cannot be written.
    """
    buffer = bytearray()
    for table, key, entry in sorted(live, key=lambda item: item[2].offset):
        line = old.line(entry) + b"\n"
        value_at = entry.value_at
        if not line.startswith(b"0,", len('["00000000",')):  # of a batch whose other lines may not be copied
            value = line[value_at:-2]
            line, value_at = frames.encode(Record(table, key, entry.version, entry.gc_us, value), 0)
        at = new.end + len(buffer)
        new.index.put(table, key, Entry(at, len(line) - 1, value_at, entry.version, entry.gc_us))
        buffer += line
        if len(buffer) >= BUFFER:
            flush(new, buffer)
    flush(new, buffer)


def flush(new: Segment, buffer: bytearray) -> None:
    """Write the buffer at the end and empty it."""
    write_all(new.file.fd, bytes(buffer))
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
        write_all(new.file.fd, chunk)
        start += len(chunk)
        size += len(chunk)
    if start < stop or not new.follow(size):
        raise StoreFormatError("the end of the store's file changed while it was copied")
