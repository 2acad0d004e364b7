"""An account in a file, so that it survives the end of its process.

The file is JSON, whole at every instant: a new one is written beside it, flushed, and takes its place. A request is
answered when what it changed is there; those that arrive during one writing share the next.

Rules of this file: what is kept and how; no behaviour of Twilio. The file holds codes and credentials: mode 0600, and
no error shows its content.
"""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from otpcore_twilio.emulator.access import Credentials
from otpcore_twilio.emulator.app import Account
from otpcore_twilio.emulator.records import Holdings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from otpcore_twilio.emulator.options import Options

__all__ = ["Keeper", "Snapshot", "StateFileError", "kept"]


class StateFileError(ValueError):
    """The file cannot be used: it is no state of an emulator, of another version, or in use."""


class Snapshot(BaseModel):
    """What the file says.

    Attributes:
        format: of the file.
        credentials: of the account.
        service_sid: the service that existed from the start.
        ahead_s: how far its clock is ahead of the system's.
        stopped_at: the system's time at which its clock was stopped, if it stands.
        random: where a seeded source of codes and SIDs stands.
        held: everything else.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    credentials: Credentials
    service_sid: str
    ahead_s: float
    stopped_at: datetime | None
    random: tuple[int, tuple[int, ...], float | None] | None
    held: Holdings

    @classmethod
    def read(cls, path: Path) -> Snapshot | None:
        """The content of a file, or None where there is none.

        Raises:
            StateFileError: it is not the state of an emulator, or of another version.
            OSError: it cannot be read.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise StateFileError(f"{path} is not a state that this version of the emulator can continue") from None

    @classmethod
    def take(cls, account: Account) -> bytes:
        """The account as it is; the caller holds its lock."""
        ahead, stopped_at = account.clock.setting
        told = cls.model_construct(
            credentials=account.credentials,
            service_sid=account.service_sid,
            ahead_s=ahead.total_seconds(),
            stopped_at=stopped_at,
            random=account.entropy.kept(),
            held=account.world.held,
        )
        return told.model_dump_json().encode()

    def restore(self, account: Account) -> None:
        """Make an account, which has these credentials, what it was."""
        account.service_sid = self.service_sid
        account.clock.resume(timedelta(seconds=self.ahead_s), self.stopped_at)
        account.entropy.resume(self.random)
        with account.lock:
            account.world.held = self.held
            account.world.index()


class Keeper:
    """Writes an account's file, in a thread of its own.

    Args:
        account: what is kept.
        path: where.
    """

    def __init__(self, account: Account, path: Path) -> None:
        self._account = account
        self._path = path
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._next: Future[None] | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="twilio-emulator-state", daemon=True)
        self._thread.start()

    def save(self) -> Future[None]:
        """Ask for a writing that includes what is so now; the result comes when it is done."""
        with self._lock:
            if self._next is None:
                self._next = Future()
                self._wake.set()
            return self._next

    def close(self) -> None:
        """Write once more and end.

        Raises:
            OSError: it could not be written.
        """
        last = self.save()
        self._ending = True
        self._wake.set()
        self._thread.join()
        last.result()

    def _run(self) -> None:
        while not self._ending or self._next is not None:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                asked, self._next = self._next, None
            if asked is not None:
                self._write(asked)

    def _write(self, asked: Future[None]) -> None:
        asked.set_running_or_notify_cancel()
        try:
            with self._account.lock:
                data = Snapshot.take(self._account)
            replace(self._path, data)
        except Exception as error:  # noqa: BLE001  # whoever waits for it is told
            asked.set_exception(error)
        else:
            asked.set_result(None)


def replace(path: Path, data: bytes) -> None:
    """Give a file new content: whoever looks, at whatever instant, finds all of the old or all of the new."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def alone(path: Path) -> Generator[None]:
    """Hold the right to write a file; the lock is `<file>.lock`, which stays.

    Raises:
        StateFileError: another emulator holds it.
        OSError: the lock cannot be made.
    """
    import fcntl  # noqa: PLC0415  # Windows has none, and serves accounts that no file keeps

    fd = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateFileError(f"another emulator keeps its state in {path}") from None
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def kept(path: Path, options: Options | None, clock: Callable[[], datetime] | None) -> Generator[Account]:
    """The account in a file, or a fresh one for a file that is not there; kept there until the block ends.

    Raises:
        StateFileError: the file is not the state of an emulator, or another one uses it.
        OSError: it cannot be read or written.
    """
    path = path.resolve()
    with alone(path):
        found = Snapshot.read(path)
        account = Account(options, clock=clock, credentials=None if found is None else found.credentials)
        if found is not None:
            found.restore(account)
        keeper = account.keeper = Keeper(account, path)
        try:
            keeper.save().result()
            yield account
        finally:
            keeper.close()
