"""The lock among the processes of one host.

Rules of this file: one lock on one file; what it guards is the log's business. Threads of one process share
a lock object, so they need a mutex of their own around it.
"""

from __future__ import annotations

import fcntl
import os

from otpcore.stores.segment import Descriptor

__all__ = ["HostLock"]


class HostLock:
    """`flock` on a file that is kept open (1 µs a pair) and never deleted.

    The kernel gives it back when the process dies, however it dies.

    Args:
        path: of the lock file; made with mode 0600 when missing.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: Descriptor | None = None

    def acquire(self) -> None:
        """Wait for the lock.

        Raises:
            OSError: the file cannot be opened or locked.
        """
        while True:
            if self._file is None:
                self._file = Descriptor(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            fcntl.flock(self._file.fd, fcntl.LOCK_EX)
            if os.fstat(self._file.fd).st_nlink:
                return
            self._file = None  # somebody deleted it, so others lock another file by now

    def release(self) -> None:
        """Give it back; harmless when it is not held."""
        if self._file is not None:
            fcntl.flock(self._file.fd, fcntl.LOCK_UN)

    def forget(self) -> None:
        """Close the file without unlocking: in a child, the lock is still the parent's."""
        if self._file is not None:
            self._file.close()
            self._file = None
