"""PostgreSQL: its statements, and its batches.

A commit is a plain UPDATE that names the version it replaces. At READ COMMITTED it waits for whoever holds the row and
looks at the row that came out; at the stricter levels the server refuses instead (`Clash`), and the next try sees it.
What stands is read by a statement of its own: in one statement with the UPDATE it would be read from a snapshot that is
older than what the UPDATE waited for.

Rules of this file: SQL and what its answers mean; the wire is `otpcore_sql.wire`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL

from otpcore.errors import ConfigurationError
from otpcore.ports import Durability, StoreCapabilities, StoreRemark
from otpcore_sql import wire
from otpcore_sql.connecting import UNKNOWN_WORD, engine
from otpcore_sql.dialect import Answer, Ask
from otpcore_sql.rows import Change
from otpcore_sql.wire import BYTEA, INT8, TEXT, Statement, array, statement

if TYPE_CHECKING:
    from otpcore_sql.settings import SQLSettings  # it builds what is here

__all__ = ["PostgreSQL"]

LOAD = "SELECT version, data FROM {records} WHERE key = $1"
INSERT = "INSERT INTO {records} (key, version, gc_at, data) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING"
UPDATE = "UPDATE {records} SET version = $1, gc_at = $2, data = $3 WHERE key = $4 AND version = $5"
DELETE = "DELETE FROM {records} WHERE key = $1 AND version = $2"
DUE = "SELECT key, gc_at FROM {records} WHERE key > $1 ORDER BY key LIMIT $2"
SCAN = "SELECT key, version, data FROM {records} WHERE key > $1 ORDER BY key LIMIT $2"
LOAD_MANY = "SELECT key, version, data FROM {records} WHERE key = ANY($1)"

DROP = """
WITH due AS (SELECT key FROM {records} WHERE key = ANY($1) AND gc_at < $2 ORDER BY key FOR UPDATE SKIP LOCKED)
DELETE FROM {records} AS r USING due WHERE r.key = due.key AND r.gc_at < $2
"""

WRITE_MANY = """
WITH given AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::bytea[])
    AS g (key, expect, version, gc_at, data)
), held AS (
  SELECT r.key FROM {records} AS r JOIN given AS g ON r.key = g.key
    WHERE g.expect IS NOT NULL ORDER BY r.key FOR NO KEY UPDATE OF r
), changed AS (
  UPDATE {records} AS r SET version = g.version, gc_at = g.gc_at, data = g.data
    FROM given AS g, held WHERE r.key = held.key AND g.key = held.key AND r.version = g.expect
    RETURNING r.key
), made AS (
  INSERT INTO {records} (key, version, gc_at, data)
    SELECT key, version, gc_at, data FROM given
      WHERE expect IS NULL AND (SELECT count(*) FROM changed) >= 0 ORDER BY key
    ON CONFLICT (key) DO NOTHING RETURNING key
)
SELECT key FROM changed UNION ALL SELECT key FROM made
"""
"""Which of the given keys were written. Rows are locked, then made, in the order of their keys, so that batches of
several processes wait for one another in a line and never in a ring; `count` has the updates done before the first
insertion."""

SETTINGS = """
SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes',
  'synchronous_standby_names', 'default_transaction_isolation', 'default_transaction_read_only')
UNION ALL SELECT 'in_recovery', pg_catalog.pg_is_in_recovery()::text
"""


class PostgreSQL:
    """See `otpcore_sql.dialect.Dialect`.

    Attributes:
        connecting: what psycopg is given.
        timeout_s: for an answer.
        prepare: whether a connection prepares its statements on the server.

    Raises:
        ConfigurationError: the URL has a word that libpq does not know.
    """

    name = "postgresql"

    def __init__(self, url: URL, settings: SQLSettings) -> None:
        self.engine = engine(url)
        _, given = self.engine.dialect.create_connect_args(self.engine.url)
        try:
            make_conninfo(**{word: value for word, value in given.items() if word != "context"})  # which is psycopg's
        except psycopg.ProgrammingError:
            raise ConfigurationError(UNKNOWN_WORD) from None
        self.connecting: dict[str, Any] = {
            **given,
            "autocommit": True,
            "connect_timeout": math.ceil(settings.timeout_s),
            "prepare_threshold": None,  # of psycopg's cursors; what is prepared here, `wire` does
        }
        self.prefix = settings.prefix
        self.timeout_s = settings.timeout_s
        self.prepare = settings.prepare
        self.capabilities = StoreCapabilities(durability=Durability.DISK, multi_process=True, shared=True, batch=True)

        def ready(template: str, types: Sequence[int], results: Sequence[int] = ()) -> Statement:
            return statement(template.format(records=f"{settings.prefix}_records"), types, results)

        self.load = ready(LOAD, (TEXT,), (TEXT, BYTEA))
        self.insert = ready(INSERT, (TEXT, TEXT, INT8, BYTEA))
        self.update = ready(UPDATE, (TEXT, INT8, BYTEA, TEXT, TEXT))
        self.delete = ready(DELETE, (TEXT, TEXT))
        self.due = ready(DUE, (TEXT, INT8), (TEXT, INT8))
        self.scan = ready(SCAN, (TEXT, INT8), (TEXT, TEXT, BYTEA))
        self.settings = ready(SETTINGS, (), (TEXT, TEXT))
        self._load_many = ready(LOAD_MANY, (-TEXT,), (TEXT, TEXT, BYTEA))
        self._write_many = ready(WRITE_MANY, (-TEXT, -TEXT, -TEXT, -INT8, -BYTEA), (TEXT,))
        self._drop = ready(DROP, (-TEXT, INT8))

    def connect(self) -> psycopg.Connection[Any]:
        """See `Dialect.connect`."""
        try:
            return psycopg.connect(**self.connecting)
        except (psycopg.Error, OSError) as error:
            raise wire.unreachable(error) from error

    def load_many(self, keys: Sequence[str]) -> Ask:
        """See `Dialect.load_many`."""
        return self._load_many, (array(TEXT, keys),)

    def write_many(self, changes: Sequence[Change]) -> Ask:
        """See `Dialect.write_many`."""
        return self._write_many, (
            array(TEXT, [one.key for one in changes]),
            array(TEXT, [one.expect for one in changes]),
            array(TEXT, [one.version for one in changes]),
            array(INT8, [one.gc_at for one in changes]),
            array(BYTEA, [one.data for one in changes]),
        )

    def drop(self, keys: Sequence[str], before: int) -> Ask:
        """See `Dialect.drop`; what somebody holds is passed over."""
        return self._drop, (array(TEXT, keys), before)

    def remarks(self, found: Mapping[str, str]) -> Sequence[StoreRemark]:
        """See `Dialect.remarks`."""
        return remarks(found)

    def is_stale(self, connection: Any) -> bool:
        """See `Dialect.is_stale`."""
        return wire.is_stale(connection)

    def perform(self, connection: Any, statement: Statement, params: Sequence[Any]) -> Answer:
        """See `Dialect.perform`."""
        return wire.exchange(connection, statement, params, self.timeout_s, prepare=self.prepare)

    def after_fork(self) -> None:
        """Nothing but the pool is the parent's."""


def remarks(found: Mapping[str, str]) -> list[StoreRemark]:
    """What the server's settings mean for the records."""
    said: list[StoreRemark] = []
    if found.get("in_recovery") == "true":
        said.append(StoreRemark("PostgreSQL is a replica in recovery: it takes no writes.", is_fault=True))
    if found.get("default_transaction_read_only") == "on":
        said.append(StoreRemark("default_transaction_read_only is on: PostgreSQL takes no writes.", is_fault=True))
    said += [
        StoreRemark(f"{name} is off: a power loss may destroy PostgreSQL's whole cluster.", is_fault=True)
        for name in ("fsync", "full_page_writes")
        if found.get(name) == "off"
    ]
    commit = found.get("synchronous_commit", "")
    if commit == "off":
        text = "synchronous_commit is off: a crash of the server forgets the last acknowledged commits."
        said.append(StoreRemark(text, is_fault=True))
    standbys = found.get("synchronous_standby_names", "")
    if not standbys or commit in ("off", "local"):
        text = "No standby confirms commits: a failover may forget the last acknowledged ones."
    else:
        text = f"Commits wait for a standby ({commit}): a failover to it keeps them."
    said.append(StoreRemark(text))
    isolation = found.get("default_transaction_isolation", "")
    if isolation != "read committed":
        said.append(StoreRemark(f"The isolation is {isolation}: correct, but races cost another round trip."))
    if not any(one.is_fault for one in said):
        said.insert(0, StoreRemark("An acknowledged commit is on PostgreSQL's disk."))
    return said
