"""Real tables are read as they are: SQLite, MariaDB and PostgreSQL, with rows of every kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from otpcore.codes import counter_id
from otpcore.errors import ConfigurationError
from otpcore.legacy import tables
from otpcore.legacy.moving import Report
from otpcore.legacy.rows import judge
from otpcore.legacy.tables import DatabaseFailed, OldTable, open_table
from otpcore.stores.memory import MemoryStore
from tests.legacy.moved import EPOCH, ZONE, MovedClock, desk_over, move, stands
from tests.legacy.services import KINDS, OldDatabase, opened

pytestmark = pytest.mark.service

MADE = "2026-05-01 08:00:00"

LINES: list[tuple[object, ...]] = [
    (1, "hash-a", "user-a", 1, "2026-06-01 13:05:00", MADE),
    (2, "hash-b", "user-b", 5, None, MADE),
    (3, "hash-a", "user-a", 3, "2026-06-01 13:02:00.250000", MADE),  # a duplicate
    (4, "hash-A", "user-a", 2, None, MADE),  # not one: another spelling
    (5, "hash-a", "user-A", 2, None, MADE),
    (6, "hash-a", "user-a", 0, None, MADE),  # another duplicate
    (7, "hash-a ", "user-a", 1, None, MADE),  # equal to the first in a collation that pads
    (8, "häsh-ü", "user-😀", 4, "2026-06-02 13:00:00", MADE),
    (9, None, "user-a", 1, None, MADE),
    (10, "", "user-a", 1, None, MADE),
    (11, "hash-c", None, 1, None, MADE),
    (12, "hash-c", "", 1, None, MADE),
    (13, "hash-c", "user-c", None, None, MADE),
    (14, "hash-c", "user-c", -1, None, MADE),
    (15, "hash-d", "u" * 1_500, 1, None, MADE),
    (None, "hash-e", "user-e", 1, None, MADE),
    (0, "hash-e", "user-e", 1, None, MADE),
    (-16, "hash-e", "user-e", 1, None, MADE),
    (17, "hash-f", "user-f", 20, "2026-06-01 20:00:00", None),
]
REFUSED = {9, 10, 11, 12, 13, 14, 15, None, 0, -16}


@pytest.fixture(params=KINDS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OldDatabase]:
    with opened(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OldDatabase]:
    with opened(request.param, tmp_path) as made:
        yield made


def moved(old: OldDatabase, store: MemoryStore | None = None, *, write: bool = True) -> tuple[Report, dict[str, Any]]:
    held = store or MemoryStore()
    with open_table(old.address, old.table) as rows:
        report = move(desk_over(MovedClock(), held), rows, write=write)
    return report, {key.rpartition("/")[2]: value for key, value in stands(held).items()}


def at(hour: int, minute: int = 0, *, day: int = 1) -> datetime:
    """Of June 2026, in UTC."""
    return datetime(2026, 6, day, hour, minute, tzinfo=UTC)


def in_utc(old: OldDatabase, lines: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The rows; where a column has a zone, its date is said with one: the same instants for every database."""
    if old.kind != "postgresql":
        return list(lines)
    return [(*each[:5], each[5] and f"{each[5]}+01:00") for each in lines]


def test_rows_of_every_kind_become_the_same_records_from_every_database(old: OldDatabase) -> None:
    old.fill(in_utc(old, LINES))
    report, held = moved(old)
    assert {each.id for each in report.refused} == REFUSED
    assert (report.read, report.imported, report.merged, len(report.refused)) == (19, 7, 2, 10)
    made = datetime(2026, 5, 1, 7, 0, tzinfo=UTC)
    expected = {
        ("hash-a", "user-a"): (3, at(12, 5), made),
        ("hash-b", "user-b"): (4, None, made),
        ("hash-A", "user-a"): (2, None, made),
        ("hash-a", "user-A"): (2, None, made),
        ("hash-a ", "user-a"): (1, None, made),
        ("häsh-ü", "user-😀"): (4, at(12, day=2), made),
        ("hash-f", "user-f"): (4, at(19), at(12)),
    }
    for pair, (count, next_at, created_at) in expected.items():
        assert held.pop(str(counter_id(*pair))) == (count, next_at, (*pair, created_at)), pair
    own = str(counter_id("hash-a", "user-a"))
    assert {key for key, leads in held.items() if leads.endswith(own)} == {"1", "3", "6"}
    assert held.keys() == {"1", "2", "3", "4", "5", "6", "7", "8", "17"}


def test_a_second_run_over_a_real_table_changes_nothing(old: OldDatabase) -> None:
    old.fill(in_utc(old, LINES))
    store = MemoryStore()
    _, once = moved(old, store)
    before = list(store.scan("", 99))
    report, again = moved(old, store)
    assert (again, report.changed, report.unchanged) == (once, False, 7)
    assert list(store.scan("", 99)) == before
    assert moved(old, store, write=False)[0].unchanged == 7


def made_again(old: OldDatabase, columns: str) -> None:
    """The table with other columns, empty, for the same reader."""
    table = old.quoted(old.table)
    reader = [] if old.kind != "postgresql" else [f"GRANT SELECT ON {table} TO {sa.make_url(old.address).username}"]
    old.execute(f"DROP TABLE {table}", f"CREATE TABLE {table} ({columns})", *reader)


def split_pairs(old: OldDatabase) -> bool:
    """Whether the rows of some pair do not come one after the other."""
    with open_table(old.address, old.table) as rows:
        pairs = [(str(each[1]), str(each[2])) for each in rows]
    runs = [pair for number, pair in enumerate(pairs) if number == 0 or pairs[number - 1] != pair]
    return len(runs) != len(set(runs))


TWO_SPELLINGS = [(number, "Hash" if number % 2 else "hash", "user", 1, None, None) for number in range(1, 40)]


def test_the_rows_of_a_pair_come_together_whatever_the_column_takes_for_equal(old: OldDatabase) -> None:
    old.fill(TWO_SPELLINGS)
    assert not split_pairs(old)


def as_it_is(column: object, _kind: str) -> object:
    """The planted defect: the column's own order."""
    return column


def test_an_order_by_the_column_s_own_collation_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_bytewise", as_it_is)
    with opened("mariadb", tmp_path) as old:
        old.fill(TWO_SPELLINGS)
        assert split_pairs(old)


# --- what only one of them has -----------------------------------------------------------------


def refused(old: OldDatabase) -> dict[int | None, str]:
    return {each.id: each.reason for each in moved(old)[0].refused}


def test_zero_dates_of_mysql_are_refused_alone(tmp_path: Path) -> None:
    with opened("mariadb", tmp_path) as old:
        old.fill(
            [(1, "h", "a", 1, "0000-00-00 00:00:00", MADE), (2, "h", "b", 1, "2026-00-07 00:00:00", None), LINES[1]]
        )
        report, _ = moved(old)
        assert (report.imported, {each.id for each in report.refused}) == (1, {1, 2})


def test_unsigned_ids_and_binary_texts_of_mysql_are_refused_alone(tmp_path: Path) -> None:
    with opened("mariadb", tmp_path) as old:
        old.execute(
            f"ALTER TABLE {old.table} MODIFY id BIGINT UNSIGNED, MODIFY userId VARBINARY(255)",
        )
        old.fill([(2**63, "h", "a", 1, None, None), (2**63 - 1, "h", "b", 1, None, None)])
        assert refused(old) == {
            2**63: "id is not a whole number from 1 to 2^63 - 1; userId is neither text nor a whole number",
            2**63 - 1: "userId is neither text nor a whole number",
        }


@pytest.mark.parametrize("kind", ["", "DECIMAL(12, 2)"], ids=["whole", "decimal"])
def test_the_database_says_which_ids_more_than_one_row_has(old: OldDatabase, kind: str) -> None:
    if kind:
        columns = ", ".join(f"{old.quoted(name)} VARCHAR(9)" for name in ("uniqueId", "userId", "expires", "createdAt"))
        made_again(old, f"{old.quoted('id')} {kind}, {old.quoted('count')} {kind}, {columns}")
    ids = [1, 2, 2, 3, 4, 4, 4, None, None, -5, -5]
    old.fill([(each, f"hash-{number}", "user", 1, None, None) for number, each in enumerate(ids)])
    with open_table(old.address, old.table) as rows:
        assert rows.repeated == {2, 4, -5}
        assert len([*rows]) == len(ids)


NUMBERS = {
    "sqlite": ("INTEGER", "NUMERIC"),
    "mariadb": ("BIGINT", "DECIMAL(20, 0)"),
    "postgresql": ("bigint", "numeric(20, 0)"),
}


@pytest.mark.parametrize("column", [0, 1], ids=["whole", "decimal"])
def test_ids_and_counts_and_halves_of_pairs_in_columns_of_numbers_are_taken(old: OldDatabase, column: int) -> None:
    kind = NUMBERS[old.kind][column]
    columns = [f"{old.quoted(name)} {kind}" for name in ("id", "uniqueId", "userId", "count")]
    columns += [f"{old.quoted(name)} TIMESTAMP NULL" for name in ("expires", "createdAt")]
    copied = ", ".join(columns)
    made_again(old, copied)
    old.fill([(7, 10, 9, 4, None, None), (8, 9, 10, 1, None, None), (9, 10, 9, 2, None, None)])
    report, held = moved(old)
    assert (report.imported, report.merged, report.refused) == (2, 1, [])
    assert [held[str(counter_id(*pair))][0] for pair in (("10", "9"), ("9", "10"))] == [4, 1]
    assert {"7", "8", "9"} <= held.keys()


def test_a_number_and_its_digits_are_one_pair_of_sqlite(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as old:
        made_again(old, "id, uniqueId, userId, count, expires, createdAt")
        old.fill([(1, 5, "u", 1, None, None), (2, "5", "u", 3, None, None), (3, 40, "u", 1, None, None)])
        report, _ = moved(old)
        assert (report.imported, report.merged, split_pairs(old)) == (2, 1, False)


def test_dates_of_postgresql_that_python_has_not_are_refused_alone(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as old:
        old.fill(
            [
                (1, "h", "a", 1, "infinity", None),
                (2, "h", "b", 1, "0044-03-15 10:00:00 BC", None),
                (3, "h", "c", 1, None, "-infinity"),
                (4, "h", "d", 1, "12026-01-01 00:00:00", None),
                LINES[1],
            ]
        )
        assert set(refused(old)) == {1, 2, 3, 4}


def test_dates_of_postgresql_do_not_depend_on_the_settings_of_server_and_user(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as old:
        old.fill([(1, "h", "a", 1, "2026-06-01 13:05:00", "2026-03-29 02:30:00+05:30")])
        user = sa.make_url(old.address).username
        old.execute(f"ALTER ROLE {user} SET datestyle = 'SQL, DMY'", f"ALTER ROLE {user} SET timezone = 'Asia/Kolkata'")
        _, held = moved(old)
        created_at = datetime(2026, 3, 28, 21, 0, tzinfo=UTC)
        assert held[str(counter_id("h", "a"))] == (1, at(12, 5), ("h", "a", created_at))


def test_a_schema_may_be_named(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as old:
        old.fill([LINES[1]])
        with open_table(old.address, f"public.{old.table}") as rows:
            assert [each[0] for each in rows] == [2]


def test_columns_that_differ_in_capitals_are_found(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as old:
        for name in ("userId", "uniqueId", "createdAt"):
            old.execute(f'ALTER TABLE {old.table} RENAME COLUMN "{name}" TO {name}')
        old.execute(f"INSERT INTO {old.table} (id, userid, uniqueid, count) VALUES (5, 'u', 'h', 2)")
        with open_table(old.address, old.table) as rows:
            assert [tuple(each) for each in rows] == [(5, "h", "u", 2, None, None)]


def test_what_sqlite_takes_in_any_column_is_judged(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as old:
        old.fill(
            [
                ("x", "h", "a", 1, None, None),
                (2, b"h", "a", 1, None, None),
                (3, "h", "b", 1.5, None, None),
                (4, "h", "b", "many", None, None),
                (5, "h", "b", 1, 1_780_000_000, None),
                (7, "h", "c", 2, "2026-06-01 13:05:00.000001+01:00", None),
            ]
        )
        old.execute(f"INSERT INTO {old.table} VALUES (6, CAST(x'ff41' AS TEXT), 'h', 1, NULL, NULL)")
        assert set(refused(old)) == {None, 2, 3, 4, 5, 6}
        _, held = moved(old)
        assert held[str(counter_id("h", "c"))][:2] == (2, at(12, 5) + timedelta(milliseconds=1))


# --- streaming, and reading alone --------------------------------------------------------------


def fetched_at_once(old: OldDatabase) -> int:
    """Rows that the driver holds when the first is read."""
    with open_table(old.address, old.table) as rows:
        next(iter(rows))
        cursor: Any = vars(rows)["_cursor"]
        if old.kind == "mariadb":  # a buffered cursor holds every row
            return len(getattr(cursor, "_rows", None) or ())
        return int(cursor.pgresult.ntuples)


def test_a_table_is_streamed_and_may_be_left_in_the_middle(server: OldDatabase) -> None:
    server.fill([(number, f"hash-{number:06}", "user", 1, None, None) for number in range(1, 3_001)])
    assert fetched_at_once(server) <= tables.AT_ONCE


def test_a_table_that_is_read_whole_is_noticed(server: OldDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fill([(number, f"hash-{number:06}", "user", 1, None, None) for number in range(1, 3_001)])
    real = sa.Connection.execution_options

    def buffered(self: sa.Connection, **options: Any) -> sa.Connection:
        return real(self, **{name: value for name, value in options.items() if name != "yield_per"})

    monkeypatch.setattr(sa.Connection, "execution_options", buffered)
    assert fetched_at_once(server) == 3_000


def connections_of(server: OldDatabase) -> list[int]:
    """Of the reader, as the server counts them."""
    user = sa.make_url(server.address).username
    listed = {
        "mariadb": f"SELECT id FROM information_schema.processlist WHERE user = '{user}'",
        "postgresql": f"SELECT pid FROM pg_stat_activity WHERE usename = '{user}'",
    }
    with server.engine.connect() as connection:
        return [int(each[0]) for each in connection.exec_driver_sql(listed[server.kind])]


def test_a_database_that_breaks_off_is_told_and_the_next_run_goes_on(server: OldDatabase) -> None:
    server.fill([(number, f"hash-{number:06}", "u" * 1_000, 1, None, None) for number in range(1, 8_001)])
    store, cut = MemoryStore(), False

    def cutting(rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
        nonlocal cut
        for number, values in enumerate(rows):
            if number == 700 and not cut:
                cut = True
                for each in connections_of(server):
                    server.execute(
                        f"KILL {each}" if server.kind == "mariadb" else f"SELECT pg_terminate_backend({each})"
                    )
            yield values

    desk = desk_over(MovedClock(), store)
    with (
        pytest.raises(DatabaseFailed, match="the same command goes on"),
        open_table(server.address, server.table) as rows,
    ):
        move(desk, cutting(rows))
    assert len(stands(store)) >= 2 * 699
    with open_table(server.address, server.table) as rows:
        report = move(desk, rows)
    assert (report.read, report.imported + report.unchanged) == (8_000, 8_000)
    assert len(stands(store)) == 16_000


def write(rows: OldTable, statement: str) -> None:
    """As nothing here does."""
    connection: sa.Connection = vars(rows)["_connection"]
    connection.exec_driver_sql(statement)


def test_the_database_itself_is_told_that_nothing_is_written(server: OldDatabase) -> None:
    server.fill([LINES[1]])
    root = server.engine.url.render_as_string(hide_password=False)
    with pytest.raises(DatabaseFailed, match=r"(?i)read.only"), open_table(root, server.table) as rows:
        write(rows, f"DELETE FROM {server.table}")
    with open_table(server.address, server.table) as rows:
        assert rows.total == 1


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="There is no database file"),
        open_table(f"sqlite:///{tmp_path}/x.db", "t"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        *("file:{}/x.db?mode=rwc&uri=true", "file:{}/x.db?uri=true", "file://{}/x.db?mode=rwc&uri=true"),
        *("file://localhost{}/x.db?uri=true&mode=rwc", "file:{}/x.db", "file:x?mode=memory&uri=true"),
        *("{}/x.db?mode=rwc&uri=true", "{}/%00?uri=true", "file:{}/%00?uri=true", "{}/" + "x" * 5_000, "{}"),
    ],
)
def test_no_form_of_an_address_makes_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(ConfigurationError, match="There is no database file"),
        open_table(f"sqlite:///{name.format(tmp_path)}", "t"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("start", ["file:", "file://", "file://localhost"])
def test_sqlite_s_own_form_of_an_address_is_read_and_opened_for_reading_alone(start: str, tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as old:
        old.fill([LINES[1]])
        address = f"sqlite:///{start}{tmp_path}/%6fld.db?mode=rw&uri=true"
        with pytest.raises(DatabaseFailed, match="readonly"), open_table(address, old.table) as rows:
            write(rows, f"DELETE FROM {old.table}")
        with open_table(address, old.table) as rows:
            assert [each[0] for each in rows] == [2]


def as_it_was_given(url: sa.URL) -> sa.URL:
    """The planted defect: an address in SQLite's own form is used."""
    return url


def test_an_address_that_makes_a_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_read_only", as_it_was_given)
    address = f"sqlite:///file:{tmp_path}/x.db?mode=rwc&uri=true"
    with pytest.raises(ConfigurationError, match="There is no table"), open_table(address, "t"):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["x.db"]


def test_a_sqlite_file_is_opened_for_reading_alone(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as old:
        old.fill([LINES[1]])
        before = (tmp_path / "old.db").read_bytes()
        with pytest.raises(DatabaseFailed, match="readonly"), open_table(old.address, old.table) as rows:
            write(rows, f"DELETE FROM {old.table}")
        assert (tmp_path / "old.db").read_bytes() == before


# --- what cannot be ----------------------------------------------------------------------------


def test_a_table_that_is_not_there_names_those_that_are(old: OldDatabase) -> None:
    with (
        pytest.raises(ConfigurationError, match=rf"no table 'nothing'; there are: .*{old.table}.*--table"),
        open_table(old.address, "nothing"),
    ):
        pass


@pytest.mark.parametrize("name", ["a.b.c", "nowhere.{}", "", ".", "a.", "x" * 500, "x%s%d", 'x"; `y', "x\n", "é.é"])
def test_a_name_that_no_table_can_have_is_a_matter_of_the_configuration(name: str, old: OldDatabase) -> None:
    with (
        pytest.raises(ConfigurationError, match="There is no table"),
        open_table(old.address, name.format(old.table)),
    ):
        pass


def test_missing_columns_are_named_with_those_that_are_there(old: OldDatabase) -> None:
    old.execute(f"ALTER TABLE {old.quoted(old.table)} RENAME COLUMN {old.quoted('expires')} TO till")
    with (
        pytest.raises(ConfigurationError, match=r"no column expires; it has: .*till"),
        open_table(old.address, old.table),
    ):
        pass


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "mysql//u:geheim@h/d",
        "mysql://u:geheim@h:33x6/d",
        "oracle://u:geheim@h/d",
        "postgresql+nothing://u:geheim@h/d",
        "sqlite://",
    ],
)
def test_an_address_that_cannot_be_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(ConfigurationError) as found, open_table(address, "svretries"):
        pass
    assert "geheim" not in str(found.value)
    assert "://" in str(found.value) or "pip install" in str(found.value)


def failure(server: OldDatabase, change: dict[str, Any]) -> str:
    address = sa.make_url(server.address).set(**change).render_as_string(hide_password=False)
    with pytest.raises(DatabaseFailed) as found, open_table(address, server.table):
        pass
    assert found.value.__suppress_context__, "a traceback would show the driver's own words"
    return str(found.value)


@pytest.mark.parametrize("change", [{"database": "nowhere"}, {"port": 1}, {"username": "nobody"}], ids=str)
def test_a_database_that_refuses_is_told_without_the_password(server: OldDatabase, change: dict[str, Any]) -> None:
    said = failure(server, change)
    assert server.password not in said
    assert server.password.rpartition("/")[2] not in said
    assert ":***@127.0.0.1" in said


def test_an_error_that_shows_the_address_as_it_was_given_is_noticed(
    server: OldDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(_error: Exception, url: sa.URL) -> str:
        return url.render_as_string(hide_password=False)

    monkeypatch.setattr(tables, "_words", careless)
    assert server.password.rpartition("/")[2] in failure(server, {"port": 1})


def test_words_of_a_driver_that_hold_a_password_are_masked() -> None:
    url = sa.make_url("postgresql://u:p%40ss%2Fword@h/d?sslpassword=other-word")
    error = OperationalError("", None, Exception("bad: p@ss/word, p%40ss%2Fword, other-word"))
    said: str = vars(tables)["_words"](error, url)
    assert said.count("***") == 4
    assert "word" not in said.replace("sslpassword", "")


def test_every_value_of_every_database_is_judged_by_the_same_rules(old: OldDatabase) -> None:
    old.fill(in_utc(old, [LINES[0]]))
    with open_table(old.address, old.table) as rows:
        (values,) = rows
    judged = judge(values, ZONE, EPOCH)
    assert getattr(judged, "expires_at", None) == at(12, 5)
