"""Places in databases for the tests of the SQL store: a SQLite file, or tables of a name drawn by lot on a server.

Rules of this file: what is made on a shared server is dropped again. Which servers, and what happens where one does not
answer, is in `tests.legacy.services`.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.pool import NullPool

from otpcore_sql import SQLSettings
from otpcore_sql.settings import build, build_async
from tests.legacy.services import ADDRESSES, available

__all__ = ["KINDS", "Place", "place"]

KINDS: Final = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True)
class Place:
    """Where a store of a test keeps its tables; picklable.

    Attributes:
        kind: of `KINDS`.
        url, prefix: as the settings take them.
    """

    kind: str
    url: str = field(repr=False)
    prefix: str

    def settings(self, **given: Any) -> SQLSettings:
        all_given: dict[str, Any] = {"url": SecretStr(self.url), "prefix": self.prefix, "timeout_s": 10.0, **given}
        return SQLSettings(**all_given)

    def store(self, **given: Any) -> Any:
        return build(self.settings(**given))

    def async_store(self, **given: Any) -> Any:
        return build_async(self.settings(**given))

    def run(self, *statements: str) -> list[Any]:
        """Statements of an administrator, each committed by itself; the rows of the last."""
        engine = sa.create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        rows: list[Any] = []
        with engine.connect() as connection:
            for statement in statements:
                found = connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
                rows = [tuple(row) for row in found] if found.returns_rows else []
        return rows

    def drop(self) -> None:
        """Everything of the prefix."""
        if self.kind == "sqlite":
            return
        engine = sa.create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            seen = sa.inspect(connection)
            for kind, names in (("VIEW", seen.get_view_names()), ("TABLE", seen.get_table_names())):
                mine = [name for name in names if name.startswith(f"{self.prefix}_")]
                if mine:
                    cascade = " CASCADE" if self.kind == "postgresql" else ""
                    connection.exec_driver_sql(f"DROP {kind} {', '.join(mine)}{cascade}")
            if self.kind == "postgresql":
                connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {self.prefix}_json(bytea)")


@contextmanager
def place(kind: str, folder: Path) -> Generator[Place]:
    """An empty place, dropped afterwards."""
    available(kind)
    if kind == "sqlite":
        yield Place(kind, f"sqlite:///{folder}/records.sqlite", "otpcore")
        return
    made = Place(kind, ADDRESSES[kind], f"t{secrets.token_hex(6)}")
    try:
        yield made
    finally:
        made.drop()
