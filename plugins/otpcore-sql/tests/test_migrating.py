"""The tables are made and brought up to date, with live rows in them, by several at once, and by who may."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from otpcore.errors import StoreFormatError, StoreUnavailable
from otpcore.ports import Conflict, Version, Versioned
from otpcore_sql import migrating
from otpcore_sql.migrating import lock_name
from otpcore_sql.schema import SCHEMA, script
from tests.sql_places import KINDS, Place, place

LATER = datetime.now(UTC) + timedelta(days=30)
ROWS = 200


@pytest.fixture(params=KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Place]:
    with place("postgresql", tmp_path) as made:
        yield made


def oldest(at: Place) -> Any:
    """A store of the release that knew version 1, in use."""
    store = at.store()
    migrating.migrate(store._dialect, upto=1)
    store._ready = True
    return store


def version_of(at: Place) -> int:
    ((found,),) = at.run(f"SELECT version FROM {at.prefix}_schema")
    return int(found)


def test_every_live_row_of_the_oldest_version_is_read_after_the_upgrade_and_while_it_runs(at: Place) -> None:
    """200 records of version 1, and a process of that release that goes on committing while another upgrades."""
    old = oldest(at)
    assert version_of(at) == 1
    written = {
        f"k{number:03}": Versioned(data, old.commit(f"k{number:03}", data, expect=None, gc_at=LATER))
        for number, data in enumerate(secrets.token_bytes(number) for number in range(ROWS))
    }
    upgraded = threading.Event()
    begun = threading.Event()

    def goes_on() -> int:
        version: Version | None = None
        count = 0
        while not upgraded.is_set() or count < 2:
            answer = old.commit("busy", b"%d" % (count + 1), expect=version, gc_at=LATER)
            assert not isinstance(answer, Conflict)
            version, count = answer, count + 1
            begun.set()
        return count

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(goes_on)
        assert begun.wait(60)
        new = at.store()
        try:
            assert dict(new.scan("k", ROWS + 1)) == written
        finally:
            upgraded.set()
        count = busy.result(60)
    assert version_of(at) == SCHEMA
    assert new.load("busy").data == b"%d" % count
    assert len(at.run(f"SELECT * FROM {at.prefix}_readable")) == ROWS + 1
    for store in (old, new):
        store.close()


def test_stores_that_start_at_once_make_the_tables_once(at: Place) -> None:
    """6 stores, whose first use is at the same moment."""
    stores = [at.store() for _ in range(6)]
    latch = threading.Barrier(len(stores))

    def first_use(number: int) -> Any:
        latch.wait(60)
        return stores[number].commit(f"k{number}", b"1", expect=None, gc_at=LATER)

    with ThreadPoolExecutor(len(stores)) as pool:
        answers = list(pool.map(first_use, range(len(stores))))
    assert all(isinstance(answer, str) for answer in answers)
    assert version_of(at) == SCHEMA
    assert len(stores[0].scan("", 100)) == len(stores)
    for store in stores:
        store.close()


def made_while_held(at: Place) -> bool:
    """Whether a store made its tables although another holds the lock."""
    store = at.store()
    engine = sa.create_engine(at.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = lock_name(store._dialect)
    waits = (  # for this lock: others of the server are other tests'
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        f"AND (classid::int8 << 32 | objid::int8) = hashtextextended('{name}', 0)"
    )
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.exec_driver_sql(f"SELECT pg_advisory_lock(hashtextextended('{name}', 0))")
        job = pool.submit(store.load, "a")
        while not job.done() and not other.exec_driver_sql(waits).scalar():
            pass
        early = sa.inspect(other).has_table(f"{at.prefix}_schema")
        other.exec_driver_sql(f"SELECT pg_advisory_unlock(hashtextextended('{name}', 0))")
        assert job.result(60) is None
    store.close()
    return early


def test_who_comes_while_another_makes_the_tables_waits(postgres: Place) -> None:
    assert not made_while_held(postgres)


def test_without_the_lock_two_would_make_them_at_once(postgres: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test before."""

    def begins(connection: sa.Connection, _dialect: object) -> None:
        connection.exec_driver_sql("BEGIN")

    monkeypatch.setattr(migrating, "_lock", begins)
    assert made_while_held(postgres)


HOLD = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_lock(hashtextextended('{}', 0))",
    "mariadb": "SELECT GET_LOCK('{}', 0)",
}


def test_who_waits_too_long_for_another_that_makes_the_tables_is_told(at: Place) -> None:
    """The other one is stopped, say; it has the lock for as long as its connection is there."""
    store = at.store(timeout_s=0.5)
    engine = sa.create_engine(at.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.exec_driver_sql(HOLD[at.kind].format(lock_name(store._dialect)))
        job = pool.submit(store.load, "a")
        with suppress(TimeoutError):
            job.exception(30)
        was_told = job.done()
        other.invalidate()
        if was_told:
            with pytest.raises(StoreUnavailable, match="Another"):
                job.result()
    assert was_told
    assert store.load("a") is None
    store.close()


def test_tables_of_a_newer_release_are_refused_and_left_alone(at: Place) -> None:
    store = at.store()
    version = store.commit("a", b"1", expect=None, gc_at=LATER)
    at.run(f"UPDATE {at.prefix}_schema SET version = {SCHEMA + 1}")
    late = at.store()
    with pytest.raises(StoreFormatError, match="Upgrade"):
        late.load("a")
    assert version_of(at) == SCHEMA + 1
    assert store.load("a").version == version  # who was there goes on
    for one in (store, late):
        one.close()


def test_an_upgrade_that_was_broken_off_is_done_again(at: Place) -> None:
    """MariaDB commits each statement by itself: tables, but no version, are what a kill may leave."""
    store = at.store()
    version = store.commit("a", b"1", expect=None, gc_at=LATER)
    at.run(f"DELETE FROM {at.prefix}_schema")
    again = at.store()
    assert again.load("a") == Versioned(b"1", version)
    assert version_of(at) == SCHEMA
    for one in (store, again):
        one.close()


def test_a_user_who_may_not_make_tables_is_told_what_to_do_and_served_when_it_is_done(postgres: Place) -> None:
    at = postgres
    user = f"{at.prefix}_user"
    dialect = sa.make_url(at.url).get_dialect()()
    url = sa.make_url(at.url).set(username=user).render_as_string(hide_password=False)
    theirs = Place(at.kind, f"{url}?options=-csearch_path%3D{at.prefix}_schema_of", at.prefix)
    schema = f"{at.prefix}_schema_of"
    at.run(f"CREATE ROLE {user} LOGIN", f"CREATE SCHEMA {schema}", f"GRANT USAGE ON SCHEMA {schema} TO {user}")
    store = theirs.store()
    try:
        with pytest.raises(StoreUnavailable, match="otpcore sql schema"):
            store.load("a")
        inside = [f"SET search_path = {schema}", *script(dialect, at.prefix)]
        tables = f"{at.prefix}_records, {at.prefix}_schema"
        at.run(*inside, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {user}")
        assert isinstance(store.commit("a", b"1", expect=None, gc_at=LATER), str)
    finally:
        store.close()
        at.run(f"DROP SCHEMA {schema} CASCADE", f"DROP OWNED BY {user}", f"DROP ROLE {user}")


def test_the_schema_is_printed_for_each_database(at: Place) -> None:
    """What is printed, run as it is printed, is what the store needs: it makes nothing more."""
    from typer.testing import CliRunner

    from otpcore_sql.command import app

    printed = CliRunner().invoke(app, [at.kind, "--prefix", at.prefix])
    assert printed.exit_code == 0
    at.run(*[part for part in printed.output.split(";\n\n") if part.strip()])
    assert version_of(at) == SCHEMA
    store = at.store()
    assert isinstance(store.commit("a", b"1", expect=None, gc_at=LATER), str)
    store.close()
