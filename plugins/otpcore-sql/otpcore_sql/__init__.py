"""SQLite, PostgreSQL and MariaDB as the store of otpcore: one row for a record, one statement for a commit.

Rules of this file: registration and re-exports; importing it loads neither SQLAlchemy nor a driver.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otpcore.hookspecs import CommandGroup, StoreType, hookimpl
from otpcore_sql.settings import SQLSettings, build, build_async

__all__ = ["SQLSettings", "otpcore_stores"]


@hookimpl
def otpcore_stores() -> Iterable[StoreType]:
    """Bring the store type `sql`."""
    return [
        StoreType(
            name="sql",
            summary="records in SQLite, PostgreSQL, MariaDB or MySQL",
            settings=SQLSettings,
            build=build,
            build_async=build_async,
        )
    ]


@hookimpl
def otpcore_commands() -> Iterable[CommandGroup]:
    """Bring `otpcore sql schema`."""
    return [CommandGroup(("sql", "schema"), _load_command, "Print the tables of the SQL store")]


def _load_command() -> Any:
    from otpcore_sql.command import app  # noqa: PLC0415  # loads the command line and SQLAlchemy

    return app
