"""A durable store that processes share, in one pickled file under a lock, and broken variants of it.

The kit's checks of durability, processes, size limits and batches are shown on it to pass and to fail. Whatever is
opened in another process is here, importable.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from otpcore.conformance.yielding import PAUSE_S
from otpcore.errors import StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Durability, StoreCapabilities, Version, Versioned
from tests.conformance.racing_stores import PAUSE

Row = tuple[bytes, str, datetime]
Broken = TypeVar("Broken", bound=type[Any])
FILE_CAPABILITIES = StoreCapabilities(durability=Durability.PROCESS, multi_process=True, max_bytes=20_000, batch=True)
FILE_DEFECTS: list[tuple[type[FileStore], str]] = []


def fails(name: str) -> Callable[[Broken], Broken]:
    """Register a broken store with a requirement that it fails, without its `test_`."""

    def register(store: Broken) -> Broken:
        FILE_DEFECTS.append((store, f"test_{name}"))
        return store

    return register


class FileStore:
    """A `Store` that reads and writes its whole file for each operation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_suffix(".lock")
        self._closed = False

    @property
    def capabilities(self) -> StoreCapabilities:
        return FILE_CAPABILITIES

    def load(self, key: str) -> Versioned | None:
        with self._locked():
            return _shown(self._read(), key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data is not None and len(data) > 20_000:
            raise StoreError("more than 20,000 bytes")
        with self._locked():
            rows = self._read()
            stands = _shown(rows, key)
            if (stands and stands.version) != expect:
                return Conflict(stands)
            version = self._new_version(rows)
            if data is None:
                rows.pop(key, None)
            else:
                rows[key] = (data, version, gc_at)
            self._write(rows)
            return version

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        with self._locked():
            rows = self._read()
        return [_shown(rows, key) for key in keys]

    def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        return [self.commit_one(each) for each in commits]

    def commit_one(self, each: CommitRequest) -> Version | Conflict | StoreError:
        """The answer to an item of a batch."""
        try:
            return self.commit(each.key, each.data, expect=each.expect, gc_at=each.gc_at)
        except StoreError as error:
            return error

    def sweep(self, before: datetime, *, limit: int) -> int:
        with self._locked():
            rows = self._read()
            due = [key for key, (_data, _version, gc_at) in rows.items() if gc_at < before][:limit]
            for key in due:
                del rows[key]
            self._write(rows)
        return len(due)

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        with self._locked():
            rows = self._read()
        return [(key, Versioned(rows[key][0], Version(rows[key][1]))) for key in sorted(rows) if key > after][:limit]

    def close(self) -> None:
        self._closed = True

    @contextmanager
    def _locked(self) -> Generator[None]:
        if self._closed:
            raise StoreUnavailable
        try:
            with self._lock.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StoreUnavailable("the file is away") from error

    @contextmanager
    def outage(self) -> Generator[None]:
        """Its folder is away."""
        here, away = self._path.parent, self._path.parent.with_suffix(".away")
        os.rename(here, away)  # noqa: PTH104  # `here` must stay a path
        try:
            yield
        finally:
            os.rename(away, here)  # noqa: PTH104  # as above

    def _new_version(self, rows: dict[str, Row]) -> Version:
        return Version(secrets.token_hex(8))

    def _read(self) -> dict[str, Row]:
        return pickle.loads(self._path.read_bytes()) if self._path.exists() else {}

    def _write(self, rows: dict[str, Row]) -> None:
        fresh = self._path.with_suffix(f".{secrets.token_hex(4)}")
        fresh.write_bytes(pickle.dumps(rows))
        fresh.replace(self._path)


def _shown(rows: dict[str, Row], key: str) -> Versioned | None:
    return Versioned(rows[key][0], Version(rows[key][1])) if key in rows else None


# --- durable, but not quite ----------------------------------------------------------------------


@fails("records_are_there_after_reopening")
class ForgetsAtClose(FileStore):
    def close(self) -> None:
        super().close()
        self._path.unlink(missing_ok=True)


@fails("deletions_hold_after_reopening")
class BringsBackTheDead(FileStore):
    """Deletes in memory only."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._dead: set[str] = set()

    def _read(self) -> dict[str, Row]:
        return {key: row for key, row in super()._read().items() if key not in self._dead}

    def _write(self, rows: dict[str, Row]) -> None:
        everything = FileStore._read(self)
        self._dead = set(everything) - set(rows)
        super()._write(everything | rows)


@fails("versions_guard_after_reopening")
class VersionsAreOfTheOpening(FileStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        rows = self._read()
        self._write({key: (data, f"{version}.", gc_at) for key, (data, version, gc_at) in rows.items()})


@fails("versions_do_not_recur_after_reopening")
class CountsAnewWhenOpened(FileStore):
    commits = 0

    def _new_version(self, rows: dict[str, Row]) -> Version:
        self.commits += 1
        return Version(str(self.commits))


@fails("gc_at_is_kept_over_reopening")
class ForgetsDates(FileStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        never = datetime.max.replace(tzinfo=UTC)
        self._write({key: (data, version, never) for key, (data, version, _gc_at) in self._read().items()})


@fails("acknowledged_commits_survive_a_kill")
class WritesAtClose(FileStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._rows = super()._read()

    def _read(self) -> dict[str, Row]:
        return dict(self._rows)

    def _write(self, rows: dict[str, Row]) -> None:
        self._rows = rows

    def close(self) -> None:
        super().close()
        super()._write(self._rows)


# --- shared by processes, but not quite ------------------------------------------------------------


@fails("another_process_sees_a_commit")
class IsAlone(WritesAtClose):
    """Keeps to itself what it has until it closes."""


@fails("a_commit_of_another_process_is_seen")
class ReadsOnce(FileStore):
    """Answers loads from what it read first, and only then."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._seen: dict[str, Versioned | None] = {}

    def load(self, key: str) -> Versioned | None:
        if key not in self._seen:
            self._seen[key] = super().load(key)
        return self._seen[key]


@fails("a_commit_of_another_process_guards")
class GuardsByMemory(WritesAtClose):
    """Compares with what it remembers, and writes through."""

    def _write(self, rows: dict[str, Row]) -> None:
        super()._write(rows)
        FileStore._write(self, rows)


@fails("no_increment_of_processes_is_lost")
class LocksNothing(FileStore):
    pause_s = 5 * PAUSE_S

    @contextmanager
    def _locked(self) -> Generator[None]:
        yield

    def _read(self) -> dict[str, Row]:
        rows = super()._read()
        PAUSE.wait(self.pause_s)
        return rows


@fails("one_of_many_processes_creates")
class LocksNothingForLong(LocksNothing):
    pause_s = 200 * PAUSE_S  # one race, not a hundred: processes of a loaded machine must meet in it


# --- limits and batches ----------------------------------------------------------------------------


@fails("too_large_a_record_is_refused")
class CutsWhatIsTooLarge(FileStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        return super().commit(key, data and data[:20_000], expect=expect, gc_at=gc_at)


@fails("what_claims_batches_takes_them")
class LoadsOneByOne(FileStore):
    load_many: Any = None


@fails("too_large_a_record_fails_alone_in_a_batch")
class FailsTheWholeBatch(FileStore):
    def commit_one(self, each: CommitRequest) -> Version | Conflict:
        return self.commit(each.key, each.data, expect=each.expect, gc_at=each.gc_at)


@fails("a_record_of_max_bytes_is_taken")
class RefusesItsOwnLimit(FileStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data is not None and len(data) >= 20_000:
            raise StoreError("20,000 bytes or more")
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("acknowledged_batches_survive_a_kill")
class WritesBatchesAtClose(WritesAtClose):
    """Writes single commits at once."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        FileStore._write(self, self._rows)
        return answer

    def commit_one(self, each: CommitRequest) -> Version | Conflict:
        return WritesAtClose.commit(self, each.key, each.data, expect=each.expect, gc_at=each.gc_at)
