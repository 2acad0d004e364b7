"""`Svretries`: what the callers of the old class do with resend records, over each store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore.errors import UsageError
from otpcore.legacy import Desk, InternalServerError, OTP_Model, Svretries, TooManyRequests, use
from otpcore.legacy import desk as desks
from otpcore.legacy.records import local_time, utc_time
from otpcore.ports import Store
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from tests.numbers import phone

PEPPER = bytes(range(32))
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")


class Unwalkable:
    """A store of the least that the contract asks for."""

    def __init__(self, store: MemoryStore) -> None:
        self.capabilities = store.capabilities
        self.load, self.commit, self.sweep, self.close = store.load, store.commit, store.sweep, store.close


class Place:
    """A desk with a clock that stands still."""

    def __init__(self, store: Store) -> None:
        self.now = START
        self.store = store
        self.desk = Desk(store, FakeProvider(clock=self.clock), clock=self.clock, pepper=PEPPER)

    def clock(self) -> datetime:
        return self.now


@pytest.fixture(params=["memory", "tinydb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(MemoryStore() if request.param == "memory" else TinyDBStore(tmp_path / "records.otpdb", sync=False))
    use(lambda: made.desk)
    yield made
    use(None)


def pair(number: int = 1) -> dict[str, Any]:
    return {"uniqueId": f"unique-{number}", "userId": f"user-{number}"}


def test_a_record_is_found_by_its_id_and_by_its_pair_with_one_load(place: Place, monkeypatch: Any) -> None:
    made = Svretries.create(**pair())
    loads: list[str] = []
    load = place.store.load

    def watched(key: str) -> Any:
        loads.append(key)
        return load(key)

    monkeypatch.setattr(place.store, "load", watched)
    assert Svretries.get(Svretries.id == made.id) == made
    assert Svretries.get(Svretries.uniqueId == "unique-1", Svretries.userId == "user-1") == made
    assert Svretries.get((Svretries.uniqueId == "unique-1") & (Svretries.userId == "user-1")).id == made.id
    assert len(loads) == 3


def test_a_record_is_found_by_one_column_among_many(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "PAGE", 3)
    for number in range(10):
        Svretries.create(**pair(number), count=number % 3)
    OTP_Model(phone(1)).verification()  # records of another kind lie among them
    assert Svretries.get(Svretries.userId == "user-7").uniqueId == "unique-7"
    assert Svretries.get(Svretries.uniqueId == "unique-4").userId == "user-4"
    assert Svretries.update(count=0).where(Svretries.count == 2).execute() == 3
    assert Svretries.get_or_none(Svretries.count == 2) is None


def test_what_is_not_there_is_told_as_the_old_class_told_it(place: Place) -> None:
    made = Svretries.create(**pair())
    for which in (
        Svretries.id == made.id + 1,
        Svretries.id == -1,
        Svretries.id == "7",
        Svretries.id == True,  # noqa: E712
        Svretries.id == None,  # noqa: E711
        Svretries.userId == "nobody",
        (Svretries.id == made.id) & (Svretries.userId == "nobody"),
        (Svretries.userId == "user-1") & (Svretries.userId == "user-2"),
    ):
        assert Svretries.get_or_none(which) is None
        with pytest.raises(Svretries.DoesNotExist):
            Svretries.get(which)


def test_a_record_has_the_fields_of_the_old_row(place: Place) -> None:
    made = Svretries.create(**pair())
    assert isinstance(made.id, int)
    assert 0 < made.id < 2**63
    assert (made.uniqueId, made.userId, made.count, made.expires) == ("unique-1", "user-1", 0, None)
    assert made.createdAt == local_time(START)
    assert made.createdAt.tzinfo is None
    assert "unique" not in repr(made)


def test_creating_a_pair_again_gives_its_only_record_as_it_stands(place: Place) -> None:
    """`get_or_none(…) or create(…)` of two requests at once: the second takes nothing back."""
    first = Svretries.create(**pair(), count=1)
    OTP_Model(phone(1)).add_count(first)
    second = Svretries.create(**pair())
    third = Svretries.create(**pair(), count=0, expires=None)
    assert first == second == third
    assert len({first, second}) == 1
    assert {(each.count, each.expires) for each in (second, third)} == {(2, local_time(START + timedelta(minutes=5)))}
    assert first.delete_instance() == 1
    assert Svretries.create(**pair(), count=3).count == 3


def test_what_is_updated_is_what_check_count_goes_by(place: Place) -> None:
    made = Svretries.create(**pair())
    until = local_time(START + timedelta(minutes=7))
    assert Svretries.update(count=2, expires=until).where(Svretries.id == made.id).execute() == 1
    with pytest.raises(TooManyRequests) as refused:
        OTP_Model(phone(1)).check_count("unique-1", "user-1")
    assert refused.value.retry_after == 7 * 60
    assert Svretries.update(expires=None).where(Svretries.userId == "user-1").execute() == 1
    assert OTP_Model(phone(1)).check_count("unique-1", "user-1").count == 2
    assert Svretries.update(count=1).where(Svretries.id == made.id + 1).execute() == 0


def test_a_deleted_record_is_gone_and_comes_back_under_its_id(place: Place) -> None:
    made = Svretries.create(**pair(), count=3)
    assert (made.delete_instance(), made.delete_instance()) == (1, 0)
    assert Svretries.get_or_none(Svretries.id == made.id) is None
    again = OTP_Model(phone(1)).check_count("unique-1", "user-1")
    assert (again.id, again.count) == (made.id, 0)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"id": 7},
        {"userId": "x"},
        {"count": -1},
        {"count": "2"},
        {"count": True},
        {"count": None},
        {"expires": "tomorrow"},
        {"expires": 0},
    ],
)
def test_a_change_that_cannot_be_changes_nothing(place: Place, change: dict[str, Any]) -> None:
    made = Svretries.create(**pair(), count=1)
    with pytest.raises(UsageError):
        Svretries.update(**change).where(Svretries.id == made.id).execute()
    assert Svretries.get(Svretries.id == made.id).count == 1


def test_an_update_of_everything_is_refused(place: Place) -> None:
    with pytest.raises(UsageError, match="where"):
        Svretries.update(count=0).execute()


@pytest.mark.parametrize("given", [None, b"x", 1.5, True, ["x"], "x" * 1025, "\ud800"])
def test_what_is_no_text_is_refused_before_it_is_written(place: Place, given: Any) -> None:
    with pytest.raises(UsageError):
        Svretries.create(uniqueId=given, userId="user")
    with pytest.raises(UsageError):
        Svretries.create(uniqueId="unique", userId=given)
    with pytest.raises(UsageError):
        Svretries.get(Svretries.userId == given)
    with pytest.raises(InternalServerError) as refused:
        OTP_Model(phone(1)).check_count("unique", given)
    assert isinstance(refused.value.__cause__, UsageError)
    assert [*place.desk.counters()] == []


def test_a_number_is_kept_as_its_digits(place: Place) -> None:
    """As the old column kept it: callers give the user's number in the database."""
    made = OTP_Model(phone(1)).check_count("unique", 7)  # type: ignore[arg-type]
    assert made.userId == "7"
    assert OTP_Model(phone(1)).check_count("unique", "7") == made
    assert Svretries.get(Svretries.userId == 7) == made
    assert Svretries.get(Svretries.uniqueId == "unique", Svretries.userId == 7) == made


def test_a_store_that_cannot_be_walked_says_what_to_give() -> None:
    there = Place(Unwalkable(MemoryStore()))
    use(lambda: there.desk)
    try:
        made = Svretries.create(**pair())
        assert Svretries.get(Svretries.id == made.id) == made
        with pytest.raises(UsageError, match="uniqueId and userId together"):
            Svretries.get(Svretries.userId == "user-1")
    finally:
        use(None)


def test_records_of_two_tenants_are_apart() -> None:
    store = MemoryStore()
    ours, theirs = (Desk(store, FakeProvider(), pepper=PEPPER, tenant=each) for each in ("ours", "theirs"))
    ours.open_counter("unique-1", "user-1")
    assert [*theirs.counters()] == []
    assert len([*ours.counters()]) == 1


# --- local time ----------------------------------------------------------------------------------


def twice_told(zone: Callable[[str], None]) -> None:
    """Both instants of an hour that comes twice keep apart, there and back."""
    zone("Europe/Berlin")
    for at in (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)):
        wall = local_time(at)
        assert (wall.hour, wall.minute, wall.tzinfo) == (2, 30, None)
        assert utc_time(wall) == at


def test_an_hour_that_comes_twice_is_told_apart(set_timezone: Callable[[str], None]) -> None:
    twice_told(set_timezone)


def test_a_wall_clock_without_its_fold_is_found(set_timezone: Callable[[str], None]) -> None:
    """The planted defect of the test above."""
    set_timezone("Europe/Berlin")
    at = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert utc_time(local_time(at).replace(fold=0)) != at


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"])
def test_expires_is_the_wall_clock_of_the_instant(place: Place, zone: str, set_timezone: Callable[[str], None]) -> None:
    set_timezone(zone)
    for at in (datetime(2026, 3, 8, 6, 59, tzinfo=UTC), datetime(2026, 11, 1, 5, 59, tzinfo=UTC)):
        place.now = at
        facade = OTP_Model(phone(1))
        told = facade.add_count(Svretries.create(**pair(at.month)))
        expires = Svretries.get(Svretries.userId == f"user-{at.month}").expires
        assert expires is not None
        assert expires.astimezone(UTC) == at + timedelta(minutes=2)
        assert float(told) == (at + timedelta(minutes=2)).timestamp()
