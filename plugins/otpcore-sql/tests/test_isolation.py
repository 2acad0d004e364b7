"""Commits in races, at every isolation that a server may be set to, and behind a PgBouncer in transaction mode.

The races are made, not waited for: another session holds the row that it has changed, the store's statement is seen to
wait for it in the server's own tables, and then the other session commits.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa

from otpcore.ports import CommitRequest, Conflict, Version, Versioned
from tests.sql_places import Place, place
from tests.sql_servers import PgBouncer, place_of
from tests.sql_waits import another, waiting

LATER = datetime.now(UTC) + timedelta(days=30)
OTHER = "the-other-one---"

LEVELS = [
    ("postgresql", "read committed"),
    ("postgresql", "repeatable read"),
    ("postgresql", "serializable"),
    ("mariadb", "READ-UNCOMMITTED"),
    ("mariadb", "READ-COMMITTED"),
    ("mariadb", "REPEATABLE-READ"),
    ("mariadb", "SERIALIZABLE"),
]

SESSION = "SET SESSION tx_isolation='{}'"


@pytest.fixture(params=LEVELS, ids="-".join)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place whose sessions have this isolation."""
    kind, level = request.param
    with place(kind, tmp_path) as made:
        words = level.replace(" ", "\\ ")  # libpq splits options at spaces
        option = f"-cdefault_transaction_isolation={words}"
        extra = f"options={quote(option)}" if kind == "postgresql" else f"init_command={quote(SESSION.format(level))}"
        yield Place(kind, f"{made.url}{'&' if '?' in made.url else '?'}{extra}", made.prefix)


@pytest.mark.parametrize("many", [False, True], ids=["alone", "batch"])
def test_who_waited_for_a_winner_is_answered_with_what_the_winner_wrote(at: Place, many: bool) -> None:
    store = at.store()
    key = "`key`" if at.kind == "mariadb" else "key"
    first = store.commit("a", b"1", expect=None, gc_at=LATER)

    def late(expect: Version | None, name: str) -> Any:
        if not many:
            return store.commit(name, b"late", expect=expect, gc_at=LATER)
        beside = CommitRequest(secrets.token_hex(6), b"1", None, LATER)
        answer, other = store.commit_many([CommitRequest(name, b"late", expect, LATER), beside])
        assert isinstance(other, str)
        return answer

    with another(at) as session:
        session.exec_driver_sql(f"UPDATE {at.prefix}_records SET version = '{OTHER}', data = '2' WHERE {key} = 'a'")
        answer = waiting(at, lambda: late(first, "a"), then=session.commit)
        assert answer == Conflict(Versioned(b"2", Version(OTHER)))

        session.exec_driver_sql(f"INSERT INTO {at.prefix}_records VALUES ('b', '{OTHER}', 0, '3')")
        answer = waiting(at, lambda: late(None, "b"), then=session.commit)
        assert answer == Conflict(Versioned(b"3", Version(OTHER)))

        session.exec_driver_sql(f"DELETE FROM {at.prefix}_records WHERE {key} = 'b'")
        answer = waiting(at, lambda: late(Version(OTHER), "b"), then=session.commit)
        assert answer == Conflict(None)

        session.exec_driver_sql(f"UPDATE {at.prefix}_records SET version = 'x' WHERE {key} = 'a'")
        answer = waiting(at, lambda: late(Version(OTHER), "a"), then=session.rollback)
        assert isinstance(answer, str)  # the other one gave up
    assert store.load("a") == Versioned(b"late", Version(answer))
    store.close()


def test_read_in_one_statement_with_the_update_the_answer_would_be_stale(tmp_path: Path) -> None:
    """The control: UPDATE and SELECT in one statement, at READ COMMITTED, answer with the version that was lost."""
    with place("postgresql", tmp_path) as at:
        store = at.store()
        first = store.commit("a", b"1", expect=None, gc_at=LATER)
        one = (
            f"WITH won AS (UPDATE {at.prefix}_records SET data = 'late' WHERE key = 'a' AND version = '{first}' "
            f"RETURNING 1) SELECT version FROM {at.prefix}_records WHERE key = 'a' AND NOT EXISTS (SELECT FROM won)"
        )
        with another(at) as session:
            session.exec_driver_sql(f"UPDATE {at.prefix}_records SET version = '{OTHER}' WHERE key = 'a'")
            rows = waiting(at, lambda: at.run(one), then=session.commit)
        assert rows == [(first,)]
        assert store.load("a").version == OTHER
        store.close()


def count_up(at: Place, many: bool, *, parties: int = 6, times: int = 15) -> list[int]:
    """Each party adds one to a record that all share and to one of its own, so often; what the records hold then."""
    store = at.store(connections=parties)
    latch = threading.Barrier(parties)

    def party(number: int) -> None:
        latch.wait(60)
        names = ["shared", f"own-{number}"]
        left = dict.fromkeys(names, times)
        seen: dict[str, Versioned | None] = dict.fromkeys(names)
        while left:
            asked = [
                CommitRequest(
                    name,
                    b"%d" % (int(found.data) + 1 if (found := seen[name]) else 1),
                    found.version if found else None,
                    LATER,
                )
                for name in (names if number % 2 else reversed(names))
                if name in left
            ]
            if many:
                answers = store.commit_many(asked)
            else:
                answers = [store.commit(one.key, one.data, expect=one.expect, gc_at=LATER) for one in asked]
            for one, answer in zip(asked, answers, strict=True):
                if isinstance(answer, Conflict):
                    assert (answer.current.version if answer.current else None) != one.expect
                    seen[one.key] = answer.current
                else:
                    assert isinstance(answer, str), answer
                    assert one.data is not None
                    seen[one.key] = Versioned(one.data, Version(answer))
                    left[one.key] -= 1
            left = {name: count for name, count in left.items() if count}

    with ThreadPoolExecutor(parties) as pool:
        for done in [pool.submit(party, number) for number in range(parties)]:
            done.result(120)
    found = [int(record.data) for _, record in sorted(store.scan("", 100))]
    store.close()
    return found


@pytest.mark.parametrize("many", [False, True], ids=["alone", "batch"])
def test_no_increment_is_lost_and_no_conflict_shows_the_expected_state(at: Place, many: bool) -> None:
    """6 threads, 15 increments each of a shared record and of one of their own."""
    assert count_up(at, many) == [15] * 6 + [90]


# --- PgBouncer -----------------------------------------------------------------------------------


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[Place]:
    with place("postgresql", tmp_path) as made, place_of("bouncer") as folder:
        url = sa.make_url(made.url)
        target = f"host={url.host} port={url.port or 5432} user={url.username} dbname={url.database}"
        bouncer = PgBouncer(folder, target)
        yield Place(made.kind, bouncer.url, made.prefix)
        bouncer.stop()


@pytest.mark.parametrize("many", [False, True], ids=["alone", "batch"])
def test_nothing_is_lost_behind_a_pgbouncer_in_transaction_mode(pooled: Place, many: bool) -> None:
    """As above; 6 connections of the store share 2 of the server."""
    assert count_up(pooled, many) == [15] * 6 + [90]


def test_statements_that_are_prepared_on_the_server_break_behind_it(pooled: Place) -> None:
    """The control: the PgBouncer is in transaction mode, and does not know what was prepared."""
    prepared: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0}
    with psycopg.connect(pooled.url, **prepared) as one, psycopg.connect(pooled.url, **prepared) as two:
        one.execute("SELECT 1 WHERE %s = 1", (1,))
        with pytest.raises(psycopg.Error):
            two.execute("SELECT 2 WHERE %s = 1", (1,))
