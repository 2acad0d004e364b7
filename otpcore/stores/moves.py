"""Where a compaction put the lines of a file: what it leaves behind for others who have the old file open.

Rules of this file: values and bytes. No I/O; what is not a map is None, never an error.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from bisect import bisect_left
from typing import Final, Self

from otpcore.errors import StoreFormatError

__all__ = ["MARK", "Moves"]

MARK: Final = b"\0moved\0\0"
"""Before the map; no line begins so."""
HEAD: Final = struct.Struct("=8sI")
"""The mark, and the CRC-32 of what follows."""
WHOLE: Final = struct.Struct("=4Q")
"""`Moves.copied`, `tail`, `end` and `lines`."""


class Moves:
    """Where each live line of a file is in the file that a compaction made of it.

    Attributes:
        before, after: offsets of the copied lines in the old file, ascending, and in the new one.
        copied: end of the snapshot in the old file. What follows was copied as it is,
        tail: to here in the new file.
        end, lines: of the new file, when it was renamed.
    """

    __slots__ = ("after", "before", "copied", "end", "lines", "tail")

    def __init__(self, copied: int) -> None:
        self.before, self.after = array("Q"), array("Q")
        self.copied = copied
        self.tail = self.end = self.lines = 0

    def place(self, offset: int) -> int:
        """The new offset of the line that was at `offset`.

        Raises:
            StoreFormatError: the map does not know it.
        """
        if offset >= self.copied:
            return offset - self.copied + self.tail
        at = bisect_left(self.before, offset)
        if at == len(self.before) or self.before[at] != offset:
            raise StoreFormatError(f"the compaction of the store's file did not copy the line at byte {offset}")
        return self.after[at]

    def pack(self) -> bytes:
        """The map as bytes, its mark first."""
        whole = WHOLE.pack(self.copied, self.tail, self.end, self.lines)
        content = whole + self.before.tobytes() + self.after.tobytes()
        return HEAD.pack(MARK, zlib.crc32(content)) + content

    @classmethod
    def unpack(cls, raw: bytes) -> Self | None:
        """The map that `pack` made; None: these bytes are none, or not all of one."""
        if len(raw) < HEAD.size + WHOLE.size or HEAD.unpack_from(raw) != (
            MARK,
            zlib.crc32(memoryview(raw)[HEAD.size :]),
        ):
            return None
        moves = cls(0)
        moves.copied, moves.tail, moves.end, moves.lines = WHOLE.unpack_from(raw, HEAD.size)
        middle = (HEAD.size + WHOLE.size + len(raw)) // 2
        moves.before.frombytes(memoryview(raw)[HEAD.size + WHOLE.size : middle])
        moves.after.frombytes(memoryview(raw)[middle:])
        return moves
