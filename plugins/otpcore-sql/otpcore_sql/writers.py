"""SQLite's writers in a line, threads and processes alike.

SQLite lets one write at a time and has the others sleep and try again, longer and longer: whoever is unlucky waits for
seconds. The kernel's lock wakes them instead.

Rules of this file: one lock on one file. Programs that do not know it are still kept out by SQLite itself.
"""

from __future__ import annotations

import fcntl
import os
import threading
from types import TracebackType

__all__ = ["Writers"]


class Writers:
    """`flock` on a file that is kept open and never deleted; the kernel gives it back when the process dies.

    Args:
        path: of the lock file; made with mode 0600 when missing.
    """

    def __init__(self, path: str) -> None:
        self._fd = -1
        self._path = path
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        """Wait for the lock. Raises OSError."""
        self._threads.acquire()
        try:
            while True:
                if self._fd < 0:
                    self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._fd, fcntl.LOCK_EX)
                if os.fstat(self._fd).st_nlink:
                    return
                self._close()  # somebody deleted it, so others lock another file by now
        except BaseException:
            self._threads.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def __del__(self) -> None:
        self._close()

    def after_fork(self) -> None:
        """In a child: close the file without unlocking, for the lock is the parent's."""
        self._threads = threading.Lock()
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
