"""Bare clients: the round trips of one cycle, with the same bytes, and nothing around them.

A cycle over a store is: a record is made, replaced, read, and replaced. Each is one trip, and each names the version
that it expects, as the stores do.

Rules of this file: what a driver's documentation shows first, on one connection that is kept; no engine.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pymysql  # type: ignore[import-untyped]  # the driver carries no types
import sqlalchemy as sa

from otpcore.contract import Conflict, Version
from otpcore.engine import Engine
from otpcore.stores.memory import MemoryStore
from otpcore_redis import script
from tests.benchmarks.cycle import GC_AT, CountingStore, Instant, cycles, number
from tests.benchmarks.servers import redis_client

__all__ = ["BARE", "Bare", "written"]

TENANT: Final = "aaaaaaaaaaaa/r/"
KEY_LENGTH: Final = 42

Bare = Callable[[int], Iterator[None]]
"""The round trips of one cycle, for the record of this number: one more is made whenever the next is asked for."""


class _Writing(CountingStore):
    """Keeps what is committed."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.written: list[bytes] = []

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """Keep and pass on."""
        self.written.append(data or b"")
        return super().commit(key, data, expect=expect, gc_at=gc_at)


def written() -> tuple[bytes, bytes, bytes]:
    """What one cycle writes: reserved, accepted, approved."""
    provider, store = Instant(), _Writing()
    cycles(Engine(store, provider), provider, [number(1)])
    reserved, accepted, approved = store.written
    return reserved, accepted, approved


def _key(which: int) -> str:
    return f"{TENANT}{which:0{KEY_LENGTH - len(TENANT)}}"


def _version() -> Version:
    return Version(secrets.token_urlsafe(12))


@contextmanager
def _on_redis(url: str) -> Generator[Bare]:
    client = redis_client(url)
    client.script_load(script.CAS)
    reserved, accepted, approved = written()

    def commit(key: str, data: bytes, expect: Version | None) -> Version:
        version = _version()
        given = script.arguments(data, expect, version, GC_AT, datetime.now(UTC))
        assert client.evalsha(script.CAS_SHA, 1, key, *given) == 1
        return version

    def cycle(which: int) -> Iterator[None]:
        key = f"bare:{_key(which)}"
        version = commit(key, reserved, None)
        yield
        version = commit(key, accepted, version)
        yield
        assert client.get(key) is not None
        yield
        commit(key, approved, version)
        yield

    yield cycle
    client.close()


def _on_sql(execute: Callable[..., Any], mark: str, kinds: tuple[str, str], insert: str, later: str) -> Bare:
    """The cycle by three statements; `execute` answers with a cursor, and each statement is a transaction."""
    text, blob = kinds
    execute(
        f"CREATE TABLE IF NOT EXISTS bare (k {text} PRIMARY KEY, v {text} NOT NULL, "
        f"gc_at BIGINT NOT NULL, d {blob} NOT NULL)"
    )
    values = ", ".join([mark] * 4)
    make = f"{insert} INTO bare (k, v, gc_at, d) VALUES ({values}) {later}"
    replace = f"UPDATE bare SET v = {mark}, gc_at = {mark}, d = {mark} WHERE k = {mark} AND v = {mark}"
    read = f"SELECT v, d FROM bare WHERE k = {mark}"
    reserved, accepted, approved = written()
    due = int(GC_AT.timestamp() * 1000)

    def cycle(which: int) -> Iterator[None]:
        key, one, two, three = _key(which), _version(), _version(), _version()
        assert execute(make, (key, one, due, reserved)).rowcount == 1
        yield
        assert execute(replace, (two, due, accepted, key, one)).rowcount == 1
        yield
        assert execute(read, (key,)).fetchone() is not None
        yield
        assert execute(replace, (three, due, approved, key, two)).rowcount == 1
        yield

    return cycle


@contextmanager
def _on_postgresql(url: str) -> Generator[Bare]:
    place = sa.make_url(url)
    with psycopg.connect(place.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
        execute: Callable[..., Any] = connection.execute
        yield _on_sql(execute, "%s", ("text", "bytea"), "INSERT", "ON CONFLICT (k) DO NOTHING")


@contextmanager
def _on_mariadb(url: str) -> Generator[Bare]:
    place = sa.make_url(url)
    connection: Any = pymysql.connect(
        host=place.host, port=place.port or 3306, user=place.username, password=place.password or "",
        database=place.database, autocommit=True,
    )  # fmt: skip
    cursor = connection.cursor()

    def execute(statement: str, given: tuple[Any, ...] = ()) -> Any:
        cursor.execute(statement, given or None)
        return cursor

    with closing(connection):
        yield _on_sql(execute, "%s", ("VARCHAR(200) CHARACTER SET ascii", "BLOB"), "INSERT IGNORE", "")


@contextmanager
def _on_sqlite(path: str, synchronous: str) -> Generator[Bare]:
    with closing(sqlite3.connect(f"{path}.bare", isolation_level=None)) as connection:
        assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        yield _on_sql(connection.execute, "?", ("TEXT", "BLOB"), "INSERT", "ON CONFLICT (k) DO NOTHING")


BARE: Final[dict[str, Callable[[str], AbstractContextManager[Bare]]]] = {
    "redis": _on_redis,
    "postgresql": _on_postgresql,
    "mariadb": _on_mariadb,
    "sqlite-full": lambda path: _on_sqlite(path, "FULL"),
    "sqlite-normal": lambda path: _on_sqlite(path, "NORMAL"),
}
"""By the name of the backend: connects to its URL; for SQLite to a file beside its own."""
