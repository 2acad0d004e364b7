"""The lines of the embedded store's file: how one is made, and how one is recognised again.

The file is JSON Lines. The first line is the header, an object. Every other line is an array of seven:

    ["5f3a9c01", 0, "records", "<key>", "<version>", 1790000000000000, {…}]
      CRC-32      |  table      key      version      gc_at, µs since   the record: an object as committed,
      of the rest |                                   1970 UTC, or      a string (base64 of anything else),
                  |                                   null: never       or null: deleted
                  lines that follow in the same batch; a batch counts as a whole or not at all

Behind the last line are newlines, the filler, over which the next lines are written.

Rules of this file: bytes in, values out. No I/O, no state. A line that this file does not recognise is
damage; it is never repaired here.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii
from typing import Final, NamedTuple, cast

import msgspec
from pydantic_core import from_json

from otpcore.errors import StoreFormatError

__all__ = [
    "DELETED",
    "EPOCH",
    "HEADER_LIMIT",
    "MICROSECOND",
    "NEVER",
    "Frame",
    "Header",
    "Record",
    "alone",
    "decode_header",
    "encode",
    "encode_header",
    "find_damage",
    "is_intact",
    "micros",
    "parse",
    "unwrap",
    "wrap",
]

FORMAT: Final = "otpcore-tinydb-log"
SCHEMA: Final = 1
HEADER_LIMIT: Final = 4096
"""A header is shorter than this many bytes."""
SECTOR: Final = 512
"""Bytes that every disk writes whole."""
LONG_FILLER: Final = 64
"""More newlines than anybody types."""
DELETED: Final = b"null"
"""The value of a line that deletes its key."""
NEVER: Final = 2**63
"""A `gc_us` later than every other."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
RAW: Final = msgspec.json.Decoder(msgspec.Raw)
"""Looks whether bytes are JSON, and makes nothing of it."""
LONG: Final = 1000
"""Bytes from which a value is read as well: it may hold a number or a depth that `json` does not bear."""
CRC_END: Final = len('["00000000",')
STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
LINE: Final = re.compile(
    rb'\["([0-9a-f]{8})", *(\d{1,9}),(' + STRING + rb"),(" + STRING + rb'),"([0-9A-Za-z_-]{1,64})",(-?\d{1,18}|null),'
)


class Record(NamedTuple):
    """One written state of one key.

    Attributes:
        table: the TinyDB table.
        key: the document's id.
        version: unique to this state.
        gc_us: microseconds since 1970 in UTC; `NEVER` for none.
        value: one line of JSON: an object, a string of base64, or `DELETED`.
    """

    table: str
    key: str
    version: str
    gc_us: int
    value: bytes


class Frame(NamedTuple):
    """A line that was recognised.

    Attributes:
        more: how many lines of its batch follow it.
        table, key, version, gc_us: see `Record`.
        value_at: where the value starts in the line.
        deletes: the value is `DELETED`.
    """

    more: int
    table: str
    key: str
    version: str
    gc_us: int
    value_at: int
    deletes: bool


@dataclass(frozen=True, slots=True)
class Header:
    """The first line.

    Attributes:
        id: unique to this file; a compaction makes a new one.
        predecessor: the id of the file that this one was compacted from; None for a first one.
    """

    id: str
    predecessor: str | None


def micros(at: datetime) -> int:
    """Microseconds since 1970 in UTC of an aware instant."""
    return (at - EPOCH) // MICROSECOND


def wrap(data: bytes) -> bytes:
    """The value that stands for `data`: itself where it is a one-line JSON object, else a string of base64."""
    if data.startswith(b"{") and data.endswith(b"}") and b"\n" not in data:
        try:
            RAW.decode(data)
            if len(data) >= LONG:
                from_json(data, allow_inf_nan=False)
            if not data.isascii():
                data.decode()
        except (ValueError, RecursionError):  # no JSON, no UTF-8, or nested deeper than readers bear
            pass
        else:
            return data
    return b'"%s"' % base64.b64encode(data)


def unwrap(value: bytes) -> bytes:
    """The bytes that `wrap` was given."""
    return value if value.startswith(b"{") else base64.b64decode(value[1:-1])


def encode(record: Record, more: int) -> tuple[bytes, int]:
    """The line, newline included, and where the value starts in it."""
    gc = b"null" if record.gc_us >= NEVER else b"%d" % record.gc_us
    head = b'%d,%s,%s,"%s",%s,' % (
        more,
        encode_basestring_ascii(record.table).encode(),
        encode_basestring_ascii(record.key).encode(),
        record.version.encode(),
        gc,
    )
    rest = b"%s%s]" % (head, record.value)
    return b'["%08x",%s\n' % (zlib.crc32(rest), rest), CRC_END + len(head)


def alone(line: bytes) -> bytes:
    """A line as a batch of its own, of the same length: what follows it in its batch is not copied."""
    more = line.index(b",", CRC_END)
    if line[CRC_END:more] == b"0":
        return line
    rest = b"0".rjust(more - CRC_END) + line[more:]
    return b'["%08x",%s' % (zlib.crc32(rest), rest)


def parse(chunk: bytes, start: int = 0, stop: int | None = None) -> Frame | None:
    """Recognise the line in `chunk[start:stop]`, given without its newline; None: it is damaged."""
    stop = len(chunk) if stop is None else stop
    match = LINE.match(chunk, start, stop)
    if match is None or chunk[stop - 1] != ord("]"):
        return None
    crc, more, table, key, version, gc = cast("tuple[bytes, ...]", match.groups())
    if zlib.crc32(memoryview(chunk)[start + CRC_END : stop]) != int(crc, 16):
        return None
    at = match.end()
    return Frame(
        int(more),
        text(table),
        text(key),
        version.decode(),
        NEVER if gc == b"null" else int(gc),
        at - start,
        chunk[at : stop - 1] == DELETED,
    )


def is_intact(line: bytes, version: str) -> bool:
    """Whether a line that `parse` recognised earlier, given without its newline, is still the same."""
    try:
        crc = int(line[2:10], 16)
    except ValueError:
        return False
    return crc == zlib.crc32(memoryview(line)[CRC_END:]) and version.encode() in line


def text(string: bytes) -> str:
    """The string that a JSON string stands for."""
    return cast("str", json.loads(string)) if b"\\" in string else string[1:-1].decode()


def find_damage(rest: bytes, at: int) -> int | None:
    """Tell damage from a torn tail in what follows the last complete batch.

    Args:
        rest: it, to the end of the file.
        at: its offset in the file.

    Returns:
        The place among the lines of `rest`, from 0, of a damaged line that an intact one follows: no
        interrupted write looks like that. None: nothing intact follows, the tail is torn.
    """
    lines = rest[: filler_at(rest, at) + 1].split(b"\n")[:-1]
    expected: int | None = None
    for place, line in enumerate(lines):
        frame = parse(line)
        if frame is None or (expected is not None and frame.more != expected):
            return place if any(parse(later) is not None for later in lines[place + 1 :]) else None
        expected = frame.more - 1
    return None


def filler_at(rest: bytes, at: int) -> int:
    """Where filler starts in `rest`, which lies at `at` in the file; its length if there is none.

    A power loss may leave filler before lines, where the disk had written a later sector and not an earlier
    one, and so may a copy that was taken while the file was written: nothing behind it was acknowledged, or
    not yet when the copy was begun. Such filler reaches the end of a sector, or is long. An empty line that
    somebody typed is not, and counts as damage.
    """
    for run in re.finditer(rb"\n+", rest):
        start, stop = run.span()
        blank = stop - start - (start > 0)  # the first newline ends a line
        if blank and (stop == len(rest) or (at + stop) % SECTOR <= 1 or blank >= LONG_FILLER):
            return start
    return len(rest)


def encode_header(header: Header) -> bytes:
    """The header's line, newline included."""
    fields = {"format": FORMAT, "schema": SCHEMA, "id": header.id, "predecessor": header.predecessor}
    return json.dumps(fields).encode() + b"\n"


def decode_header(start: bytes, path: str) -> tuple[Header, int]:
    """Read the header from the first `HEADER_LIMIT` bytes of a file.

    Returns:
        The header, and its length in bytes.

    Raises:
        StoreFormatError: the file is not one of ours, or of a newer schema.
    """
    line, newline, _ = start.partition(b"\n")
    fields: object = None
    with contextlib.suppress(ValueError, RecursionError):
        fields = json.loads(line) if newline else None
    match cast("dict[str, object]", fields):
        case {"format": str(name), "schema": int(schema), "id": str(ident), "predecessor": None | str() as before} if (
            name == FORMAT and schema == SCHEMA
        ):
            return Header(ident, before), len(line) + 1
        case {"format": str(name), "schema": object() as schema} if name == FORMAT:
            raise StoreFormatError(
                f"{path} is of schema {schema}, this version of otpcore reads schema {SCHEMA}: use the newer otpcore"
            )
        case _:
            kind = "a stock TinyDB JSON file" if start.lstrip().startswith(b"{") else "a file of another kind"
            raise StoreFormatError(
                f"{path} is not an otpcore store: it looks like {kind}. Name another path;"
                " there is nothing to import, a new store starts empty"
            )
