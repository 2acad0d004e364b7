"""Forks, and SQLite's writers: who may use what, and in which order."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.errors import ConfigurationError, StoreFormatError, StoreFull, StoreUnavailable
from otpcore.ports import CommitRequest, Version, Versioned
from otpcore_sql import SQLSettings
from otpcore_sql.settings import build
from otpcore_sql.sqlite import network_file_system
from otpcore_sql.writers import Writers
from tests.sql_places import KINDS, Place, place

LATER = datetime.now(UTC) + timedelta(days=30)
CHILD = Path(__file__).with_name("fork_child.py")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Place]:
    with place("sqlite", tmp_path) as made:
        yield made


def forked(at: Place, keep: str, colour: str = "blocking") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CHILD), colour, at.url, at.prefix, keep]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_uses_connections_of_its_own(kind: str, tmp_path: Path) -> None:
    """Parent and child make 60 commits and loads each at once, after the parent has used the store and forked."""
    with place(kind, tmp_path) as at:
        done = forked(at, "let go")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_that_kept_its_parents_connection_is_seen(kind: str, tmp_path: Path) -> None:
    """The control of the test before."""
    with place(kind, tmp_path) as at:
        assert forked(at, "keep").returncode == 1


@pytest.mark.parametrize("keep", ["let go", "keep"], ids=["", "planted"])
def test_a_child_does_not_wait_for_the_tasks_of_its_parent(keep: str, tmp_path: Path) -> None:
    """A store that keeps its parent's room and lock is the control."""
    with place("postgresql", tmp_path) as at:
        done = forked(at, keep, "awaiting")
        assert (done.returncode, bool(done.stdout)) == ((0, False) if keep == "let go" else (1, True)), done.stderr


# --- SQLite --------------------------------------------------------------------------------------


def waits(inode: int) -> bool:
    """Whether somebody waits for a lock on this file; Linux lists who does."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any("->" in line and f":{inode} " in line for line in lines)


def order_of(at: Place) -> list[str]:
    """What came first: that the lock beside the file was given back, or that a commit returned."""
    store = at.store()
    version = store.commit("a", b"1", expect=None, gc_at=LATER)
    said: list[str] = []

    def commits() -> None:
        store.commit("a", b"2", expect=version, gc_at=LATER)
        said.append("committed")

    path = at.url.removeprefix("sqlite:///") + ".lock"
    with Path(path).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=commits)
        thread.start()
        while not waits(os.fstat(lock.fileno()).st_ino) and not said:
            pass
        said.append("given back")
        fcntl.flock(lock, fcntl.LOCK_UN)
    thread.join(60)
    store.close()
    return said


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux lists who waits for a lock")
def test_writers_wait_in_the_line_of_the_lock_beside_the_file(file: Place) -> None:
    assert order_of(file) == ["given back", "committed"]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux lists who waits for a lock")
def test_without_the_lock_a_writer_would_not_wait(file: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test before."""
    made = file.store()
    made.close()
    monkeypatch.setattr("otpcore_sql.sqlite.Writers", Idle)
    Path(file.url.removeprefix("sqlite:///") + ".lock").touch()
    assert order_of(file) == ["committed", "given back"]


class Idle(nullcontext[None]):
    """A lock that is none."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    def after_fork(self) -> None: ...


def waits_and_keeps(writers: Any) -> None:
    fcntl.flock(writers._fd, fcntl.LOCK_EX)


@pytest.mark.parametrize("leaves", [True, False], ids=["", "planted"])
def test_who_waits_too_long_in_the_line_is_told_and_leaves_it(
    leaves: bool, file: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the lock is stopped, say. A store that goes on waiting, and keeps what it gets, is the control."""
    store, other = file.store(timeout_s=0.2), file.store(timeout_s=0.5)
    version = store.commit("a", b"1", expect=None, gc_at=LATER)
    other.load("a")
    if not leaves:
        monkeypatch.setattr(Writers, "_wait", waits_and_keeps)
    with Path(file.url.removeprefix("sqlite:///") + ".lock").open("rb") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        inode, before = os.fstat(lock.fileno()).st_ino, threading.active_count()
        told: list[BaseException | None] = []
        with suppress(TimeoutError):
            told.extend(
                pool.submit(store.commit, "a", data, expect=version, gc_at=LATER).exception(30) for data in (b"2", b"3")
            )
        assert threading.active_count() <= before + 2, "one that waits, and the pool's"
        fcntl.flock(lock, fcntl.LOCK_UN)
    assert [type(error) for error in told] == [StoreUnavailable] * 2
    while waits(inode):
        pass
    if leaves:
        assert isinstance(other.commit("b", b"1", expect=None, gc_at=LATER), str)
        assert isinstance(store.commit("a", b"4", expect=version, gc_at=LATER), str)
    else:
        with pytest.raises(StoreUnavailable, match="lock beside"):
            other.commit("b", b"1", expect=None, gc_at=LATER)
    for one in (store, other):
        one.close()


def test_a_commit_is_synced_as_the_settings_say(tmp_path: Path) -> None:
    for level, found in (("full", 2), ("normal", 1)):
        with place("sqlite", tmp_path) as at:
            store = at.store(synchronous=level)
            store.load("a")
            connection = store._connections.take()
            assert connection.execute("PRAGMA synchronous").fetchone() == (found,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            store._connections.give(connection, sound=True)
            store.close()


def test_the_file_is_made_for_its_owner_alone_and_a_pepper_would_lie_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "records.sqlite"
    settings = SQLSettings(url=SecretStr(f"sqlite:///{path}"))
    store = build(settings)
    store.commit("a", b"1", expect=None, gc_at=LATER)
    assert settings.path == path
    assert {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {
        f"records.sqlite{end}": 0o600 for end in ("", "-wal", "-shm", ".lock")
    }
    assert path.parent.stat().st_mode & 0o777 == 0o700
    store.close()


def test_another_store_on_the_file_takes_no_lock_from_the_first(file: Place) -> None:
    """Else the next process that closes its last connection deletes the WAL, with what the first one commits to it."""
    first = file.store()
    first.commit("a", b"1", expect=None, gc_at=LATER)
    second = file.store()
    assert seen_elsewhere(file) == ["a"]
    first.commit("b", b"2", expect=None, gc_at=LATER)
    assert seen_elsewhere(file) == ["a", "b"]
    second.close()
    first.close()


def seen_elsewhere(at: Place) -> list[str]:
    """The keys that another process finds, which then closes the file."""
    path, records = at.url.removeprefix("sqlite:///"), f"{at.prefix}_records"
    code = "import sqlite3, sys; file = sqlite3.connect(sys.argv[1]); "
    code += "print(*[key for key, in file.execute(sys.argv[2])]); file.close()"
    command = [sys.executable, "-c", code, path, f"SELECT key FROM {records} ORDER BY key"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="file"):
        build(SQLSettings(url=SecretStr(url)))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="regular file"):
        build(SQLSettings(url=SecretStr(f"sqlite:///{tmp_path}")))


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
//server/share /mnt/my\\040share cifs rw 0 0
/dev/vdb /home/local xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", None),
        ("/home/a", "nfs4"),
        ("/homes", None),
        ("/home/local/a", None),
        ("/mnt/my share/a", "cifs"),
    ],
)
def test_a_network_file_system_is_known(folder: str, kind: str | None) -> None:
    assert network_file_system(folder, MOUNTS) == kind


def test_a_file_on_a_network_file_system_is_refused(
    file: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("server:/x / nfs rw 0 0\n", encoding="ascii")
    monkeypatch.setattr("otpcore_sql.sqlite.MOUNTS", mounts)
    with pytest.raises(ConfigurationError, match="network file system"):
        file.store()


def test_another_program_that_holds_the_file_makes_the_store_unavailable(file: Place) -> None:
    store = file.store(timeout_s=0.1)
    version = store.commit("a", b"1", expect=None, gc_at=LATER)
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"), holding(file):
        store.commit("a", b"2", expect=version, gc_at=LATER)
    assert store.load("a").version == version
    store.close()


class holding:  # noqa: N801  # reads as what it does
    """A transaction of a program that does not know the lock."""

    def __init__(self, at: Place) -> None:
        self._connection = sqlite3.connect(at.url.removeprefix("sqlite:///"), isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


def test_a_full_disk_and_a_damaged_file_are_told_apart(file: Place) -> None:
    store = file.store()
    version = store.commit("a", b"1", expect=None, gc_at=LATER)
    connection = store._connections.take()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    store._connections.give(connection, sound=True)
    with pytest.raises(StoreFull):
        store.commit("a", b"x" * 100_000, expect=version, gc_at=LATER)
    assert store.load("a").version == version
    store.close()
    path = Path(file.url.removeprefix("sqlite:///"))
    path.write_bytes(b"this is no database of SQLite's " * 100)
    damaged = file.store()
    with pytest.raises(StoreFormatError):
        damaged.load("a")
    damaged.close()


def never(_connection: object) -> bool:
    return False


@pytest.mark.parametrize("looks", [True, False], ids=["", "planted"])
def test_a_batch_that_cannot_be_rolled_back_costs_its_connection_and_no_later_commit(
    looks: bool, file: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger refuses the second item, and SQLite is told to refuse the ROLLBACK too.

    A store that takes the connection for sound is the control: what it acknowledges next is never committed.
    """
    store = file.store(connections=1)
    if not looks:
        monkeypatch.setattr(store._dialect, "is_stale", never)
        monkeypatch.setattr(store._connections, "_is_stale", never)
    store.load("a")
    file.run(
        f"CREATE TRIGGER no BEFORE INSERT ON {file.prefix}_records WHEN NEW.key = 'b' "
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
    )

    def no_rollback(action: int, word: str | None, *_: object) -> int:
        refused = action == sqlite3.SQLITE_TRANSACTION and word == "ROLLBACK"
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    connection = store._connections.take()
    connection.set_authorizer(no_rollback)
    store._connections.give(connection, sound=True)
    with pytest.raises(StoreUnavailable, match="SQLITE_CONSTRAINT_TRIGGER"):
        store.commit_many([CommitRequest(key, b"1", None, LATER) for key in "ab"])
    version = store.commit("c", b"1", expect=None, gc_at=LATER)
    assert isinstance(version, str)
    other = file.store()
    assert other.scan("", 9) == ([("c", Versioned(b"1", Version(version)))] if looks else [])
    for one in (store, other):
        one.close()


def test_text_that_somebody_else_wrote_is_told_and_not_overwritten(file: Place) -> None:
    store = file.store()
    store.load("a")
    file.run(f"INSERT INTO {file.prefix}_records VALUES ('a', 'v', 0, 'text')")
    with pytest.raises(StoreFormatError):
        store.load("a")
    (answer,) = store.load_many(["a"])
    assert isinstance(answer, StoreFormatError)
    store.close()
