"""Moving rows in: merged with what is there, repeated, rehearsed; old ids lead on; what a success deleted stays so."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.codes import counter_id
from otpcore.errors import CommitUnknown
from otpcore.legacy import Desk, Forbidden, OTP_Model, Svretries, TooManyRequests, moving, rows, use
from otpcore.legacy.moving import Report
from otpcore.legacy.records import local_time
from otpcore.legacy.rows import Row, Standing
from otpcore.model import RecipientRecord
from otpcore.policy import Profile
from otpcore.stores.memory import MemoryStore
from tests.legacy.moved import EPOCH, MONTH, MovedClock, desk_over, expected_of, line, move, stands

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NUMBER = "+237671234567"


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def desk(clock: MovedClock, store: MemoryStore) -> Desk:
    return desk_over(clock, store)


@pytest.fixture
def facade(desk: Desk) -> Iterator[Callable[[], OTP_Model]]:
    """A new `OTP_Model` over the desk, as each request makes one."""
    use(lambda: desk)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield lambda: OTP_Model(NUMBER)
    use(None)


def records(desk: Desk) -> dict[int, tuple[int, datetime | None]]:
    """Count and expiry by id."""
    found: dict[int, tuple[int, datetime | None]] = {}
    for record in desk.counters():
        assert record.counter is not None
        identity = counter_id(record.counter.unique_id, record.counter.user_id)
        found[identity] = (record.ladder.count, record.ladder.next_at)
    return found


def told(report: Report) -> dict[str, int]:
    """The numbers of a report that are not 0."""
    names = ("imported", "merged", "tightened", "unchanged", "gone")
    counts = {name: getattr(report, name) for name in names} | {"refused": len(report.refused)}
    assert sum(counts.values()) == report.read, "a row is in one of the numbers"
    return {name: count for name, count in counts.items() if count}


# --- into an empty store -----------------------------------------------------------------------


def test_each_pair_becomes_one_record_the_strictest_of_its_rows(desk: Desk) -> None:
    lines = [
        *(line(1, "a", 1, HOUR), line(2, "a", 3, -HOUR), line(9, "a", 2)),
        *(line(3, "b", 5), line(4, "c", 20, 2 * HOUR), line(5, "d", 0)),
    ]
    report = move(desk, lines)
    assert told(report) == {"imported": 4, "merged": 2}
    assert (report.kept, report.until, report.changed) == (6, EPOCH + MONTH, True)
    expected = {"a": (3, EPOCH + HOUR), "b": (4, None), "c": (4, EPOCH + 2 * HOUR), "d": (0, None)}
    assert records(desk) == expected_of(expected)


def test_a_record_keeps_the_first_date_of_its_rows_but_none_of_the_future(desk: Desk, clock: MovedClock) -> None:
    made = [EPOCH - DAY, EPOCH - 5 * DAY, EPOCH + DAY]
    move(desk, [line(1, "a", created=made[0]), line(2, "a", created=made[1])])
    move(desk, [line(3, "b", created=made[2]), line(4, "c", created=None)])
    kept = {one.counter.unique_id: one.counter.created_at for one in desk.counters() if one.counter}
    assert kept == {"hash-a": made[1], "hash-b": EPOCH, "hash-c": EPOCH}


def test_a_refused_row_stops_nothing_and_leaves_nothing(desk: Desk, store: MemoryStore) -> None:
    lines = [line(1, "a", None), line(2, "a", 2), line("3", "b", 1), line(-4, "c", 1), line(5, "d", 1)]
    report = move(desk, lines)
    assert told(report) == {"imported": 2, "refused": 3}
    assert [each.id for each in report.refused] == [1, None, -4]
    assert records(desk) == expected_of({"a": (2, None), "d": (1, None)})
    assert len(stands(store)) == 4  # two records, two ids


def test_old_ids_of_every_row_of_a_pair_lead_to_its_record(facade: Callable[[], OTP_Model], desk: Desk) -> None:
    move(desk, [line(11, "a", 2, HOUR), line(12, "a", 1), line(13, "b")])
    identity = counter_id("hash-a", "user-a")
    for old in (11, 12, identity):
        found = Svretries.get(Svretries.id == old)
        assert (found.id, found.count, found.expires) == (identity, 2, local_time(EPOCH + HOUR))
    assert Svretries.get(Svretries.id == 13).uniqueId == "hash-b"
    assert Svretries.get_or_none(Svretries.id == 14) is None


def test_a_wait_of_the_old_table_goes_on_in_the_facade(facade: Callable[[], OTP_Model], desk: Desk) -> None:
    move(desk, [line(11, "a", 2, HOUR)])
    with pytest.raises(TooManyRequests) as refused:
        facade().check_count("hash-a", "user-a")
    assert refused.value.retry_after == 3_600


def test_a_row_that_was_never_limited_again_is_limited_from_its_next_send(
    facade: Callable[[], OTP_Model], desk: Desk, clock: MovedClock
) -> None:
    move(desk, [line(11, "a", 5, -DAY)])
    waits: list[timedelta] = []
    for _ in range(5):
        record = facade().check_count("hash-a", "user-a")
        until = float(facade().add_count(record))
        with pytest.raises(TooManyRequests):
            facade().check_count("hash-a", "user-a")
        waits.append(datetime.fromtimestamp(until, UTC) - clock.now)
        clock.wait(seconds=waits[-1].total_seconds() + 1)
    assert waits == [timedelta(minutes=2), timedelta(minutes=5), timedelta(minutes=15), DAY, timedelta(minutes=2)]


def test_delete_count_takes_an_old_id_of_a_record_that_was_loaded_for_the_number(
    facade: Callable[[], OTP_Model], desk: Desk, clock: MovedClock
) -> None:
    move(desk, [line(11, "a", 2), line(12, "a", 1), line(13, "b")])
    facade().check_count("hash-a", "user-a")
    otp = facade()  # the next request
    otp.delete_count(12)
    assert records(desk) == expected_of({"b": (1, None)})
    otp.delete_count(otp_counter=12)  # a double submit
    facade().delete_count(11)  # of the same pair: what is to be deleted is deleted
    with pytest.raises(Forbidden):
        facade().delete_count(13)  # nobody's yet
    with pytest.raises(Forbidden):
        facade().delete_count(14)


# --- again -------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing_and_says_so(desk: Desk, store: MemoryStore, clock: MovedClock) -> None:
    lines = [line(1, "a", 1, HOUR), line(2, "a", 3), line(3, "b", 7)]
    move(desk, lines)
    before = store.scan("", 99)
    clock.wait(hours=3)
    report = move(desk, lines)
    assert told(report) == {"unchanged": 2, "merged": 1}
    assert not report.changed
    assert list(store.scan("", 99)) == list(before)


def test_a_rehearsal_and_the_real_run_end_as_strict_as_the_rows(desk: Desk, clock: MovedClock) -> None:
    move(desk, [line(1, "a", 1, -HOUR), line(2, "b", 2, HOUR)])
    clock.wait(days=3)
    report = move(desk, [line(1, "a", 2, 74 * HOUR), line(2, "b", 2, HOUR), line(3, "b", 1), line(4, "c", 1)])
    assert told(report) == {"tightened": 1, "unchanged": 1, "merged": 1, "imported": 1}
    expected = {"a": (2, EPOCH + 74 * HOUR), "b": (2, EPOCH + HOUR), "c": (1, None)}
    assert records(desk) == expected_of(expected)


def test_a_record_of_the_facade_is_tightened_and_never_loosened(desk: Desk) -> None:
    for _ in range(3):
        desk.count("hash-a", "user-a")
    desk.open_counter("hash-b", "user-b")
    report = move(desk, [line(1, "a", 1, -DAY), line(2, "b", 2, HOUR)])
    assert told(report) == {"unchanged": 1, "tightened": 1}
    assert records(desk) == expected_of({"a": (3, EPOCH + timedelta(minutes=15)), "b": (2, EPOCH + HOUR)})


def again_after_a_success(desk: Desk, clock: MovedClock, *, made_anew: bool) -> Report:
    """Import, delete as a success does, perhaps send anew, import again."""
    move(desk, [line(1, "a", 3, HOUR), line(2, "a", 1)])
    desk.delete_counter(2)
    clock.wait(hours=2)
    if made_anew:
        desk.count("hash-a", "user-a")
    return move(desk, [line(1, "a", 3, HOUR), line(2, "a", 1)])


@pytest.mark.parametrize("made_anew", [False, True])
def test_what_a_success_has_deleted_is_not_brought_back(desk: Desk, clock: MovedClock, made_anew: bool) -> None:
    report = again_after_a_success(desk, clock, made_anew=made_anew)
    assert (told(report), report.changed, report.kept) == ({"gone": 2}, False, 0)
    anew = {"a": (1, EPOCH + 2 * HOUR + timedelta(minutes=2))}
    assert records(desk) == expected_of(anew if made_anew else {})


def never(*_given: object) -> bool:
    """The planted defect: whoever led once leads for ever."""
    return False


@pytest.mark.parametrize("made_anew", [False, True])
def test_an_import_that_does_not_ask_the_old_id_is_noticed(
    desk: Desk, clock: MovedClock, made_anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_is_newer", never)
    report = again_after_a_success(desk, clock, made_anew=made_anew)
    assert told(report) != {"gone": 2}
    assert records(desk)[counter_id("hash-a", "user-a")][0] == 3


def test_a_row_that_came_after_a_success_is_imported_without_the_rows_before_it(desk: Desk, clock: MovedClock) -> None:
    move(desk, [line(1, "a", 3, HOUR)])
    desk.delete_counter(1)
    clock.wait(days=2)
    lines = [line(1, "a", 3, HOUR), line(8, "a", 1, 2 * DAY, created=EPOCH + DAY)]
    assert told(move(desk, lines)) == {"imported": 1, "gone": 1}
    assert records(desk) == expected_of({"a": (1, EPOCH + 2 * DAY)})
    assert told(move(desk, lines)) == {"unchanged": 1, "gone": 1}
    assert records(desk) == expected_of({"a": (1, EPOCH + 2 * DAY)})


def test_a_success_in_the_middle_of_a_run_is_not_undone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    move(desk, [line(1, "a", 1)])
    real = rows.merged

    def succeed(found: Sequence[Row], profile: Profile) -> Standing:
        desk.delete_counter(1)
        return real(found, profile)

    monkeypatch.setattr(moving, "merged", succeed)
    assert told(move(desk, [line(1, "a", 3, HOUR)])) == {"gone": 1}
    assert records(desk) == {}


# --- ids ---------------------------------------------------------------------------------------


def test_old_ids_work_for_the_stated_time_and_a_later_run_prolongs_it(
    desk: Desk, clock: MovedClock, store: MemoryStore
) -> None:
    lines = [line(1, "a", 1), line(2, "b", 1)]
    assert move(desk, lines, keep_ids=3 * DAY).until == EPOCH + 3 * DAY
    clock.wait(days=2)
    assert move(desk, lines, keep_ids=3 * DAY).until == EPOCH + 5 * DAY
    clock.now = EPOCH + 5 * DAY
    store.sweep(clock.now, limit=99)
    assert desk.counter(1) is not None
    clock.wait(days=2)
    assert store.sweep(clock.now, limit=99) == 2
    assert (desk.counter(1), desk.counter(2)) == (None, None)
    assert len(records(desk)) == 2


def test_a_run_on_the_same_day_keeps_its_word_without_writing_the_ids_again(
    desk: Desk, clock: MovedClock, store: MemoryStore
) -> None:
    move(desk, [line(1, "a", 1)], keep_ids=3 * DAY)
    clock.wait(hours=20)
    until = move(desk, [line(1, "a", 1)], keep_ids=3 * DAY).until
    store.sweep(until, limit=99)
    assert until == EPOCH + 3 * DAY + timedelta(hours=20)
    assert desk.counter(1) is not None


def test_an_id_that_leads_to_another_pair_is_left_so_and_told(desk: Desk) -> None:
    move(desk, [line(1, "a", 1)])
    report = move(desk, [line(1, "b", 2), line(2, "b", 1)])
    assert (told(report), report.taken, report.kept) == ({"imported": 1, "merged": 1}, [1], 1)
    assert records(desk) == expected_of({"a": (1, None), "b": (2, None)})
    found = desk.counter(1)
    assert found is not None
    assert found.counter is not None
    assert found.counter.unique_id == "hash-a"


def test_an_old_id_that_is_the_record_s_own_needs_no_marker(desk: Desk, store: MemoryStore) -> None:
    identity = counter_id("hash-a", "user-a")
    for expected in ({"imported": 1}, {"unchanged": 1}):
        report = move(desk, [line(identity, "a", 2)])
        assert (told(report), report.taken) == (expected, [])
    assert len(stands(store)) == 1


def test_an_old_id_that_is_another_record_s_own_leads_nowhere(desk: Desk) -> None:
    identity = counter_id("hash-a", "user-a")
    move(desk, [line(1, "a", 2)])
    report = move(desk, [line(identity, "b", 1)])
    assert (report.taken, report.kept) == ([identity], 0)
    assert records(desk) == expected_of({"a": (2, None), "b": (1, None)})


# --- a rehearsal that writes nothing -----------------------------------------------------------


def test_a_dry_run_reports_what_the_run_will_and_writes_nothing(
    desk: Desk, store: MemoryStore, clock: MovedClock
) -> None:
    move(desk, [line(1, "a", 1), line(2, "b", 3, HOUR), line(3, "c", 1), line(20, "x", 1)])
    desk.delete_counter(3)
    clock.wait(minutes=5)
    lines = [
        *(line(1, "a", 2), line(2, "b", 1), line(7, "b", 1), line(3, "c", 1), line(4, "d", 9)),
        *(line(20, "e", 1), line(21, "e", -1)),
    ]
    before = list(store.scan("", 99))
    foretold = move(desk, lines, write=False)
    assert list(store.scan("", 99)) == before
    assert foretold == move(desk, lines)
    assert told(foretold) == {"tightened": 1, "unchanged": 1, "merged": 1, "gone": 1, "imported": 2, "refused": 1}
    assert foretold.taken == [20]


# --- histories ---------------------------------------------------------------------------------

lines_of_a_table = st.lists(
    st.builds(
        line,
        st.integers(1, 6),
        st.sampled_from("abc"),
        st.integers(0, 6),
        st.none() | st.integers(-90, 90).map(lambda minutes: timedelta(minutes=minutes)),
    ),
    max_size=6,
    unique_by=lambda each: each[0],
).map(lambda lines: sorted(lines, key=lambda each: (str(each[1]), each[0])))


@given(lines_of_a_table)
def test_a_run_that_is_repeated_is_the_run(lines: list[tuple[object, ...]]) -> None:
    clock, store = MovedClock(), MemoryStore()
    desk = desk_over(clock, store)
    move(desk, lines)
    once = stands(store)
    clock.wait(hours=5)
    report = move(desk, lines)
    assert (stands(store), report.changed, report.gone) == (once, False, 0)
    for record in desk.counters():
        assert record.ladder.count <= 4


@given(st.data())
def test_a_table_in_two_parts_is_the_table(data: st.DataObject) -> None:
    lines = data.draw(lines_of_a_table)
    first = [each for each in lines if data.draw(st.booleans())]
    whole, parts = MemoryStore(), MemoryStore()
    move(desk_over(MovedClock(), whole), lines)
    for each in (first, lines):
        move(desk_over(MovedClock(), parts), each)
    assert stands(parts) == stands(whole)


# --- a store in trouble ------------------------------------------------------------------------


class Doubtful(MemoryStore):
    """Applies each first commit of a key and gives no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.doubted: set[str] = set()

    def commit(self, key: str, data: bytes | None, **terms: Any) -> Any:
        answer = super().commit(key, data, **terms)
        if key not in self.doubted and RecipientRecord.decode(data or b"{}").counter is not None:
            self.doubted.add(key)
            raise CommitUnknown
        return answer


def test_a_commit_without_an_answer_is_counted_once() -> None:
    store = Doubtful()
    desk = desk_over(MovedClock(), store)
    assert told(move(desk, [line(1, "a", 2, HOUR), line(2, "b", 1)])) == {"imported": 2}
    assert len(store.doubted) == 2
    assert records(desk) == expected_of({"a": (2, EPOCH + HOUR), "b": (1, None)})
    store.doubted.clear()
    assert told(move(desk, [line(1, "a", 3, 2 * HOUR), line(2, "b", 1)])) == {"tightened": 1, "unchanged": 1}
    assert records(desk) == expected_of({"a": (3, EPOCH + 2 * HOUR), "b": (1, None)})
