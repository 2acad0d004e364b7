"""SQLite's writers in a line, threads and processes alike.

SQLite lets one write at a time and has the others sleep and try again, longer and longer: whoever is unlucky waits for
seconds. The kernel's lock wakes them instead, in the order in which they came. It knows no deadline, so where somebody
has it a thread stands in the kernel's line for whoever of this process wants it, and gives it back when nobody does.

Rules of this file: one lock on one file. Programs that do not know it are still kept out by SQLite itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from types import TracebackType

__all__ = ["Writers"]


class Writers:
    """`flock` on a file that is kept open and never deleted; the kernel gives it back when the process dies.

    Args:
        path: of the lock file; made with mode 0600 when missing.
        timeout_s: to wait for the lock.
    """

    def __init__(self, path: str, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._fd = -1
        self._begin()

    def _begin(self) -> None:
        self._threads = threading.Lock()
        self._line = threading.Condition()
        self._waits = self._wanted = False
        self._failed: OSError | None = None

    def __enter__(self) -> None:
        """Wait for the lock. Raises OSError; TimeoutError where others had it all the time."""
        until = time.monotonic() + self._timeout_s
        if not self._threads.acquire(timeout=self._timeout_s):
            raise _too_late()
        try:
            while True:
                self._take(until)
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

    def _take(self, until: float) -> None:
        """Lock the file, at once where nobody has it. Who gave up before has left a thread in the line: it will do."""
        with self._line:
            if not self._waits:
                if self._fd < 0:
                    self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._stand_in_line()
                else:
                    return
            self._wanted, came = True, False
            try:
                came = self._line.wait_for(lambda: not self._waits, until - time.monotonic())
            finally:
                self._wanted = False
                if not came and not self._waits:  # it came while this was interrupted
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
        if not came:
            raise _too_late()
        if self._failed is not None:
            raise self._failed

    def _stand_in_line(self) -> None:
        """Start the thread that waits; it keeps this object, and so the file, for as long."""
        try:
            threading.Thread(target=self._wait, name="otpcore-sql-writers", daemon=True).start()
        except RuntimeError as error:  # no more threads, or Python is ending
            raise OSError(errno.EAGAIN, str(error)) from error
        self._waits = True

    def _wait(self) -> None:
        """Wait in the kernel's line, and hand the lock to whoever wants it by then."""
        failed: OSError | None = None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            failed = error
        with self._line:
            self._waits, self._failed = False, failed
            if self._wanted:
                self._line.notify()
            else:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def __del__(self) -> None:
        self._close()

    def after_fork(self) -> None:
        """In a child: close the file without unlocking, for the lock is the parent's."""
        self._begin()
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _too_late() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "others had it all the time")
