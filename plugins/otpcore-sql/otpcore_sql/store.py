"""The blocking store, over any of the databases.

Rules of this file: who uses which connection, and for how long; what is asked is in `flows`, how in the dialect.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, StoreCapabilities, StoreRemark, Version, Versioned
from otpcore_sql import flows
from otpcore_sql.connections import Connections
from otpcore_sql.dialect import Clash, Dialect
from otpcore_sql.flows import Flow
from otpcore_sql.migrating import migrate
from otpcore_sql.rows import change_of, micros

__all__ = ["CLOSED", "NOT_ASKED", "PREPARING", "SQLStore"]

T = TypeVar("T")

CLOSED: Final = "This store was closed; build a new one."
PREPARING: Final = "Others of this process make the tables, and have not finished."
NOT_ASKED: Final = "The connection was lost before; nothing was sent."


class SQLStore:
    """Records in a table, one row each. The table is made, or brought up to date, at the first use.

    Args:
        dialect: the database.
        connections: of this process, at the most.
        timeout_s: to wait for one of them, or for the tables.
    """

    def __init__(self, dialect: Dialect, *, connections: int, timeout_s: float) -> None:
        self._dialect = dialect
        self._connections = Connections(dialect.connect, dialect.is_stale, limit=connections, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._closed = False
        self._ready = False
        self._preparing = threading.Lock()
        _OPEN.add(self)

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return self._dialect.capabilities

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        return self._run(flows.load(self._dialect, key))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        return self._run(flows.commit(self._dialect, change_of(key, data, expect, gc_at)))

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`."""
        return self._run(flows.load_many(self._dialect, keys))

    def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`."""
        changes = [change_of(one.key, one.data, one.expect, one.gc_at) for one in commits]
        return self._run(flows.commit_many(self._dialect, changes))

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`. Looks at every row until the limit, in short steps."""
        return self._run(flows.sweep(self._dialect, micros(before), limit))

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`."""
        return self._run(flows.scan(self._dialect, after, limit))

    def examine(self) -> Sequence[StoreRemark]:
        """See `Examines.examine`."""
        return self._run(flows.examine(self._dialect))

    def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        self._connections.close()

    # --- connections -----------------------------------------------------------------------------

    def _run(self, flow: Flow[T]) -> T:
        """Drive a flow over one connection, which is thrown away when an answer did not come."""
        if self._closed:
            raise StoreUnavailable(CLOSED)
        if not self._ready:
            self._prepare()
        perform, connection, sound, clashes = self._dialect.perform, self._connections.take(), True, 0
        step: Any = flow.send
        given: Any = None
        try:
            while True:
                try:
                    statement, params = step(given)
                except StopIteration as done:
                    answer: T = done.value
                    return answer
                try:
                    if not sound:
                        raise StoreUnavailable(NOT_ASKED)  # noqa: TRY301 # the flow hears of it as of any other
                    given = perform(connection, statement, params)
                    step = flow.send
                except StoreError as error:
                    sound = sound and not isinstance(error, CommitUnknown) and not self._dialect.is_stale(connection)
                    step, given = flow.throw, error
                    if isinstance(error, Clash):
                        clashes += 1
                        time.sleep(flows.pause_s(clashes))
                except BaseException:
                    sound = False
                    raise
        finally:
            self._connections.give(connection, sound=sound)

    def _prepare(self) -> None:
        if not self._preparing.acquire(timeout=self._timeout_s):
            raise StoreUnavailable(PREPARING)
        try:
            if not self._ready:
                migrate(self._dialect)
                self._ready = True
        finally:
            self._preparing.release()

    def after_fork(self) -> None:
        """In a child: connections and locks are the parent's."""
        self._preparing = threading.Lock()
        self._connections.after_fork()
        self._dialect.after_fork()


_OPEN: weakref.WeakSet[SQLStore] = weakref.WeakSet()


def _in_child() -> None:
    for store in list(_OPEN):
        store.after_fork()


os.register_at_fork(after_in_child=_in_child)
