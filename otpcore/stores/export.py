"""A store file as a stock TinyDB JSON file, for people and for other tools.

Rules of this file: it reads the store and writes one other file, whole or not at all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from otpcore.errors import StoreUnavailable, UsageError
from otpcore.stores import frames
from otpcore.stores.compaction import Live, snapshot
from otpcore.stores.log import RecordLog
from otpcore.stores.place import sync_folder
from otpcore.stores.segment import Entry, Segment

__all__ = ["export_json"]


def export_json(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> int:
    """Write a stock TinyDB JSON file with every document of a store file, as of one instant.

    Each document becomes `{"key": …, "version": …, "gc_at": ISO 8601 or null, "record": {…}}` in a table of its
    table's name, under a number from 1: stock TinyDB takes no other ids. A record that is no JSON object
    shows as `{"base64": …}`. `out` is written aside, synced and renamed into place, mode 0600.

    Returns:
        How many documents were written.

    Raises:
        UsageError: `out` is the store file or exists and is no file, or there is no store file.
        ConfigurationError, StoreUnavailable, StoreFormatError: the store cannot be read or `out` not written.
    """
    target, source = os.path.realpath(out), os.path.realpath(path)
    if target == source or not Path(source).exists():
        raise UsageError(
            f"cannot export {source} to {target}: name an existing store file, and another file for the output"
        )
    if Path(target).exists() and not Path(target).is_file():
        raise UsageError(f"cannot export to {target}: it exists and is no regular file, and would be replaced")
    log = RecordLog(source)
    try:
        with log.reading() as segment:
            live = snapshot(segment)
        return write(log, segment, live, target)
    except OSError as error:
        raise StoreUnavailable(f"cannot export to {target}: {error.strerror}") from error
    finally:
        log.close()


def write(log: RecordLog, segment: Segment, live: Live, target: str) -> int:
    """Write the documents of a snapshot aside and rename them into place."""
    temp = f"{target}.{os.getpid()}.partial"
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123 - a descriptor, there is no Path
            between = b"{"
            for table, entries in live.items():
                file.write(b"%s%s: {" % (between, json.dumps(table).encode()))
                for number, (key, entry) in enumerate(entries.items(), 1):
                    comma = b", " if number > 1 else b""
                    file.write(b'%s"%d": %s' % (comma, number, document(log, segment, key, entry)))
                between = b"}, "
            file.write(b"}}" if live else b"{}")
            file.flush()
            os.fsync(fd)
        Path(temp).replace(target)
        sync_folder(target)
    except BaseException:
        Path(temp).unlink()
        raise
    return sum(map(len, live.values()))


def document(log: RecordLog, segment: Segment, key: str, entry: Entry) -> bytes:
    """One exported document."""
    value = log.value(segment, entry)
    record = value if value.startswith(b"{") else b'{"base64": %s}' % value
    gc_at = None if entry.gc_us >= frames.NEVER else (frames.EPOCH + entry.gc_us * frames.MICROSECOND).isoformat()
    envelope = json.dumps({"key": key, "version": entry.version, "gc_at": gc_at}).encode()
    return b'%s, "record": %s}' % (envelope[:-1], record)
