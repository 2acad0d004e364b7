"""MariaDB and MySQL: their statements, and their batches.

An UPDATE of InnoDB looks at the newest committed row, whatever the isolation, so one that names the version is a
compare-and-swap; it commits by itself. The plain SELECT after a lost one is a transaction of its own, and so sees what
won. A batch is one transaction of three statements, and a fourth that asks which rows now have the new version: they
stay locked until the end.

Rules of this file: MariaDB and MySQL alone.
"""

from __future__ import annotations

import inspect
import math
import select
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pymysql  # type: ignore[import-untyped]  # it brings no types
from sqlalchemy.engine import URL

from otpcore.errors import CommitUnknown, ConfigurationError, StoreError, StoreFull, StoreUnavailable
from otpcore.ports import Durability, StoreCapabilities, StoreRemark
from otpcore_sql.connecting import UNKNOWN_WORD, engine
from otpcore_sql.dialect import Answer, Ask, Clash
from otpcore_sql.rows import Change

if TYPE_CHECKING:
    from otpcore_sql.settings import SQLSettings  # it builds what is here

__all__ = ["MySQL"]

LOAD = "SELECT version, data FROM {records} WHERE `key` = %s"
INSERT = "INSERT INTO {records} (`key`, version, gc_at, data) VALUES (%s, %s, %s, %s)"
UPDATE = "UPDATE {records} SET version = %s, gc_at = %s, data = %s WHERE `key` = %s AND version = %s"
DELETE = "DELETE FROM {records} WHERE `key` = %s AND version = %s"
DUE = "SELECT `key`, gc_at FROM {records} WHERE `key` > %s ORDER BY `key` LIMIT %s"
SCAN = "SELECT `key`, version, data FROM {records} WHERE `key` > %s ORDER BY `key` LIMIT %s"
LOAD_MANY = "SELECT `key`, version, data FROM {records} WHERE `key` IN %s"
DROP = "DELETE FROM {records} WHERE `key` IN %s AND gc_at < %s"

INSERT_MANY = "INSERT INTO {records} (`key`, version, gc_at, data) VALUES {given} ON DUPLICATE KEY UPDATE gc_at = gc_at"
"""Leaves a row that stands as it is; IGNORE would also cut what does not fit."""
UPDATE_MANY = """
UPDATE ({given}) AS g STRAIGHT_JOIN {records} AS r ON r.`key` = g.k AND r.version = g.e
SET r.version = g.v, r.gc_at = g.g, r.data = g.d
"""
VERSIONS = "SELECT `key`, version FROM {records} WHERE `key` IN %s"

SETTINGS = """
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin', 'read_only',
  'innodb_doublewrite', 'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_enabled')
"""
ENGINE = "SELECT 'engine', ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"

STRICT: Final = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
"""Values that do not fit are refused, whatever the server was told: cut, a key would be another one's."""

DUPLICATE: Final = 1062
CLASHES: Final = frozenset({1020, 1213})
"""Record has changed since last read; deadlock: the whole transaction is rolled back."""
FULL: Final = frozenset({1021, 1041, 1114})
UNKNOWN: Final = frozenset({0, 1053, 1180, 1927})
"""Of the server: it stops, an error during COMMIT, the connection was killed. Above 2000 are the client's own."""
CLIENT: Final = 2000


class MySQL:
    """See `otpcore_sql.dialect.Dialect`.

    Raises:
        ConfigurationError: the URL has a word that PyMySQL does not know.
    """

    name = "mysql"

    def __init__(self, url: URL, settings: SQLSettings) -> None:
        self.engine = engine(url)
        _, given = self.engine.dialect.create_connect_args(self.engine.url)
        self._connecting: dict[str, Any] = {
            "charset": "utf8mb4",
            **given,
            "autocommit": True,
            "connect_timeout": math.ceil(settings.timeout_s),
            "read_timeout": settings.timeout_s,
            "write_timeout": settings.timeout_s,
            "sql_mode": STRICT,
        }
        try:
            inspect.signature(pymysql.Connection).bind(**self._connecting)
        except TypeError:
            raise ConfigurationError(UNKNOWN_WORD) from None
        self.prefix = settings.prefix
        self.timeout_s = settings.timeout_s
        self.capabilities = StoreCapabilities(durability=Durability.DISK, multi_process=True, shared=True, batch=True)
        self._table = records = f"{settings.prefix}_records"
        self.load = LOAD.format(records=records)
        self.insert = INSERT.format(records=records)
        self.update = UPDATE.format(records=records)
        self.delete = DELETE.format(records=records)
        self.due = DUE.format(records=records)
        self.scan = SCAN.format(records=records)
        self.settings = SETTINGS
        self._load_many = LOAD_MANY.format(records=records)
        self._drop = DROP.format(records=records)
        self._versions = VERSIONS.format(records=records)

    def connect(self) -> Any:
        """See `Dialect.connect`."""
        try:
            return pymysql.connect(**self._connecting)
        except (pymysql.Error, OSError) as error:
            text = f"MariaDB cannot be reached ({type(error).__name__} {_code(error)})."
            raise StoreUnavailable(text) from error

    def load_many(self, keys: Sequence[str]) -> Ask:
        """See `Dialect.load_many`."""
        return self._load_many, (list(keys),)

    def write_many(self, changes: Sequence[Change]) -> Ask:
        """See `Dialect.write_many`."""
        return WRITE_MANY, sorted(changes, key=_key)  # locked in one order by all

    def drop(self, keys: Sequence[str], before: int) -> Ask:
        """See `Dialect.drop`."""
        return self._drop, (list(keys), before)

    def remarks(self, found: Mapping[str, str]) -> Sequence[StoreRemark]:
        """See `Dialect.remarks`."""
        return remarks(found)

    def is_stale(self, connection: Any) -> bool:
        """See `Dialect.is_stale`. The server says nothing by itself but goodbye."""
        try:
            poll = select.poll()
            poll.register(connection._sock, select.POLLIN)  # noqa: SLF001 # PyMySQL names its socket nowhere else
            return bool(poll.poll(0))
        except (AttributeError, TypeError, OSError, ValueError):
            return True

    def perform(self, connection: Any, statement: str, params: Sequence[Any]) -> Answer:
        """See `Dialect.perform`."""
        try:
            with connection.cursor() as cursor:
                if statement is WRITE_MANY:
                    return self._write_many(connection, cursor, params), 0
                touched = cursor.execute(statement, params)
                rows = list(cursor.fetchall())
                if statement is SETTINGS:
                    cursor.execute(ENGINE, (self._table,))
                    rows += cursor.fetchall()
                return rows, touched
        except (pymysql.Error, OSError) as error:
            code = _code(error)
            if code == DUPLICATE:
                return (), 0
            raise _meaning(error, code) from error

    def _write_many(self, connection: Any, cursor: Any, changes: Sequence[Change]) -> list[tuple[str]]:
        """One transaction; on an error nothing of it is applied, or nobody knows whether COMMIT came through."""
        made = [one for one in changes if one.expect is None]
        changed = [one for one in changes if one.expect is not None]
        connection.begin()
        try:
            if changed:
                given = " UNION ALL ".join(["SELECT %s AS k, %s AS e, %s AS v, %s AS g, %s AS d"] * len(changed))
                values = [_bytes(v) for c in changed for v in (c.key, c.expect, c.version, c.gc_at, c.data)]
                cursor.execute(UPDATE_MANY.format(given=given, records=self._table), values)
            if made:
                marks = ", ".join(["(%s, %s, %s, %s)"] * len(made))
                rows = [value for c in made for value in (c.key, c.version, c.gc_at, c.data)]
                cursor.execute(INSERT_MANY.format(records=self._table, given=marks), rows)
            cursor.execute(self._versions, ([one.key for one in changes],))
            stands = {bytes(key): bytes(version) for key, version in cursor.fetchall()}
            connection.commit()
        except BaseException:
            with suppress(pymysql.Error, OSError):
                connection.rollback()
            raise
        return [(one.key,) for one in changes if stands.get(one.key.encode()) == one.version.encode()]

    def after_fork(self) -> None:
        """Nothing but the pool is the parent's."""


WRITE_MANY: Final = "a batch"
"""Stands for one transaction of several statements."""


def _key(change: Change) -> str:
    return change.key


def _bytes(value: Any) -> Any:
    """Bytes stay bytes in the server's temporary table, so that the key is compared by its index."""
    return value.encode() if isinstance(value, str) else value


def _code(error: Exception) -> int:
    found = error.args[0] if error.args else 0
    return found if isinstance(found, int) and isinstance(error, pymysql.Error) else 0


def _meaning(error: Exception, code: int) -> StoreError:
    """What the server's, or the driver's, error says of a statement."""
    if code in UNKNOWN or code >= CLIENT or not isinstance(error, pymysql.Error):
        return CommitUnknown(f"MariaDB gave no answer ({type(error).__name__} {code}).")
    if code in CLASHES:
        return Clash(f"MariaDB served others first ({code}).")
    if code in FULL:
        return StoreFull(f"MariaDB has no room left ({code}).")
    return StoreUnavailable(f"MariaDB refused a statement ({code}).")


def remarks(found: Mapping[str, str]) -> list[StoreRemark]:
    """What the server's settings mean for the records."""
    said: list[StoreRemark] = []
    if found.get("engine", "InnoDB") != "InnoDB":
        text = f"The records are in a table of {found['engine']}: only InnoDB keeps what it acknowledged."
        said.append(StoreRemark(text, is_fault=True))
    if found.get("read_only", "OFF") != "OFF":
        said.append(StoreRemark("read_only is on: the server takes no writes. Is it a replica?", is_fault=True))
    if found.get("innodb_flush_log_at_trx_commit") != "1":
        text = "innodb_flush_log_at_trx_commit is not 1: a power loss forgets the last acknowledged commits."
        said.append(StoreRemark(text, is_fault=True))
    if found.get("innodb_doublewrite", "ON") == "OFF":
        text = "innodb_doublewrite is off: a power loss may destroy pages, unless the file system writes them whole."
        said.append(StoreRemark(text))
    if found.get("log_bin") == "ON" and found.get("sync_binlog") != "1":
        text = "sync_binlog is not 1: after a power loss replicas may have commits that the server lost, or lack some."
        said.append(StoreRemark(text))
    if "ON" in (found.get("rpl_semi_sync_master_enabled"), found.get("rpl_semi_sync_source_enabled")):
        said.append(
            StoreRemark("Commits wait for a replica while one is there (semi-sync): a failover to it keeps them.")
        )
    else:
        said.append(StoreRemark("No replica confirms commits: a failover may forget the last acknowledged ones."))
    if not any(one.is_fault for one in said):
        said.insert(0, StoreRemark("An acknowledged commit is on the server's disk."))
    return said
