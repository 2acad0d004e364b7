"""The tables, and the steps from one version of them to the next.

Rules of this file: what is made, not when; a step that was released is never changed. A version of the schema only adds
to the one before, so that processes of the release before go on beside it.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from otpcore_sql.views import views

__all__ = ["SCHEMA", "script", "step", "version_table"]

SCHEMA: Final = 2
"""The version that this release makes and needs."""


def version_table(prefix: str) -> str:
    """The name of the table whose one row is the version of the schema."""
    return f"{prefix}_schema"


def step(version: int, dialect: sa.Dialect, prefix: str) -> list[str]:
    """What leads to this version from the one before; each statement may be run again."""
    if version == 1:
        tables = (_schema(prefix), _records(prefix))
        return [str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)).strip() for table in tables]
    return views(dialect.name, prefix)


def script(dialect: sa.Dialect, prefix: str) -> list[str]:
    """Everything, for who makes the tables by hand."""
    made = [statement for version in range(1, SCHEMA + 1) for statement in step(version, dialect, prefix)]
    return [*made, f"INSERT INTO {version_table(prefix)} (version) VALUES ({SCHEMA})"]  # noqa: S608 # a name of ours


def _schema(prefix: str) -> sa.Table:
    version = sa.Column("version", sa.Integer, nullable=False)
    return sa.Table(version_table(prefix), sa.MetaData(), version, mysql_engine="InnoDB")


def _records(prefix: str) -> sa.Table:
    """No index on `gc_at`: it would cost PostgreSQL its HOT updates, for which there is room in its pages."""
    return sa.Table(
        f"{prefix}_records",
        sa.MetaData(),
        sa.Column("key", _ascii(200), primary_key=True),
        sa.Column("version", _ascii(16), nullable=False),
        sa.Column("gc_at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), nullable=False),
        postgresql_with={"fillfactor": 60},
        mysql_engine="InnoDB",
    )


def _ascii(length: int) -> sa.types.TypeEngine[str]:
    """Text whose bytes count: case, spaces at the end, and the order."""
    text = sa.String(length, collation="C").with_variant(sa.Text(), "sqlite")
    return text.with_variant(mysql.VARBINARY(length), "mysql", "mariadb")
