"""SQLite, PostgreSQL and MariaDB as the store of otpcore: one row for a record, one statement for a commit.

Rules of this file: registration and re-exports; importing it loads neither SQLAlchemy nor a driver.
"""

from __future__ import annotations

from collections.abc import Iterable

from otpcore.hookspecs import StoreType, hookimpl
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
