"""The lock among the processes of one host.

Rules of this file: one lock on one file; what it guards is the log's business. Threads of one process share
a lock object, so they need a mutex of their own around it.
"""

from __future__ import annotations

import fcntl
import os

from otpcore.stores.descriptor import Descriptor

__all__ = ["HostLock"]


class HostLock:
    """`flock` on a file that is kept open (1 µs a pair) and never deleted.

    The kernel gives it back when the process dies, however it dies.

    Args:
        path: of the lock file; made with mode 0600 when missing.

    Attributes:
        file: the open lock file; None before the first use.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: Descriptor | None = None

    def acquire(self) -> None:
        """Wait for the lock.

        Raises:
            OSError: the file cannot be opened or locked.
        """
        while True:
            if self.file is None:
                self.file = Descriptor(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            fcntl.flock(self.file.fd, fcntl.LOCK_EX)
            if os.fstat(self.file.fd).st_nlink:
                return
            self.file = None  # somebody deleted it, so others lock another file by now

    def release(self) -> None:
        """Give it back; harmless when it is not held."""
        if self.file is not None:
            fcntl.flock(self.file.fd, fcntl.LOCK_UN)

    def forget(self) -> None:
        """Close the file without unlocking: in a child, the lock is still the parent's."""
        if self.file is not None:
            self.file.close()
            self.file = None
