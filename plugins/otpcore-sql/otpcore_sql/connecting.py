"""From the settings to a dialect with its engine.

Rules of this file: nothing connects here. A message never shows the URL, which may hold a password.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from otpcore.errors import ConfigurationError

if TYPE_CHECKING:
    from otpcore_sql.dialect import Dialect  # for the annotation
    from otpcore_sql.settings import SQLSettings  # it builds what is here

__all__ = ["UNKNOWN_WORD", "dialect_of", "engine", "sqlite_file"]

NO_URL: Final = "OTPCORE_SQL_URL: give sqlite:///FILE, postgresql://…, mariadb://… or mysql://… with host and database."

UNKNOWN_WORD: Final = "OTPCORE_SQL_URL: after the ? stands a word that the driver does not know."

DRIVERS: Final = {
    "sqlite": ("sqlite", "pysqlite", ""),
    "postgresql": ("postgresql", "psycopg", "otpcore-sql[postgresql]"),
    "mysql": ("mysql", "pymysql", "otpcore-sql[mysql]"),
    "mariadb": ("mysql", "pymysql", "otpcore-sql[mysql]"),
}
"""Of a name in the URL: the dialect, its driver, and what has to be installed for it."""

MEMORY: Final = (None, "", ":memory:")


def dialect_of(settings: SQLSettings) -> Dialect:
    """The database that the settings name; nothing connects before its first use.

    Raises:
        ConfigurationError: no such URL, no driver, or a SQLite file where none can be.
        StoreUnavailable: SQLite's file cannot be made.
    """
    url = _url(settings)
    kind, driver, extra = DRIVERS[url.get_backend_name()]
    try:
        if kind == "sqlite":
            from otpcore_sql.sqlite import SQLite  # noqa: PLC0415  # one of the three

            return SQLite(url, settings)
        if kind == "postgresql":
            from otpcore_sql.postgresql import PostgreSQL  # noqa: PLC0415  # one of the three

            return PostgreSQL(url, settings)
        from otpcore_sql.mysql import MySQL  # noqa: PLC0415  # one of the three

        return MySQL(url, settings)
    except ImportError as error:
        raise ConfigurationError(f"The driver {driver} is not there: pip install '{extra}'.") from error


def engine(url: URL) -> sa.Engine:
    """What makes the tables, and turns the URL into arguments for the driver; it keeps no connection.

    Raises:
        ConfigurationError: the URL has what the driver does not know.
    """
    kind, driver, _ = DRIVERS[url.get_backend_name()]
    try:
        made = sa.create_engine(url.set(drivername=f"{kind}+{driver}"), poolclass=sa.NullPool)
        made.dialect.create_connect_args(made.url)
    except (SQLAlchemyError, TypeError, ValueError):
        raise ConfigurationError(NO_URL) from None
    return made


def sqlite_file(settings: SQLSettings) -> Path | None:
    """The file of a SQLite URL; None for another database.

    Raises:
        ConfigurationError: no such URL, or a database in memory.
    """
    url = _url(settings)
    if url.get_backend_name() != "sqlite":
        return None
    if url.database in MEMORY or "mode" in url.query or str(url.database).startswith("file:"):
        raise ConfigurationError("OTPCORE_SQL_URL: SQLite needs a file (sqlite:////var/lib/app/otpcore.sqlite).")
    return Path(str(url.database)).expanduser()


def _url(settings: SQLSettings) -> URL:
    try:
        url = make_url(settings.url.get_secret_value())
        backend, _, driver = url.drivername.partition("+")
    except (SQLAlchemyError, ValueError):
        raise ConfigurationError(NO_URL) from None
    if backend not in DRIVERS or (driver and driver != DRIVERS[backend][1]):
        raise ConfigurationError(NO_URL)
    return url
