"""SQLite: its file, its statements, and its batches.

A commit is one statement, and so one transaction; a batch is one transaction with one fsync. Writers wait in a line of
their own (`otpcore_sql.writers`), readers for nobody (WAL).

Rules of this file: SQLite alone.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine import URL

from otpcore.errors import CommitUnknown, ConfigurationError, StoreError, StoreFormatError, StoreFull, StoreUnavailable
from otpcore.ports import Durability, StoreCapabilities, StoreRemark
from otpcore_sql.connecting import engine, sqlite_file
from otpcore_sql.connections import drop
from otpcore_sql.dialect import Answer, Ask
from otpcore_sql.rows import Change
from otpcore_sql.writers import Writers

if TYPE_CHECKING:
    from otpcore_sql.settings import SQLSettings  # it builds what is here

__all__ = ["SQLite", "network_file_system"]

LOAD = "SELECT version, data FROM {records} WHERE key = ?"
INSERT = "INSERT INTO {records} (key, version, gc_at, data) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
UPDATE = "UPDATE {records} SET version = ?, gc_at = ?, data = ? WHERE key = ? AND version = ?"
DELETE = "DELETE FROM {records} WHERE key = ? AND version = ?"
DUE = "SELECT key, gc_at FROM {records} WHERE key > ? ORDER BY key LIMIT ?"
SCAN = "SELECT key, version, data FROM {records} WHERE key > ? ORDER BY key LIMIT ?"
LOAD_MANY = "SELECT key, version, data FROM {records} WHERE key IN (SELECT value FROM json_each(?))"
DROP = "DELETE FROM {records} WHERE key IN (SELECT value FROM json_each(?)) AND gc_at < ?"
SETTINGS = """
SELECT 'journal_mode', journal_mode FROM pragma_journal_mode UNION ALL
SELECT 'synchronous', CAST(synchronous AS TEXT) FROM pragma_synchronous
"""

NO_LOCK: Final = "The lock beside SQLite's file cannot be taken ({})."

WRITE_MANY: Final = "a batch"
"""Stands for one transaction of several statements."""

SYNCHRONOUS: Final = {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}
FULL: Final = 2

MOUNTS: Final = Path("/proc/self/mounts")
NETWORK: Final = re.compile(
    r"nfs4?|cifs|smb3|smbfs|afs|9p|ceph|glusterfs|lustre|beegfs|gpfs|ncpfs|fuse\.(sshfs|glusterfs|s3fs|rclone|gcsfuse|ceph|davfs)"
)
"""Types of file system on which the locks and the shared memory of SQLite's WAL do not hold."""


def network_file_system(folder: str, mounts: str) -> str | None:
    """The type of the network file system that holds a folder; None: it is local, or nobody knows.

    Args:
        folder: absolute, without links.
        mounts: the text of /proc/self/mounts.
    """
    best, kind = "", ""
    for line in mounts.splitlines():
        _, point, found, *_ = [*line.split(" "), "", "", ""]
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # a later mount on the same point hides the earlier
            best, kind = point, found
    return kind if NETWORK.fullmatch(kind) else None


class SQLite:
    """See `otpcore_sql.dialect.Dialect`. The file is made with mode 0600 when missing, its folders with 0700.

    Raises:
        ConfigurationError: the file is on a network file system, or is none.
        StoreUnavailable: it cannot be made.
    """

    name = "sqlite"

    def __init__(self, url: URL, settings: SQLSettings) -> None:
        self.path = _place(settings)
        self.prefix = settings.prefix
        self.engine = engine(url.set(database=self.path))
        self.timeout_s = settings.timeout_s
        self._synchronous = settings.synchronous
        self._writers = Writers(f"{self.path}.lock", settings.timeout_s)
        kept = Durability.DISK if settings.synchronous == "full" else Durability.PROCESS
        self.capabilities = StoreCapabilities(durability=kept, multi_process=True, batch=True)
        records = f"{settings.prefix}_records"
        self.load = LOAD.format(records=records)
        self.insert = INSERT.format(records=records)
        self.update = UPDATE.format(records=records)
        self.delete = DELETE.format(records=records)
        self.due = DUE.format(records=records)
        self.scan = SCAN.format(records=records)
        self.settings = SETTINGS
        self._load_many = LOAD_MANY.format(records=records)
        self._drop = DROP.format(records=records)
        self._writes = frozenset({self.insert, self.update, self.delete, self._drop})

    def connect(self) -> sqlite3.Connection:
        """See `Dialect.connect`."""
        made: sqlite3.Connection | None = None
        try:
            made = sqlite3.connect(self.path, timeout=self.timeout_s, isolation_level=None, check_same_thread=False)
            made.execute(f"PRAGMA synchronous = {self._synchronous}")
            with self._writers:  # the change to WAL, which only the first makes, waits for nobody
                made.execute("PRAGMA journal_mode = WAL")
        except (sqlite3.Error, OSError) as error:
            drop(made)
            if isinstance(error, sqlite3.Error):
                raise _meaning(error, wrote=False) from error
            raise StoreUnavailable(NO_LOCK.format(error.strerror)) from error
        return made

    def load_many(self, keys: Sequence[str]) -> Ask:
        """See `Dialect.load_many`."""
        return self._load_many, (_json(keys),)

    def write_many(self, changes: Sequence[Change]) -> Ask:
        """See `Dialect.write_many`."""
        return WRITE_MANY, changes

    def drop(self, keys: Sequence[str], before: int) -> Ask:
        """See `Dialect.drop`."""
        return self._drop, (_json(keys), before)

    def remarks(self, found: Mapping[str, str]) -> Sequence[StoreRemark]:
        """See `Dialect.remarks`."""
        said: list[StoreRemark] = []
        if found["journal_mode"] != "wal":
            said.append(
                StoreRemark(f"SQLite's journal is {found['journal_mode']}: readers and writers wait for one another.")
            )
        level = SYNCHRONOUS.get(found["synchronous"], found["synchronous"])
        if int(found["synchronous"]) >= FULL:
            said.append(StoreRemark(f"An acknowledged commit is on the disk (synchronous={level})."))
        else:
            text = f"synchronous={level}: a power loss of the machine forgets the last acknowledged commits."
            said.append(StoreRemark(text, is_fault=self._synchronous == "full"))
        return said

    def is_stale(self, connection: sqlite3.Connection) -> bool:
        """A file has no server that could go away, but what is written inside a transaction is not committed."""
        return connection.in_transaction

    def perform(self, connection: sqlite3.Connection, statement: str, params: Sequence[Any]) -> Answer:
        """See `Dialect.perform`."""
        try:
            if statement in self._writes:
                with self._writers:
                    return (), connection.execute(statement, params).rowcount
            if statement is WRITE_MANY:
                with self._writers:
                    return self._write_many(connection, params), 0
        except sqlite3.Error as error:
            raise _meaning(error, wrote=True) from error
        except OSError as error:
            raise StoreUnavailable(NO_LOCK.format(error.strerror)) from error
        try:
            return connection.execute(statement, params).fetchall(), 0
        except sqlite3.Error as error:
            raise _meaning(error, wrote=False) from error

    def _write_many(self, connection: sqlite3.Connection, changes: Sequence[Change]) -> list[tuple[str]]:
        """One transaction, and so one fsync; on any error nothing of it is applied, or SQLite does not know."""
        written: list[tuple[str]] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            for one in changes:
                if one.expect is None:
                    done = connection.execute(self.insert, (one.key, one.version, one.gc_at, one.data))
                else:
                    done = connection.execute(self.update, (one.version, one.gc_at, one.data, one.key, one.expect))
                if done.rowcount:
                    written.append((one.key,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with suppress(sqlite3.Error):  # the store closes a connection that stays inside
                    connection.execute("ROLLBACK")
            raise
        return written

    def after_fork(self) -> None:
        """See `Dialect.after_fork`."""
        self._writers.after_fork()


def _json(keys: Sequence[str]) -> str:
    return json.dumps(list(keys))


def _place(settings: SQLSettings) -> str:
    """The real path of the file, which is made when it is missing."""
    found = sqlite_file(settings)
    path = os.path.realpath(str(found))
    mounts = MOUNTS.read_text(errors="surrogateescape") if MOUNTS.exists() else ""
    kind = network_file_system(str(Path(path).parent), mounts)
    if kind is not None:
        raise ConfigurationError(
            f"{path} is on a network file system ({kind}), where SQLite's locks cannot be relied on: "
            "put the file on a local disk, or use a database server."
        )
    if Path(path).exists() and not Path(path).is_file():
        raise ConfigurationError(f"{path} is no regular file: name one for SQLite, or one to be made.")
    try:
        for folder in reversed(Path(path).parents):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        # One that is there is not opened: to close it would give up the locks of this process's connections to it,
        # and the next process to close its last one would delete the WAL under them (sqlite.org/howtocorrupt, 2.2).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"SQLite's file {path} cannot be made ({error.strerror}).") from error
    return path


def _meaning(error: sqlite3.Error, *, wrote: bool) -> StoreError:
    """What SQLite's error says; only of a disk that fails while it writes does nobody know what it kept."""
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"SQLite's disk is full ({name}).")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreFormatError(f"SQLite's file is damaged, or is none of SQLite's ({name}).")
        case sqlite3.SQLITE_IOERR if wrote:
            return CommitUnknown(f"SQLite's disk failed ({name}).")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailable(f"Another program holds SQLite's file ({name}).")
        case _:
            return StoreUnavailable(f"SQLite refused a statement ({name}).")
