"""Reading an old table of resend records where it lies: MySQL, MariaDB, PostgreSQL or SQLite, through SQLAlchemy.

Rules of this file: it reads and never writes, and asks the database to hold it to that. No error tells a password. A
row leaves as the driver gave it; what it is worth, `otpcore.legacy.rows` says. SQLAlchemy is imported at first use.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, SecretStr

from otpcore.errors import ConfigurationError, OtpcoreError
from otpcore.legacy.rows import COLUMNS

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, Inspector

__all__ = ["EXTRA", "DatabaseFailed", "OldDatabase", "OldTable", "open_table"]

EXTRA: Final = "pip install 'otpcore[legacy,legacy-import]'"

DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "sqlite": "sqlite+pysqlite",
}
"""What comes with the extra; a URL that names another driver keeps it."""

FORMS: Final = "mysql://USER:PASSWORD@HOST/DATABASE, postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE"

AT_ONCE: Final = 500
"""Rows that are fetched together."""

PATIENCE_S: Final = 86_400
"""MySQL and MariaDB break off after 60 s in which nobody took a row; the records' store may be slower than that."""


class OldDatabase(BaseModel):
    """Where the old table is; as a setting, `OTPCORE_LEGACY_DATABASE`."""

    model_config = ConfigDict(hide_input_in_errors=True)

    database: SecretStr | None = None


class DatabaseFailed(OtpcoreError):
    """The old database could not be reached, or broke off. What was imported stays; the same command goes on."""

    retryable = True


class OldTable:
    """A table that is open.

    Attributes:
        total: how many rows it has, now.
        repeated: ids that more than one row has; none where the table has a primary key.
    """

    def __init__(
        self, connection: Connection, select: Executable, *, total: int, repeated: frozenset[object] = frozenset()
    ) -> None:
        self._connection = connection
        self._select = select
        self._result: CursorResult[Any] | None = None
        self._cursor: Any = None
        self.total = total
        self.repeated = repeated

    def __iter__(self) -> Iterator[Sequence[object]]:
        """The values of `COLUMNS`, row by row, those of a pair one after the other; as the table was at the start."""
        self._result = self._connection.execution_options(yield_per=AT_ONCE).execute(self._select)
        self._cursor = self._result.cursor
        yield from self._result

    def close(self) -> None:
        """Stop reading. MySQL and MariaDB send what is left nevertheless; it is thrown away."""
        if getattr(getattr(self._cursor, "connection", None), "open", None) is False:
            unread = cast("Any", vars(self._cursor)["_result"])
            unread.unbuffered_active = False  # PyMySQL 1.2 would read on from a lost connection, and fall over it
        if self._result is not None:
            self._result.close()


@contextmanager
def open_table(address: str, name: str) -> Generator[OldTable]:
    """Open a table for reading.

    Args:
        address: URL of its database.
        name: of the table, or "SCHEMA.TABLE".

    Raises:
        ConfigurationError: no URL, a database of another kind, a file, table or column that is not there, or no
            SQLAlchemy or driver.
        DatabaseFailed: the database cannot be reached, refuses, or breaks off while it is read.
    """
    try:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  # an extra, and 0.2 s
    except ModuleNotFoundError:
        raise ConfigurationError(f"Reading another database needs SQLAlchemy: {EXTRA}") from None
    url = _url(address)
    engine = _engine(url)
    try:
        with engine.connect() as connection, closing(_table(connection, name)) as table:
            yield table
    except SQLAlchemyError as error:
        raise DatabaseFailed(_words(error, url)) from None  # its own words may hold a password
    finally:
        engine.dispose()


# --- connecting --------------------------------------------------------------------------------


def _url(address: str) -> URL:
    from sqlalchemy import make_url  # noqa: PLC0415  # as above
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415  # as above

    try:
        url = make_url(address.strip())
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"The address of the old database is no URL: write {FORMS}, with a special character of the password as "
            "%XX (@ is %40)."
        ) from None
    if url.drivername in DRIVERS:
        return url.set(drivername=DRIVERS[url.drivername])
    if url.drivername.partition("+")[0] not in DRIVERS:
        raise ConfigurationError(f"The old database is of a kind that is not read here: write {FORMS}.")
    return url


def _engine(url: URL) -> Engine:
    from sqlalchemy import create_engine  # noqa: PLC0415  # as above
    from sqlalchemy.event import listen  # noqa: PLC0415  # as above
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  # as above

    kind = url.get_backend_name()
    if kind == "sqlite":
        url = _read_only(url)
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"Reading this database needs {error.name}: {EXTRA}") from None
    except (SQLAlchemyError, ValueError, TypeError):
        raise ConfigurationError(f"The address of the old database cannot be used: write {FORMS}.") from None
    listen(engine, "connect", {"sqlite": _sqlite, "postgresql": _postgresql}.get(kind, _mysql))
    return engine


def _read_only(url: URL) -> URL:
    """A file that is not there would be made."""
    name = url.database or ""
    file = Path(_path_of(name) if name.startswith("file:") else name)
    try:
        there = file.is_file()
    except (OSError, ValueError):  # too long for a name, or in a folder that may not be read
        there = False
    if not there:
        shown = name or "(none is named)"
        raise ConfigurationError(
            f"There is no database file {shown}: an address is sqlite:///FILE, and a relative FILE is sought from here."
        )
    return url.set(database=f"file:{quote(str(file.absolute()))}", query={"mode": "ro", "uri": "true"})


def _path_of(uri: str) -> str:
    """Of SQLite's own form of an address, whose parameters could ask for a file to be made."""
    path = uri.removeprefix("file:").partition("?")[0].partition("#")[0]
    for start in ("//localhost/", "///"):
        if path.startswith(start):
            path = "/" + path.removeprefix(start)
    return unquote(path)


def _sqlite(connection: Any, _record: object) -> None:
    connection.text_factory = _text  # one bad row is not the end


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _mysql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute(f"SET SESSION net_write_timeout = {PATIENCE_S}")


def _postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        cursor.execute("SET datestyle = 'ISO'")
    connection.commit()


def _words(error: Exception, url: URL) -> str:
    """What the driver said, without secrets, after what was asked."""
    said = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())
    secrets = [
        url.password,
        *(each for value in url.query.values() for each in ([value] if isinstance(value, str) else value)),
    ]
    for secret in secrets:
        for shown in (secret, quote(secret, safe="")) if secret else ():
            said = said.replace(str(shown), "***")
    shown_url = url.set(query={}).render_as_string(hide_password=True)
    return f"The old database {shown_url} cannot be read: {said} What was imported stays; the same command goes on."


# --- what is asked -----------------------------------------------------------------------------


def _table(connection: Connection, name: str) -> OldTable:
    import sqlalchemy as sa  # noqa: PLC0415  # as above
    from sqlalchemy.exc import DBAPIError, NoSuchTableError  # noqa: PLC0415  # as above

    schema, _, plain = name.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        found = [column["name"] for column in inspector.get_columns(plain, schema=schema or None)]
    except (NoSuchTableError, DBAPIError):  # the second where a user may not even ask
        there = _tables(inspector, schema)
        if plain in there:
            raise
        raise ConfigurationError(
            f"There is no table {name!r}; there are: {', '.join(there) or 'none'}. Name it with --table."
        ) from None
    columns = {wanted: _spelled(wanted, found) for wanted in COLUMNS}
    missing = [wanted for wanted, spelled in columns.items() if spelled is None]
    if missing:
        raise ConfigurationError(
            f"The table {name!r} has no column {', '.join(missing)}; it has: {', '.join(found)}. It has to have "
            f"{', '.join(COLUMNS)}: name another with --table, or make a view that has them."
        )
    spelled: list[Any] = [sa.column(str(name)) for name in columns.values()]
    table = sa.table(plain, *spelled, schema=schema or None)
    values: list[Any] = list(table.c)
    kind = connection.dialect.name
    if kind == "postgresql":  # its own dates reach further than Python's, and as text every one can be read
        values[4:] = [sa.cast(each, sa.Text).label(str(each.name)) for each in values[4:]]
    pair = [_bytewise(each, kind) for each in values[1:3]]
    total = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    identity = table.c[0]
    twice = sa.select(identity).where(identity.is_not(None)).group_by(identity).having(sa.func.count() > 1)
    repeated = frozenset(
        each for each in connection.execute(twice).scalars() if isinstance(each, (int, float, Decimal))
    )
    select: Executable = sa.select(*values).order_by(*pair, values[0])
    return OldTable(connection, select, total=total, repeated=repeated)


def _tables(inspector: Inspector, schema: str) -> list[str]:
    """Names of the tables; none where there is no such schema."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  # as above

    try:
        return sorted(inspector.get_table_names(schema=schema or None))
    except DBAPIError:
        if not schema or schema in inspector.get_schema_names():
            raise
    return []


def _spelled(wanted: str, found: Sequence[str]) -> str | None:
    """The column of this name; where none is spelled so, the one that differs in capitals alone."""
    alike = [name for name in found if name.lower() == wanted.lower()]
    return wanted if wanted in found else alike[0] if len(alike) == 1 else None


def _bytewise(column: Any, kind: str) -> Any:
    """An order in which no two texts are equal: the column's own may take "a" and "A" for one, and mix their rows."""
    import sqlalchemy as sa  # noqa: PLC0415  # as above

    match kind:
        case "sqlite":
            return sa.collate(sa.cast(column, sa.Text), "BINARY")  # a column of SQLite may hold 7 and "7"
        case "postgresql":
            return sa.collate(sa.cast(column, sa.Text), "C")
        case _:
            return sa.cast(column, sa.BINARY)
