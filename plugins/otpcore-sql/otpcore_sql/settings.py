"""What the SQL store takes from settings.

Rules of this file: nothing connects here; SQLAlchemy is imported when a store is built. A message never shows the URL,
which may hold a password.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr

if TYPE_CHECKING:
    from otpcore_sql.aio import AsyncSQLStore  # at first use
    from otpcore_sql.postgresql import PostgreSQL  # for a cast
    from otpcore_sql.store import SQLStore

__all__ = ["PREFIX", "SQLSettings", "build", "build_async"]


PREFIX: Final = "otpcore"


class SQLSettings(BaseModel):
    """Settings of `sql`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(description="sqlite:///FILE, postgresql://…, mariadb://… or mysql://…")
    prefix: str = Field(
        default=PREFIX, pattern=r"^[a-z][a-z0-9_]{0,30}$", description="at the head of every table and view"
    )
    connections: int = Field(default=8, ge=1, le=1000, description="connections of one process, at the most")
    timeout_s: float = Field(default=2.0, gt=0, le=10, description="seconds for a connection, and for an answer")
    synchronous: Literal["full", "normal"] = Field(
        default="full", description="of SQLite alone: `normal` survives the process and not the machine's power loss"
    )

    prepare: bool = Field(
        default=True, description="of PostgreSQL alone: each connection prepares its statements on the server"
    )

    @property
    def path(self) -> Path | None:
        """SQLite's file: a pepper that is made on this machine lies beside it."""
        from otpcore_sql.connecting import sqlite_file  # noqa: PLC0415  # at first use

        return sqlite_file(self)


def build(settings: SQLSettings) -> SQLStore:
    """A blocking store, of any of the databases."""
    from otpcore_sql.connecting import dialect_of  # noqa: PLC0415  # at first use
    from otpcore_sql.store import SQLStore  # noqa: PLC0415  # at first use

    return SQLStore(dialect_of(settings), connections=settings.connections, timeout_s=settings.timeout_s)


def build_async(settings: SQLSettings) -> AsyncSQLStore | SQLStore:
    """An awaiting store for PostgreSQL; for the others the blocking one, which the engine serves through workers."""
    from otpcore_sql.connecting import dialect_of  # noqa: PLC0415  # at first use
    from otpcore_sql.store import SQLStore  # noqa: PLC0415  # at first use

    dialect = dialect_of(settings)
    if dialect.name != "postgresql":
        return SQLStore(dialect, connections=settings.connections, timeout_s=settings.timeout_s)
    from otpcore_sql.aio import AsyncSQLStore  # noqa: PLC0415  # it loads psycopg

    return AsyncSQLStore(cast("PostgreSQL", dialect), connections=settings.connections)
