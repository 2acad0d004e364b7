"""`otpcore sql schema`: what an administrator runs where the application's user may not make tables.

Rule of this file: it prints; it connects to nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from sqlalchemy.dialects import mysql, postgresql, sqlite

from otpcore_sql.schema import script
from otpcore_sql.settings import PREFIX

__all__ = ["Database", "app"]


class Database(StrEnum):
    """Whose SQL is printed."""

    POSTGRESQL = "postgresql"
    MARIADB = "mariadb"
    MYSQL = "mysql"
    SQLITE = "sqlite"


DIALECTS = {
    Database.POSTGRESQL: postgresql.dialect,
    Database.MARIADB: mysql.dialect,
    Database.MYSQL: mysql.dialect,
    Database.SQLITE: sqlite.dialect,
}

app = typer.Typer(add_completion=False, help="Print the tables and views of the SQL store, for who makes them by hand.")


@app.command()
def schema(
    database: Annotated[Database, typer.Argument(help="whose SQL")],
    prefix: Annotated[str, typer.Option(help="OTPCORE_SQL_PREFIX, where it is set")] = PREFIX,
) -> None:
    """Print the tables and views of the SQL store, for who makes them by hand."""
    for statement in script(DIALECTS[database](), prefix):
        typer.echo(f"{statement};\n")
