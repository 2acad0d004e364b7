"""Statements that PostgreSQL has prepared: each connection prepares once, and asks as it is where that does not hold.

The server's own table of what a session has prepared is looked at on the store's connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otpcore.errors import StoreUnavailable
from otpcore.ports import Conflict
from otpcore_sql import wire
from otpcore_sql.wire import INT8, statement
from tests.sql_places import Place, place

LATER = datetime.now(UTC) + timedelta(days=30)
NAMES = statement("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'otpcore%'", (), (INT8,))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Place]:
    with place("postgresql", tmp_path) as made:
        yield made


class Both:
    """A store of either colour on one connection, asked as if it were blocking."""

    def __init__(self, at: Place, colour: str, **given: Any) -> None:
        self.runner = asyncio.Runner() if colour == "tasks" else None
        self.store: Any = (at.store if self.runner is None else at.async_store)(connections=1, **given)

    def __call__(self, method: str, *given: Any, **named: Any) -> Any:
        call = getattr(self.store, method)(*given, **named)
        return call if self.runner is None else self.runner.run(call)

    def put(self, data: bytes, expect: Any = None) -> Any:
        return self("commit", "a", data, expect=expect, gc_at=LATER)

    @property
    def connection(self) -> Any:
        """The one that lies idle."""
        idle = self.store._connections._idle if self.runner is None else self.store._idle
        (connection,) = idle
        return connection

    def prepared(self) -> int:
        """How many statements the server has prepared for it."""
        rows, _ = wire.exchange(self.connection, NAMES, (), 10, prepare=False)
        return int(rows[0][0])

    def close(self) -> None:
        self("close")
        if self.runner is not None:
            self.runner.close()


@pytest.fixture(params=["threads", "tasks"])
def opened(request: pytest.FixtureRequest, at: Place) -> Iterator[Callable[..., Both]]:
    made: list[Both] = []

    def make(**given: Any) -> Both:
        made.append(Both(at, request.param, **given))
        return made[-1]

    yield make
    for one in made:
        one.close()


def prepares_once(make: Callable[..., Both]) -> None:
    """Each statement at its first use, on that trip, and never again."""
    store = make()
    version = store.put(b"0")
    for number in range(3):
        version = store.put(b"%d" % number, version)
        assert store("load", "a").data == b"%d" % number
    assert store.prepared() == 3, "insert, update, load"


def goes_on_when_it_is_forgotten(make: Callable[..., Both]) -> None:
    """As a PgBouncer that shares connections does it, at any moment: nothing is applied twice, or lost."""
    store = make()
    version = store.put(b"0")
    version = store.put(b"1", version)
    wire.exchange(store.connection, statement("DEALLOCATE ALL", ()), (), 10, prepare=False)
    again = store.put(b"2", version)
    assert isinstance(again, str)
    assert isinstance(store.put(b"3", version), Conflict)
    assert store("load", "a").data == b"2"
    assert store.prepared() == 0, "this connection does not try again"


def goes_on_when_another_has_the_name(make: Callable[..., Both]) -> None:
    """The name is taken on the server's connection, by another client of the same PgBouncer."""
    store = make()
    version = store.put(b"0")
    name = store.store._dialect.update.name.decode()
    wire.exchange(store.connection, statement(f"PREPARE {name} AS SELECT 1", ()), (), 10, prepare=False)
    again = store.put(b"1", version)
    assert isinstance(again, str)
    assert store("load", "a").data == b"1"


def goes_on_when_a_column_has_changed(make: Callable[..., Both], at: Place) -> None:
    """Where a newer release has changed a type, the prepared answer would be of another form."""
    store = make()
    store.put(b"0")
    assert store("load", "a").data == b"0"
    at.run(
        f"DROP VIEW {at.prefix}_readable CASCADE",
        f"ALTER TABLE {at.prefix}_records ALTER COLUMN version TYPE varchar(99)",
    )
    assert store("load", "a").data == b"0"


def test_each_statement_is_prepared_once_by_a_connection(opened: Callable[..., Both]) -> None:
    prepares_once(opened)


def test_what_the_server_forgot_is_asked_as_it_is(opened: Callable[..., Both]) -> None:
    goes_on_when_it_is_forgotten(opened)


def test_a_name_that_is_taken_is_asked_as_it_is(opened: Callable[..., Both]) -> None:
    goes_on_when_another_has_the_name(opened)


def test_a_column_that_changes_is_asked_as_it_is(opened: Callable[..., Both], at: Place) -> None:
    goes_on_when_a_column_has_changed(opened, at)


def test_a_setting_leaves_nothing_on_the_server(opened: Callable[..., Both]) -> None:
    store = opened(prepare=False)
    assert isinstance(store.put(b"1", store.put(b"0")), str)
    assert store("load", "a").data == b"1"
    assert store.prepared() == 0


def test_a_refusal_on_the_trip_of_the_preparation_is_told_and_the_connection_is_sound(
    opened: Callable[..., Both], at: Place
) -> None:
    """By the statement itself, and by its transaction as it ends: what was refused is not there."""
    opened()("load", "tables are made")
    table = f"{at.prefix}_records"
    at.run(f"ALTER TABLE {table} ADD CONSTRAINT {at.prefix}_late UNIQUE (gc_at) DEFERRABLE INITIALLY DEFERRED")
    store = opened()
    store("load", "warm")
    at.run(f"INSERT INTO {table} VALUES ('other', 'x', {int(LATER.timestamp() * 10**6)}, '')")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="23505"):
            store.put(b"0")
    assert store("load", "a") is None
    at.run(f"DELETE FROM {table} WHERE key = 'other'")
    assert isinstance(store.put(b"0"), str)
    at.run(f"DROP TABLE {table} CASCADE")
    with pytest.raises(StoreUnavailable, match="42P01"):
        store("load_many", ["a"])
    assert store.connection.pgconn.pipeline_status == psycopg.pq.PipelineStatus.OFF


@pytest.mark.parametrize(
    "body", [goes_on_when_it_is_forgotten, goes_on_when_another_has_the_name, goes_on_when_a_column_has_changed]
)
def test_without_the_second_asking_each_is_caught(
    body: Callable[..., None], opened: Callable[..., Both], at: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T1."""
    monkeypatch.setattr(wire, "FORGOTTEN", frozenset[str]())
    given = (opened, at) if body is goes_on_when_a_column_has_changed else (opened,)
    with pytest.raises(StoreUnavailable):
        body(*given)


def test_a_store_that_prepares_nothing_is_caught(opened: Callable[..., Both]) -> None:
    """T1."""
    with pytest.raises(AssertionError):
        prepares_once(partial(opened, prepare=False))
