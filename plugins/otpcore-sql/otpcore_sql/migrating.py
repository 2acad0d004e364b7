"""The tables are made, and brought up to date, at the first use.

One process does it at a time; the others wait, and find it done. PostgreSQL and SQLite do it in one transaction;
MariaDB commits each statement by itself, and so each of them may be run again.

Rules of this file: when and under which lock; what is made is in `schema`.
"""

from __future__ import annotations

import hashlib
import math
import time
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from otpcore.errors import StoreFormatError, StoreUnavailable
from otpcore_sql.connections import drop
from otpcore_sql.dialect import Dialect
from otpcore_sql.schema import SCHEMA, step, version_table

__all__ = ["lock_name", "migrate"]

NEWER: Final = "The tables are of version {found}; this release knows up to {known}. Upgrade otpcore-sql."
REFUSED: Final = (
    "The tables are not there, or are of an older version, and could not be made: "
    "let this user make them, or run what `otpcore sql schema` prints."
)
BUSY: Final = "Another process makes the tables, and has not finished."

PAUSE_S: Final = 0.02
LOCKED: Final = "55P03"
"""Of PostgreSQL: the wait for a lock was longer than `lock_timeout`."""


def migrate(dialect: Dialect, upto: int = SCHEMA) -> None:
    """Make the tables of this version, or do nothing where they are there.

    Raises:
        StoreFormatError: they are of a newer release.
        StoreUnavailable: the database cannot be reached, or refused.
    """
    opened = dialect.connect()
    try:
        with _engine(dialect, opened).connect() as connection:
            found = _version(connection, dialect.prefix)
            if found < upto:
                found = _upgrade(connection, dialect, upto)
    except SQLAlchemyError as error:
        raise StoreUnavailable(REFUSED) from _driver_error(error)
    finally:
        drop(opened)
    if found > SCHEMA:
        raise StoreFormatError(NEWER.format(found=found, known=SCHEMA))


def _upgrade(connection: sa.Connection, dialect: Dialect, upto: int) -> int:
    """Take the lock, look again, make what is missing; the version that was there or is there now."""
    _lock(connection, dialect)
    try:
        found = _version(connection, dialect.prefix)
        if found >= upto:
            return found
        for version in range(found + 1, upto + 1):
            for statement in step(version, connection.dialect, dialect.prefix):
                _run(connection, statement)
        table = version_table(dialect.prefix)
        _run(connection, f"DELETE FROM {table}")  # noqa: S608 # the prefix is letters, digits and underscores
        _run(connection, f"INSERT INTO {table} (version) VALUES ({upto})")  # noqa: S608 # likewise
        if dialect.name != "mysql":
            _run(connection, "COMMIT")
        return upto
    finally:
        with suppress(SQLAlchemyError):  # the connection may be lost, and the lock with it
            _run(connection, f"SELECT RELEASE_LOCK('{lock_name(dialect)}')" if dialect.name == "mysql" else "ROLLBACK")


def _lock(connection: sa.Connection, dialect: Dialect) -> None:
    """Alone from here on; for PostgreSQL and SQLite until the end of a transaction that this begins.

    Raises:
        StoreUnavailable: another process had the lock for as long as the settings allow.
    """
    if dialect.name == "sqlite":
        _run(connection, "BEGIN IMMEDIATE")
    elif dialect.name == "postgresql":
        _run(connection, "BEGIN")
        _run(connection, f"SET LOCAL lock_timeout = {math.ceil(dialect.timeout_s * 1000)}")
        try:
            _run(connection, f"SELECT pg_advisory_xact_lock(hashtextextended('{lock_name(dialect)}', 0))")
        except SQLAlchemyError as error:
            if getattr(_driver_error(error), "sqlstate", None) == LOCKED:
                raise StoreUnavailable(BUSY) from _driver_error(error)
            raise
    else:
        until = time.monotonic() + dialect.timeout_s
        while _run(connection, f"SELECT GET_LOCK('{lock_name(dialect)}', 0)").scalar() != 1:
            if time.monotonic() > until:
                raise StoreUnavailable(BUSY)
            time.sleep(PAUSE_S)


def lock_name(dialect: Dialect) -> str:
    """Of the lock: on MariaDB it is the whole server's."""
    database = dialect.engine.url.database or ""
    return f"otpcore:{hashlib.sha256(database.encode()).hexdigest()[:12]}:{dialect.prefix}"


def _version(connection: sa.Connection, prefix: str) -> int:
    """Of the tables that are there; 0: there are none, or making them was broken off."""
    table = version_table(prefix)
    if not sa.inspect(connection).has_table(table):
        return 0
    found: int | None = _run(connection, f"SELECT max(version) FROM {table}").scalar()  # noqa: S608 # as above
    return found or 0


def _run(connection: sa.Connection, statement: str) -> sa.CursorResult[Any]:
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _engine(dialect: Dialect, opened: Any) -> sa.Engine:
    """SQLAlchemy over this one connection."""
    return sa.create_engine(dialect.engine.url, creator=lambda: opened, poolclass=sa.NullPool)


def _driver_error(error: SQLAlchemyError) -> Exception:
    """The driver's own error, without the statement that SQLAlchemy adds to it."""
    inner = getattr(error, "orig", None)
    return inner if isinstance(inner, Exception) else error
