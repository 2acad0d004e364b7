"""Rows of an old table: which are good, what instants they mean, how several become one, and what each rule forbids."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.ledger import count_send
from otpcore.legacy import rows
from otpcore.legacy.rows import FURTHEST, LONGEST, MILLISECOND, BadRow, Row, Standing, instant, judge, merged, tightened
from otpcore.model import Counter, Ladder, RecipientRecord
from otpcore.policy import DEFAULT

DOUALA = ZoneInfo("Africa/Douala")
EPOCH = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
GOOD: tuple[object, ...] = (7, "hash", "user", 2, "2026-06-01 13:05:00", "2026-05-01 00:00:00")


def changed(**values: object) -> tuple[object, ...]:
    """A good row with some values exchanged."""
    return tuple(values.get(name, value) for name, value in zip(rows.COLUMNS, GOOD, strict=True))


def row(count: int, expires_at: datetime | None, *, identity: int = 1, created_at: datetime | None = EPOCH) -> Row:
    return Row(identity, "hash", "user", count, expires_at, created_at)


# --- one row -----------------------------------------------------------------------------------


def test_a_good_row_is_read() -> None:
    assert judge(GOOD, DOUALA, EPOCH) == Row(
        id=7,
        unique_id="hash",
        user_id="user",
        count=2,
        expires_at=datetime(2026, 6, 1, 12, 5, tzinfo=UTC),
        created_at=datetime(2026, 4, 30, 23, 0, tzinfo=UTC),
    )


def test_a_row_that_never_counted_is_good() -> None:
    judged = judge(changed(count=0, expires=None, createdAt=None), DOUALA, EPOCH)
    assert judged == Row(7, "hash", "user", 0, None, None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"uniqueId": 12, "userId": 0}, (7, "12", "0", 2)),
        ({"userId": -(2**63)}, (7, "hash", "-9223372036854775808", 2)),
        ({"userId": Decimal(12)}, (7, "hash", "12", 2)),
        ({"id": Decimal(7), "count": Decimal("2.00")}, (7, "hash", "user", 2)),
    ],
    ids=str,
)
def test_whole_numbers_are_taken_whatever_the_column_s_kind(
    values: dict[str, object], expected: tuple[object, ...]
) -> None:
    judged = judge(changed(**values), DOUALA, EPOCH)
    assert isinstance(judged, Row)
    assert (judged.id, judged.unique_id, judged.user_id, judged.count) == expected


def test_a_wait_of_a_year_is_taken_and_no_age_is_too_old() -> None:
    judged = judge(changed(expires=EPOCH + FURTHEST, createdAt="1970-01-02 00:00:00"), DOUALA, EPOCH)
    assert isinstance(judged, Row)
    assert judged.expires_at == EPOCH + FURTHEST
    assert isinstance(judge(changed(expires="1970-01-02 00:00:00"), DOUALA, EPOCH), Row)
    assert isinstance(judge(changed(createdAt="8999-01-01 00:00:00"), DOUALA, EPOCH), Row)
    assert judge(changed(expires="soon", createdAt="8999-01-01 00:00:00"), DOUALA, EPOCH) == BadRow(
        7, "expires is not a date and time that can be read"
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"id": 0}, "id is not a whole number from 1"),
        ({"id": -3}, "id is not a whole number from 1"),
        ({"id": 2**63}, "id is not a whole number from 1"),
        ({"id": None}, "id is not a whole number from 1"),
        ({"id": "7"}, "id is not a whole number from 1"),
        ({"id": True}, "id is not a whole number from 1"),
        ({"uniqueId": None}, "uniqueId is NULL"),
        ({"uniqueId": ""}, "uniqueId is empty"),
        ({"uniqueId": b"hash"}, "uniqueId is neither text nor a whole number"),
        ({"uniqueId": "h" * (LONGEST + 1)}, "uniqueId is longer than 1,024 characters"),
        ({"uniqueId": "\udcff"}, "uniqueId holds bytes that are no text"),
        ({"userId": None}, "userId is NULL"),
        ({"userId": ""}, "userId is empty"),
        ({"userId": 12.0}, "userId is neither text nor a whole number"),
        ({"userId": True}, "userId is neither text nor a whole number"),
        ({"userId": Decimal("12.0")}, "userId is neither text nor a whole number"),
        ({"userId": Decimal("12.5")}, "userId is neither text nor a whole number"),
        ({"userId": UUID(int=1)}, "userId is neither text nor a whole number"),
        ({"userId": "u" * 5_000}, "userId is longer than 1,024 characters"),
        ({"count": None}, "count is NULL"),
        ({"count": -1}, "count is not a whole number, 0 or more"),
        ({"count": 1.5}, "count is not a whole number, 0 or more"),
        ({"count": Decimal("1.5")}, "count is not a whole number, 0 or more"),
        ({"count": "2"}, "count is not a whole number, 0 or more"),
        ({"count": True}, "count is not a whole number, 0 or more"),
        ({"id": Decimal("7.5")}, "id is not a whole number from 1"),
        ({"id": Decimal("NaN")}, "id is not a whole number from 1"),
        ({"id": Decimal("1E+90000")}, "id is not a whole number from 1"),
        ({"count": Decimal("Infinity")}, "count is not a whole number, 0 or more"),
        ({"expires": EPOCH + FURTHEST + MILLISECOND}, "expires is more than 366 days from now"),
        ({"expires": "8999-12-31 23:59:59"}, "expires is more than 366 days from now"),
        ({"expires": ""}, "expires is not a date and time that can be read"),
        ({"expires": "soon"}, "expires is not a date and time that can be read"),
        ({"expires": "0000-00-00 00:00:00"}, "expires is not a date and time that can be read"),
        ({"expires": "2026-02-30 10:00:00"}, "expires is not a date and time that can be read"),
        ({"expires": "2026-02-20"}, "expires is not a date and time that can be read"),
        ({"expires": date(2026, 2, 20)}, "expires is not a date and time that can be read"),
        ({"expires": 1_780_000_000}, "expires is not a date and time that can be read"),
        ({"expires": "infinity"}, "expires is not a date and time that can be read"),
        ({"expires": "0044-03-15 00:00:00 BC"}, "expires is not a date and time that can be read"),
        ({"expires": "9999-12-31 23:59:59"}, "expires is not a date and time that can be read"),
        ({"expires": datetime.max.replace(tzinfo=UTC)}, "expires is not a date and time that can be read"),
        ({"createdAt": "yesterday"}, "createdAt is not a date and time that can be read"),
    ],
    ids=str,
)
def test_a_bad_row_is_refused_with_its_reason(values: dict[str, object], reason: str) -> None:
    judged = judge(changed(**values), DOUALA, EPOCH)
    assert isinstance(judged, BadRow)
    assert judged.reason.startswith(reason)
    expected = values.get("id", 7)
    assert judged.id == (expected if isinstance(expected, int) and not isinstance(expected, bool) else None)


def test_everything_that_is_wrong_with_a_row_is_told() -> None:
    judged = judge((0, "", None, None, "soon", "late"), DOUALA, EPOCH)
    assert isinstance(judged, BadRow)
    assert judged.reason.split("; ") == [
        "id is not a whole number from 1 to 2^63 - 1",
        "uniqueId is empty",
        "userId is NULL",
        "count is NULL",
        "expires is not a date and time that can be read",
        "createdAt is not a date and time that can be read",
    ]


@given(
    st.tuples(
        *[st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.floats(), st.booleans(), st.datetimes())] * 6
    )
)
def test_whatever_a_row_holds_it_is_judged_and_nothing_of_it_is_quoted(values: tuple[object, ...]) -> None:
    judged = judge(values, DOUALA, EPOCH)
    if isinstance(judged, Row):
        identity, unique_id, user_id, count = values[:4]
        assert (judged.id, judged.unique_id, judged.user_id, judged.count) == (
            identity,
            str(unique_id),
            str(user_id),
            count,
        )
    else:
        unquoted = judge((judged.id, *[object()] * 5), DOUALA, EPOCH)
        assert isinstance(unquoted, BadRow)
        assert len(judged.reason) < 300


# --- time --------------------------------------------------------------------------------------

CHANGES = [
    # zone, a local time, and the later of the instants that it may be
    ("Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T01:30:00+00:00"),  # twice
    ("Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00+00:00"),  # never
    ("America/New_York", "2026-11-01 01:15:00", "2026-11-01T06:15:00+00:00"),  # twice
    ("America/New_York", "2026-03-08 02:15:00", "2026-03-08T07:15:00+00:00"),  # never
    ("Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T15:15:00+00:00"),  # twice, by half an hour
    ("Australia/Lord_Howe", "2026-10-04 02:10:00", "2026-10-03T15:40:00+00:00"),  # never
    ("Africa/Casablanca", "2026-03-22 02:20:00", "2026-03-22T02:20:00+00:00"),  # twice: winter time is summer's
]
PLAIN = [
    ("Africa/Douala", "2026-10-25 02:30:00", "2026-10-25T01:30:00+00:00"),
    ("Europe/Berlin", "2026-07-01 12:00:00", "2026-07-01T10:00:00+00:00"),
    ("America/New_York", "2026-12-01 12:00:00", "2026-12-01T17:00:00+00:00"),
    ("Asia/Kolkata", "2026-12-01 12:00:00", "2026-12-01T06:30:00+00:00"),
]


def wrong_instants(read: Callable[[object, tzinfo], datetime], cases: Sequence[tuple[str, str, str]]) -> list[str]:
    """The zones in which a local time becomes another instant, as text or as a driver's value."""
    return [
        zone
        for zone, local, expected in cases
        for given_form in (local, datetime.fromisoformat(local), datetime.fromisoformat(local).replace(fold=1))
        if read(given_form, ZoneInfo(zone)) != datetime.fromisoformat(expected)
    ]


def by_one_fold(fold: int) -> Callable[[object, tzinfo], datetime]:
    """The planted defect: one of the two readings, whichever the time of the year."""

    def read(given_form: object, zone: tzinfo) -> datetime:
        at = datetime.fromisoformat(given_form) if isinstance(given_form, str) else given_form
        assert isinstance(at, datetime)
        return at.replace(tzinfo=zone, fold=fold).astimezone(UTC)

    return read


def test_a_time_that_came_twice_or_never_is_the_later_instant() -> None:
    assert wrong_instants(instant, CHANGES) == []


@pytest.mark.parametrize("fold", [0, 1])
def test_one_fold_for_every_season_is_noticed(fold: int) -> None:
    found = set(wrong_instants(by_one_fold(fold), CHANGES))
    assert {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} <= found
    assert wrong_instants(by_one_fold(fold), PLAIN) == []


def test_every_other_time_is_the_one_instant_that_it_is() -> None:
    assert wrong_instants(instant, PLAIN) == []


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001  # as the column gives them
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Douala", "Asia/Tehran"]),
)
def test_no_reading_of_a_local_time_is_later(local: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    found = instant(local, zone)
    readings = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    assert max(readings) <= found < max(readings) + timedelta(milliseconds=1)
    assert (found.tzinfo, found.microsecond % 1000) == (UTC, 0)


@pytest.mark.parametrize(
    ("given_form", "expected"),
    [
        ("2026-06-01 13:05:00.123456", "2026-06-01T12:05:00.124+00:00"),
        ("2026-06-01T13:05:00.120", "2026-06-01T12:05:00.120+00:00"),
        ("2026-06-01 13:05:00.999999999", "2026-06-01T12:05:01+00:00"),
        ("2026-06-01 13:05:00+00", "2026-06-01T13:05:00+00:00"),
        ("2026-06-01 13:05:00+05:30", "2026-06-01T07:35:00+00:00"),
        ("2026-06-01T13:05:00Z", "2026-06-01T13:05:00+00:00"),
        ("2026-06-01 13:05:00-0430", "2026-06-01T17:35:00+00:00"),
        (datetime(2026, 6, 1, 13, 5, 0, 1, tzinfo=UTC), "2026-06-01T13:05:00.001+00:00"),
        (datetime(2026, 6, 1, 13, 5, tzinfo=timezone(timedelta(hours=2))), "2026-06-01T11:05:00+00:00"),
    ],
    ids=str,
)
def test_dates_come_as_text_or_aware_and_end_on_a_millisecond_that_shortens_nothing(
    given_form: object, expected: str
) -> None:
    assert instant(given_form, DOUALA) == datetime.fromisoformat(expected)


# --- several rows ------------------------------------------------------------------------------

instants = st.none() | st.integers(-100_000, 100_000).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
some_rows = st.lists(
    st.builds(row, st.integers(0, 9), instants, identity=st.integers(1, 99), created_at=instants),
    min_size=1,
    max_size=5,
)


def strictest(found: Callable[..., Standing], given_rows: Sequence[Row]) -> bool:
    """Whether a merge is the strictest of the rows, in every order."""
    steps = len(DEFAULT.ladder)
    known = [each.expires_at for each in given_rows if each.expires_at is not None]
    made = [each.created_at for each in given_rows if each.created_at is not None]
    expected = Standing(
        min(steps, max(each.count for each in given_rows)), max(known, default=None), min(made, default=None)
    )
    return all(found(order, DEFAULT) == expected for order in permutations(given_rows))


@given(some_rows)
def test_the_strictest_of_rows_does_not_depend_on_their_order(given_rows: list[Row]) -> None:
    assert strictest(merged, given_rows)


@given(some_rows, st.randoms())
def test_rows_that_are_merged_again_change_nothing(given_rows: list[Row], drawn: random.Random) -> None:
    once = merged(given_rows, DEFAULT)
    again = [*given_rows, *drawn.sample(given_rows, drawn.randrange(len(given_rows) + 1))]
    drawn.shuffle(again)
    assert merged(again, DEFAULT) == once
    assert merged([row(once.count, once.expires_at, created_at=once.created_at)], DEFAULT) == once


def first_row(given_rows: Sequence[Row], _profile: object) -> Standing:
    return Standing(min(4, given_rows[0].count), given_rows[0].expires_at, given_rows[0].created_at)


def last_expiry(given_rows: Sequence[Row], _profile: object) -> Standing:
    newest = max(given_rows, key=lambda each: each.created_at or EPOCH)
    return Standing(min(4, max(each.count for each in given_rows)), newest.expires_at, given_rows[0].created_at)


@pytest.mark.parametrize("planted", [first_row, last_expiry])
def test_a_merge_that_takes_one_of_the_rows_is_noticed(planted: Callable[..., Standing]) -> None:
    hour = timedelta(hours=1)
    given_rows = [row(1, EPOCH + hour), row(3, None, created_at=EPOCH + hour), row(2, EPOCH, created_at=EPOCH - hour)]
    assert strictest(merged, given_rows)
    assert not strictest(planted, given_rows)


@pytest.mark.parametrize("count", [4, 5, 6, 20, 10**9])
def test_a_count_beyond_the_ladder_is_the_whole_cycle_and_the_next_send_begins_another(count: int) -> None:
    standing = merged([row(count, EPOCH)], DEFAULT)
    assert standing.count == 4
    record = tightened(empty(), standing, DEFAULT)
    after = count_send(record, DEFAULT, now=EPOCH + timedelta(seconds=1), send="one")
    assert (after.ladder.count, after.ladder.next_at) == (1, EPOCH + timedelta(seconds=121))


# --- what the store holds already --------------------------------------------------------------


def empty(ladder: Ladder | None = None) -> RecipientRecord:
    counter = Counter(unique_id="hash", user_id="user", created_at=EPOCH)
    return RecipientRecord(v=1, mark_at=EPOCH, ladder=ladder or Ladder(), counter=counter)


ladders = st.builds(Ladder, count=st.integers(0, 4), next_at=instants)
standings = st.builds(Standing, st.integers(0, 4), instants, instants)


def looser(found: Callable[..., RecipientRecord], ladder: Ladder, standing: Standing) -> list[str]:
    """What a record allows after the rows came that it, or they, would not."""
    after = found(empty(ladder), standing, DEFAULT).ladder
    wrong: list[str] = []
    for name, wanted in (("of the record", ladder.next_at), ("of the rows", standing.expires_at)):
        if wanted is not None and (after.next_at is None or after.next_at < wanted):
            wrong.append(f"a wait {name} is shorter")
    if after.count < ladder.count:
        wrong.append("the count fell")
    if after.count < standing.count < 4:
        wrong.append("the count of the rows is lost")
    return wrong


@given(ladders, standings)
def test_a_record_becomes_no_looser_than_it_was_or_the_rows_are(ladder: Ladder, standing: Standing) -> None:
    assert looser(tightened, ladder, standing) == []


@given(ladders, standings)
def test_the_same_rows_a_second_time_leave_the_same_object(ladder: Ladder, standing: Standing) -> None:
    once = tightened(empty(ladder), standing, DEFAULT)
    assert tightened(once, standing, DEFAULT) is once


def overwritten(record: RecipientRecord, standing: Standing, _profile: object) -> RecipientRecord:
    return record.but(ladder=Ladder(count=standing.count, next_at=standing.expires_at))


def kept(record: RecipientRecord, _standing: Standing, _profile: object) -> RecipientRecord:
    return record


@pytest.mark.parametrize("planted", [overwritten, kept])
def test_an_import_that_overwrites_or_skips_what_is_there_is_noticed(planted: Callable[..., Any]) -> None:
    cases = [
        (Ladder(count=3, next_at=EPOCH + timedelta(hours=1)), Standing(1, EPOCH, EPOCH)),
        (Ladder(count=1, next_at=EPOCH), Standing(3, EPOCH + timedelta(hours=1), EPOCH)),
    ]
    assert [looser(tightened, *case) for case in cases] == [[], []]
    assert any(looser(planted, *case) for case in cases)


@pytest.mark.parametrize("planted", [False, True], ids=["the rule", "the planted defect"])
def test_a_newer_cycle_is_not_ended_by_the_rows_of_the_one_before(
    planted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if planted:
        monkeypatch.setattr(rows, "_is_newer_cycle", lambda *_given: False)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # it looks at nothing
    newer = empty(Ladder(count=2, next_at=EPOCH + timedelta(minutes=5), epoch=1))
    for expired in (EPOCH - timedelta(days=1), None):
        after = tightened(newer, Standing(4, expired, None), DEFAULT)
        later = count_send(after, DEFAULT, now=EPOCH + timedelta(minutes=6), send="next").ladder
        assert (after is newer) is not planted
        assert later.next_at == EPOCH + timedelta(minutes=8 if planted else 21)


def test_rows_whose_wait_runs_are_of_the_same_cycle() -> None:
    newer = empty(Ladder(count=2, next_at=EPOCH + timedelta(minutes=5), epoch=1))
    same = tightened(newer, Standing(4, EPOCH + timedelta(hours=20), None), DEFAULT).ladder
    assert (same.count, same.next_at) == (4, EPOCH + timedelta(hours=20))  # the rows' wait is the one that runs
