"""Clocks that jump, zones that change: what is used stays used, what is expired stays so, no wait grows.

Rules of this file: no test reads the machine's clock but the one that is about the zone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore import Approved, Ended, Sent, Wait, Wrong
from otpcore.contract import CodeOwner, SendRequest
from otpcore.engine.answers import to_milliseconds, wall_clock
from otpcore.ledger import catch_up, gc_at, tidy
from otpcore.model import Ladder, RecipientRecord, Send, Session
from otpcore.policy import DAY, DEFAULT
from tests.properties.world import EPOCH, NUMBER, World, begin

JUMPS = [timedelta(seconds=sign * each) for each in (1, 3600, 86_400) for sign in (1, -1)]
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]
CHANGES = [
    datetime(2026, 3, 8, 6, 59, 30, tzinfo=UTC),  # New York springs forward at 07:00
    datetime(2026, 11, 1, 5, 59, 30, tzinfo=UTC),  # and falls back at 06:00
    datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC),
]
OWNERS = pytest.mark.parametrize("owner", list(CodeOwner))


# --- D8 ----------------------------------------------------------------------------------------


@OWNERS
@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("steps", range(1, 5))
def test_after_any_jump_a_wait_is_no_longer_than_its_step(owner: CodeOwner, steps: int, jump: timedelta) -> None:
    """D8, invariant 14."""
    world = World(owner=owner)
    for step in DEFAULT.ladder[: steps - 1]:
        begin(world)
        world.move(step)
    begin(world)
    world.move(jump)
    result = world.engine.start(NUMBER)
    if jump < timedelta(0):
        assert isinstance(result, Wait)
        assert result.retry_after_s <= DEFAULT.ladder[steps - 1].total_seconds()
        unset = -jump if jump >= -timedelta(seconds=5) else timedelta(0)  # then the record's clock counts
        assert result.until - world.now <= DEFAULT.ladder[steps - 1] + unset
    sends = len(world.vendor.outbox)
    assert sends <= steps + (jump > timedelta(0))


@OWNERS
@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("ending", ["used", "expired", "cancelled", "tries spent"])
def test_after_any_jump_what_was_over_stays_over(owner: CodeOwner, ending: str, jump: timedelta) -> None:
    """D8, invariant 14, trap 2: revived codes 0."""
    world = World(owner=owner)
    token, code = begin(world)
    match ending:
        case "used":
            assert isinstance(world.engine.check(token, code), Approved)
        case "expired":
            world.move(timedelta(seconds=600))
            assert isinstance(world.engine.check(token, code), Ended)
        case "cancelled":
            world.engine.cancel(token)
        case _:
            wrong = "111111" if code != "111111" else "222222"
            for _ in range(5):
                assert isinstance(world.engine.check(token, wrong), Wrong)
    world.move(jump)
    assert not isinstance(world.engine.check(token, code), Approved)
    world.move(-jump)
    assert not isinstance(world.engine.check(token, code), Approved)


def test_a_code_that_outlived_nothing_is_not_revived_by_a_clock_that_was_never_read() -> None:
    """Trap 2: five seconds of difference between two machines end nothing; more does, once."""
    world = World()
    token, code = begin(world)
    world.move(timedelta(seconds=-5))
    assert isinstance(world.engine.check(token, code), Approved)
    world = World()
    token, code = begin(world)
    world.move(timedelta(seconds=-5, milliseconds=-1))
    assert isinstance(world.engine.check(token, code), Ended)


def test_without_the_shift_a_clock_set_back_makes_waits_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect of D8: the record's instants stay where the wrong clock put them."""
    from otpcore.ledger import clock

    monkeypatch.setattr(clock, "CLOCK_TOLERANCE", timedelta(days=1000))
    world = World()
    begin(world)
    world.move(-timedelta(hours=24))
    result = world.engine.start(NUMBER)
    assert isinstance(result, Wait)
    # the present is then taken as the mark: by the person's clock the wait is a day longer than its step
    assert (result.until - world.now) > DEFAULT.ladder[0]


@OWNERS
def test_a_jump_while_the_provider_is_called_changes_no_deadline(owner: CodeOwner) -> None:
    """D9: the provider is given seconds, not an instant; a jump makes the answer late, never the call longer."""
    world = World(owner=owner)
    seen: list[float] = []

    def jumped(request: SendRequest) -> None:
        seen.append(request.timeout_s)
        world.move(timedelta(hours=1))

    world.vendor.before_send = jumped
    assert isinstance(world.engine.start(NUMBER), Sent | Ended)
    assert seen == [8.0]


# --- D7 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("zone", ZONES)
def test_a_life_over_a_change_of_the_clocks_is_the_same_in_every_zone(
    zone: str, change: datetime, set_timezone: Callable[[str], None]
) -> None:
    """D7, invariant 14."""
    set_timezone(zone)
    world = World(now=change)
    token, _ = begin(world)
    held = world.engine.start(NUMBER)
    assert isinstance(held, Wait)
    assert held.retry_after_s == 120
    world.move(timedelta(seconds=120))
    assert isinstance(world.engine.resend(token, NUMBER), Sent)
    world.move(timedelta(seconds=599))
    code = world.vendor.code_for(NUMBER)
    assert isinstance(world.engine.check(token, code), Approved)
    written = RecipientRecord.decode(world.record().encode())
    assert written == world.record()
    assert written.mark_at == change + timedelta(seconds=719)


@pytest.mark.parametrize("zone", ZONES)
def test_the_machines_clock_gives_aware_utc_in_whole_milliseconds(
    zone: str, set_timezone: Callable[[str], None]
) -> None:
    """D7."""
    set_timezone(zone)
    now = wall_clock()
    assert now.utcoffset() == timedelta(0)
    assert now.microsecond % 1000 == 0
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("clock", [EPOCH.replace(tzinfo=None), EPOCH.astimezone(ZoneInfo("Asia/Kolkata"))])
def test_a_clock_that_is_naive_or_local_is_refused(clock: datetime) -> None:
    """Invariant 14."""
    with pytest.raises(ValueError, match="UTC"):
        to_milliseconds(clock)
    assert to_milliseconds(EPOCH + timedelta(microseconds=1999)) == EPOCH + timedelta(milliseconds=1)


# --- properties of a record alone --------------------------------------------------------------

instants = st.integers(-90_000, 90_000).map(lambda s: EPOCH + timedelta(seconds=s))


@given(st.lists(instants, min_size=1, max_size=8), instants, st.integers(1, 86_400))
def test_a_record_brought_to_any_present_has_nothing_in_its_future_but_waits(
    at: list[datetime], now: datetime, step: int
) -> None:
    """Invariant 14: and no wait is longer than the step that was taken."""
    marks = sorted(at)
    mark = marks[-1]
    record = RecipientRecord(
        mark_at=mark,
        ladder=Ladder(count=1, next_at=mark + timedelta(seconds=step)),
        sends=tuple(Send(id=str(n), at=each) for n, each in enumerate(marks)),
        sessions=(Session(id="s", purpose="login", expires_at=mark + timedelta(seconds=600)),),
    )
    caught = catch_up(record, DEFAULT, now=now, lease=timedelta(seconds=13))
    assert caught.now >= now
    assert caught.now - now <= timedelta(seconds=5)
    assert all(send.at <= caught.now for send in caught.record.sends)
    next_at = caught.record.ladder.next_at
    assert next_at is not None
    assert next_at - caught.now <= timedelta(seconds=step)
    (session,) = caught.record.sessions
    assert session.is_live == (mark - timedelta(seconds=5) <= now < mark + timedelta(seconds=600))


@given(st.lists(st.integers(0, 200_000), max_size=20), st.integers(0, 100_000))
def test_what_is_written_holds_only_what_still_counts(ages: list[int], idle: int) -> None:
    """D10: and it may go when nothing in it counts."""
    now = EPOCH
    sends = tuple(Send(id=str(age), at=now - timedelta(seconds=age)) for age in sorted(ages, reverse=True))
    record = tidy(RecipientRecord(sends=sends), now=now)
    assert [send.at > now - DAY for send in record.sends] == [True] * len(record.sends)
    assert len(record.sends) == sum(age < 86_400 for age in ages)
    over = gc_at(record, DEFAULT, now=now)
    assert not tidy(record, now=over).sends
    unfinished = record.but(ladder=Ladder(count=2, next_at=now))
    assert gc_at(unfinished, DEFAULT, now=now) == now + timedelta(days=400)


def test_an_instant_is_kept_to_the_millisecond() -> None:
    at = EPOCH + timedelta(milliseconds=123)
    record: Any = RecipientRecord.decode(RecipientRecord(v=1, mark_at=at).encode())
    assert record.mark_at == at
