"""Resend records of the legacy facade: one for a pair, each send counted once, whatever the store answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from otpcore.codes import counter_id
from otpcore.effects import Commit, Effect, Load, Tell
from otpcore.errors import Busy, CommitUnknown, StoreFormatError
from otpcore.flows import counting
from otpcore.flows.transact import ATTEMPTS, Snapshot
from otpcore.ledger import count_send, waits_until
from otpcore.model import Counter, Ladder, RecipientRecord
from otpcore.policy import DEFAULT
from tests.flows.script import MINUTE, NOW, Page, entropy, losing, setup

GIVEN = setup()
PAIR = ("unique", "user")
IDENTITY = counter_id(*PAIR)
DAY = timedelta(days=1)


def opened(page: Page, seed: int = 1, recipient: str = "") -> Snapshot:
    seen: Snapshot = page.run(counting.open_counter(GIVEN, entropy(seed), *PAIR, recipient=recipient))
    return seen


def counted(page: Page, seed: int = 2) -> RecipientRecord:
    seen: Snapshot = page.run(counting.count_one(GIVEN, entropy(seed), *PAIR))
    return seen.record


def deleted(page: Page, identity: int = IDENTITY, seed: int = 9) -> bool:
    gone: bool = page.run(counting.delete_counter(GIVEN, entropy(seed), identity))
    return gone


def looked(page: Page, identity: int = IDENTITY) -> Any:
    return page.run(counting.look_at(GIVEN, identity))


# --- one record ----------------------------------------------------------------------------------


def test_an_id_is_a_positive_number_of_63_bits_and_always_the_same() -> None:
    found = {counter_id(f"u{each}", "v") for each in range(10_000)}
    assert len(found) == 10_000
    assert all(0 < each < 2**63 for each in found)
    assert counter_id("u1", "v") in found
    assert counter_id("ab", "c") != counter_id("a", "bc")


def test_a_pair_has_one_record_and_the_second_look_writes_nothing() -> None:
    page = Page()
    first = opened(page)
    page.asked.clear()
    page.now += MINUTE
    second = opened(page, seed=2)
    assert page.requests(Commit) == []
    assert first.record.counter == second.record.counter
    assert first.record.counter == Counter(unique_id="unique", user_id="user", created_at=NOW)
    assert [*page.records] == [counting.counter_key(GIVEN, IDENTITY)]


def racing(page: Page, act: Callable[[], object]) -> None:
    def race(effect: Effect) -> None:
        if isinstance(effect, Load):
            page.race = None
            act()

    page.race = race


def test_two_that_open_at_once_have_one_record() -> None:
    page = Page()
    racing(page, lambda: counted(page, seed=5))
    seen = opened(page)
    assert len(page.records) == 1
    assert seen.record.ladder.count == 1


def test_two_that_count_at_once_count_two() -> None:
    page = Page()
    opened(page)
    racing(page, lambda: counted(page, seed=5))
    assert counted(page, seed=6).ladder.count == 2


def test_another_pair_with_the_same_id_is_refused_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page()
    opened(page)

    def always(_unique: str, _user: str) -> int:
        return IDENTITY

    monkeypatch.setattr(counting, "counter_id", always)
    with pytest.raises(StoreFormatError, match="one id"):
        page.run(counting.count_one(GIVEN, entropy(3), "unique", "another"))
    assert page.record().ladder == Ladder()


def test_a_record_that_nobody_named_a_number_for_takes_the_first_and_keeps_it() -> None:
    page = Page()
    opened(page)
    for seed, recipient in ((2, "first"), (3, "second"), (4, "")):
        opened(page, seed, recipient)
    counter = page.record().counter
    assert counter is not None
    assert counter.recipient == "first"


# --- a lost answer -------------------------------------------------------------------------------


def counts_once(*, applied: bool) -> None:
    page = Page()
    opened(page)
    page.fault = losing(page, 1, applied=applied)
    assert counted(page).ladder.count == 1
    assert page.record().ladder.count == 1


@pytest.mark.parametrize("applied", [True, False])
def test_a_send_is_counted_once_although_the_answer_was_lost(applied: bool) -> None:
    counts_once(applied=applied)


@pytest.mark.parametrize("applied", [True, False])
def test_a_record_is_deleted_although_the_answer_was_lost(applied: bool) -> None:
    page = Page()
    opened(page)
    page.fault = losing(page, 1, applied=applied)
    assert deleted(page)
    assert page.records == {}


def test_a_store_that_answers_no_deletion_leaves_it_unknown() -> None:
    page = Page()
    opened(page)

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit):
            raise CommitUnknown

    page.fault = fault
    with pytest.raises(CommitUnknown):
        deleted(page)


def test_a_deletion_that_loses_every_race_gives_up() -> None:
    page = Page()
    opened(page)
    seeds = iter(range(100, 100 + 2 * ATTEMPTS))

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit) and effect.data is None:
            page.fault = None
            counted(page, seed=next(seeds))
            page.fault = fault

    page.fault = fault
    with pytest.raises(Busy):
        deleted(page)


# --- gone, and led to ----------------------------------------------------------------------------


def test_what_is_not_there_is_not_deleted_and_not_changed() -> None:
    page = Page()
    assert not deleted(page)
    assert looked(page) is None
    assert page.run(counting.change_counter(GIVEN, entropy(3), IDENTITY, lambda record, _: record)) is None
    assert page.records == {}


def test_a_send_of_a_record_that_was_deleted_is_counted_all_the_same() -> None:
    page = Page()
    opened(page)
    assert deleted(page)
    assert counted(page).ladder == Ladder(count=1, next_at=NOW + 2 * MINUTE)


def test_an_id_of_an_imported_table_leads_to_the_record_and_deletes_it() -> None:
    page = Page()
    opened(page)
    leading: bool = page.run(counting.lead_to_counter(GIVEN, 17, IDENTITY, NOW + DAY))
    again: bool = page.run(counting.lead_to_counter(GIVEN, 17, IDENTITY, NOW + DAY))
    assert (leading, again) == (True, False)
    assert looked(page, 17).record.counter.unique_id == "unique"
    assert deleted(page, 17)
    assert looked(page, 17) is None
    assert looked(page) is None


def test_what_is_counted_and_deleted_is_told_under_the_numbers_pseudonym() -> None:
    page = Page()
    opened(page, recipient="pseudonym")
    counted(page)
    deleted(page)
    told = [event for tell in page.requests(Tell) for event in tell.events()]
    assert [(each.name, each.recipient_key, each.detail) for each in told] == [
        ("counter.count", "pseudonym", {"count": "1"}),
        ("counter.delete", "pseudonym", {"count": "1"}),
    ]


# --- the ladder ----------------------------------------------------------------------------------


def after(*sends: timedelta) -> list[tuple[int, timedelta]]:
    """Count and wait after each of these sends, at these times after the first."""
    record, found = RecipientRecord(), list[tuple[int, timedelta]]()
    for place, at in enumerate(sends):
        record = count_send(record, DEFAULT, now=NOW + at, send=str(place))
        assert record.ladder.next_at is not None
        found.append((record.ladder.count, record.ladder.next_at - NOW - at))
    return found


def test_the_fifth_send_is_the_first_of_a_new_cycle() -> None:
    """LEGACY.md: 2 min, 5 min, 15 min, 24 h, and then 2 min with a real expiry."""
    waits = [2 * MINUTE, 5 * MINUTE, 15 * MINUTE, DAY, 2 * MINUTE]
    moment, sends = timedelta(milliseconds=1), [timedelta(0)]
    for wait in waits[:-1]:
        sends.append(sends[-1] + wait + moment)
    assert after(*sends) == [*zip([1, 2, 3, 4, 1], waits, strict=True)]


def no_new_cycle_while_the_last_wait_runs() -> None:
    """Sends that nobody checked for first: the 24 hours begin again, and are never shortened."""
    sends = [timedelta(seconds=each) for each in range(8)]
    assert after(*sends)[3:] == [(4, DAY)] * 5


def test_no_new_cycle_begins_while_the_last_wait_runs() -> None:
    no_new_cycle_while_the_last_wait_runs()


def test_a_wait_is_never_shortened() -> None:
    long = RecipientRecord(ladder=Ladder(count=1, next_at=NOW + DAY))
    assert count_send(long, DEFAULT, now=NOW, send="x").ladder == Ladder(count=2, next_at=NOW + DAY)


def test_a_wait_includes_its_last_instant() -> None:
    record = count_send(RecipientRecord(), DEFAULT, now=NOW, send="x")
    end = NOW + 2 * MINUTE
    assert waits_until(record, now=end) == end
    assert waits_until(record, now=end + timedelta(milliseconds=1)) is None
