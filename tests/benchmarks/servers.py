"""Servers for the benchmarks: Redis of our own; PostgreSQL and MariaDB as they run here, with a database of our own.

`OTPCORE_TEST_POSTGRES` and `OTPCORE_TEST_MARIADB` say where the latter are, as URLs of SQLAlchemy.

Rules of this file: what is made here is dropped or ended here. A server that is not there is `Missing`, with a sentence
that says so.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import redis
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tests.benchmarks.cycle import folder
from tests.redis_servers import Server

__all__ = ["SERVERS", "Missing", "cpu_of", "redis_client"]

ADDRESSES: Final = {
    "PostgreSQL": ("OTPCORE_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "MariaDB": ("OTPCORE_TEST_MARIADB", "mysql+pymysql://root@127.0.0.1:3306/test"),
}


class Missing(Exception):
    """What a row needs is not here; the text says what."""


@contextmanager
def _redis() -> Generator[str]:
    if shutil.which("redis-server") is None:
        raise Missing("redis-server is not installed")
    with folder() as place:
        server = Server(place)
        try:
            yield server.url
        finally:
            server.stop()


@contextmanager
def _database(kind: str) -> Generator[str]:
    variable, usual = ADDRESSES[kind]
    server = sa.create_engine(os.environ.get(variable, usual), isolation_level="AUTOCOMMIT")
    name = f"otpcore_bench_{secrets.token_hex(6)}"
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except SQLAlchemyError as error:
        server.dispose()
        raise Missing(f"no {kind} answers at {server.url.host}:{server.url.port} ({variable})") from error
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}{' WITH (FORCE)' if kind == 'PostgreSQL' else ''}")
        server.dispose()


SERVERS: Final[dict[str, Callable[[], AbstractContextManager[str]]]] = {
    "Redis": _redis,
    "PostgreSQL": lambda: _database("PostgreSQL"),
    "MariaDB": lambda: _database("MariaDB"),
}
"""By name: makes what the benchmark works with, and answers with its URL. Raises `Missing`."""


def redis_client(url: str, **terms: Any) -> Any:
    """The client as redis-py's documentation shows it; its methods have no types."""
    kind: Any = redis.Redis
    return kind.from_url(url, **terms)


def cpu_of(pids: list[int]) -> float:
    """CPU seconds that these processes have used. Raises `Missing` where /proc does not tell."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError as error:
            raise Missing(f"/proc does not tell of the server's process {pid}") from error
        ticks += int(fields[11]) + int(fields[12])  # proc(5): utime and stime, the 14th and the 15th of all
    return ticks / os.sysconf("SC_CLK_TCK")
