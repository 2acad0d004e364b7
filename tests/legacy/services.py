"""Old tables in real databases: SQLite in a file, MariaDB and PostgreSQL where they answer.

Rules of this file: every table, user and database that is made here has a name drawn by lot and is dropped again. The
servers are on this machine; `OTPCORE_TEST_MARIADB` and `OTPCORE_TEST_POSTGRES` say where. One that does not answer
skips the tests that need it, or fails them where OTPCORE_REQUIRE_SERVICES=1.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["ADDRESSES", "KINDS", "PLAIN", "OldDatabase", "available", "opened"]

PLAIN: Final = "ssl_disabled=1"
"""For PyMySQL: else it reads all certificates of the system for each connection, to use none of them."""

ADDRESSES: Final = {
    "mariadb": os.environ.get("OTPCORE_TEST_MARIADB", f"mysql+pymysql://root@127.0.0.1:3306/test?{PLAIN}"),
    "postgresql": os.environ.get("OTPCORE_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
}
REQUIRED: Final = os.environ.get("OTPCORE_REQUIRE_SERVICES") == "1"

KINDS: Final = ("sqlite", "mariadb", "postgresql")

COLUMNS: Final = {
    "sqlite": '"id" INTEGER, "userId" TEXT, "uniqueId" TEXT, "count" INTEGER, "expires" DATETIME, "createdAt" DATETIME',
    "mariadb": "`id` BIGINT, `userId` VARCHAR(2000), `uniqueId` VARCHAR(255), `count` INT, `expires` DATETIME(6), "
    "`createdAt` DATETIME, `note` TEXT",
    "postgresql": '"id" bigint, "userId" text, "uniqueId" varchar(255), "count" int, "expires" timestamp, '
    '"createdAt" timestamptz, "note" text',
}
"""As an ORM would have made them, but without the constraints that keep bad rows out."""


@dataclass
class OldDatabase:
    """A database with an old table.

    Attributes:
        kind: of `KINDS`.
        address: as an owner would write it, with a password where there are some; of a user who may only read.
        table: its name.
        password: in the address.
    """

    kind: str
    address: str
    table: str
    engine: sa.Engine = field(repr=False)
    password: str = ""

    def execute(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def fill(self, lines: Iterable[Sequence[object]]) -> None:
        """Add rows: id, uniqueId, userId, count, expires, createdAt."""
        mark = "?" if self.kind == "sqlite" else "%s"
        names = ", ".join(self.quoted(name) for name in ("id", "uniqueId", "userId", "count", "expires", "createdAt"))
        insert = f"INSERT INTO {self.quoted(self.table)} ({names}) VALUES ({', '.join([mark] * 6)})"
        with self.engine.begin() as connection:
            if self.kind == "mariadb":
                connection.exec_driver_sql("SET SESSION sql_mode = ''")  # an old server's, which takes zero dates
            connection.exec_driver_sql(insert, [tuple(each) for each in lines])

    def quoted(self, name: str) -> str:
        return f"`{name}`" if self.kind == "mariadb" else f'"{name}"'


def available(kind: str) -> None:
    """Skip, or fail, where the server does not answer."""
    if kind == "sqlite":
        return
    engine = sa.create_engine(ADDRESSES[kind])
    try:
        with engine.connect():
            return
    except SQLAlchemyError as error:
        said = f"no {kind} answers at {engine.url.host}:{engine.url.port} ({type(error).__name__})"
    finally:
        engine.dispose()
    if REQUIRED:
        pytest.fail(f"{said}, and OTPCORE_REQUIRE_SERVICES=1")
    pytest.skip(said)


@contextmanager
def opened(kind: str, folder: Path) -> Generator[OldDatabase]:
    """An empty table of the kind, and a user who may read it and has a password; everything is dropped afterwards."""
    available(kind)
    drawn = secrets.token_hex(6)
    table, user, password = f"svretries_{drawn}", f"reader_{drawn}", f"p@ss/{secrets.token_hex(8)}"
    if kind == "sqlite":
        file = folder / "old.db"
        engine = sa.create_engine(f"sqlite:///{file}")
        old = OldDatabase(kind, f"sqlite:///{file}", table, engine)
    else:
        engine = sa.create_engine(ADDRESSES[kind])
        url = engine.url.set(drivername=engine.url.get_backend_name(), username=user, password=password)
        old = OldDatabase(kind, url.render_as_string(hide_password=False), table, engine, password)
    made, dropped = _accounts(old, user)
    try:
        characters = " CHARACTER SET utf8mb4" if kind == "mariadb" else ""
        old.execute(f"CREATE TABLE {old.quoted(table)} ({COLUMNS[kind]}){characters}", *made)
        yield old
    finally:
        old.execute(*dropped, f"DROP TABLE IF EXISTS {old.quoted(table)}")
        engine.dispose()


def _accounts(old: OldDatabase, user: str) -> tuple[list[str], list[str]]:
    """Statements that make the reader, and that drop it."""
    table: Any = old.quoted(old.table)
    match old.kind:
        case "mariadb":
            accounts = [f"'{user}'@'{host}'" for host in ("%%", "localhost")]  # some servers have an anonymous second
            made = [f"CREATE USER {account} IDENTIFIED BY '{old.password}'" for account in accounts]
            return (
                [*made, *(f"GRANT SELECT ON {table} TO {account}" for account in accounts)],
                [f"DROP USER IF EXISTS {account}" for account in accounts],
            )
        case "postgresql":
            return (
                [f"CREATE ROLE {user} LOGIN PASSWORD '{old.password}'", f"GRANT SELECT ON {table} TO {user}"],
                [f"DROP OWNED BY {user}", f"DROP ROLE {user}"],
            )
        case _:
            return [], []
