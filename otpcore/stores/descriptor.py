"""An open file of the embedded store.

Rules of this file: what the operating system is asked for, and nothing of what the bytes mean.
"""

from __future__ import annotations

import errno
import os

__all__ = ["Descriptor", "write_all"]


class Descriptor:
    """An open file descriptor that is closed with its last user."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        """Close it now; harmless when closed."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however often the system takes only a part.

    Raises:
        OSError: a part may be written.
    """
    written = os.write(fd, data)
    while written < len(data):
        step = os.write(fd, memoryview(data)[written:])
        if step == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += step
