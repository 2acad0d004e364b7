"""A receipt finds the send that it is about, and what it says of it is written down when it is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore import Received, SendState
from otpcore.codes import digest_of
from otpcore.contract import Accepted
from otpcore.effects import Commit, Load, ReadReceipt
from otpcore.flows import Setup, cancel, receipt, resend
from otpcore.ledger.sends import TOLD_KEPT
from otpcore.receipts import DeliveryState
from tests.flows.hearing import (
    BAD,
    GOOD,
    OWNS,
    READS,
    REQUEST,
    SAYS_NOTHING,
    happened,
    hear,
    opened,
    states,
    twice_sent,
    without_states,
)
from tests.flows.script import (
    CORE,
    MINUTE,
    NEW,
    NO_ANSWER,
    NOT_SENT,
    NOW,
    NUMBER,
    OLD,
    OTHER_NUMBER,
    Page,
    entropy,
    setup,
    terms,
)

# --- what is applied -----------------------------------------------------------------------------


@pytest.mark.parametrize("given", [READS, OWNS], ids=["core", "provider"])
@pytest.mark.parametrize("state", [*GOOD, *BAD])
def test_an_end_of_a_live_sessions_send_is_written_down(given: Setup, state: DeliveryState) -> None:
    page = Page()
    opened(page, given)
    before = page.record()
    assert hear(page, happened(state), given=given) == Received(1, 0)
    assert states(page) == [SendState.DELIVERED if state in GOOD else SendState.UNDELIVERED]
    assert without_states(page.record()) == without_states(before)


@pytest.mark.parametrize("state", SAYS_NOTHING)
def test_what_is_no_end_changes_nothing_and_reads_no_record(state: DeliveryState) -> None:
    page = Page()
    opened(page)
    hear(page, happened(DeliveryState.DELIVERED))
    page.asked.clear()
    assert hear(page, happened(state)) == Received(0, 1)
    assert page.requests(Load) == page.requests(Commit) == []
    assert states(page) == [SendState.DELIVERED]


def later_news_overwrites_nothing() -> None:
    """S15: a 'sent' that comes after 'delivered' is no news."""
    page = Page()
    opened(page)
    hear(page, happened(DeliveryState.DELIVERED))
    for state in (*SAYS_NOTHING, *BAD):
        assert hear(page, happened(state, NOW + MINUTE)) == Received(0, 1)
        assert states(page) == [SendState.DELIVERED]


def test_what_has_arrived_has_arrived() -> None:
    later_news_overwrites_nothing()
    page = Page()
    opened(page)
    assert hear(page, happened(DeliveryState.FAILED), happened(DeliveryState.DELIVERED)) == Received(2, 0)
    assert states(page) == [SendState.DELIVERED]


def replays_write_nothing() -> None:
    """S15, H7: of one id, one event is taken; the same news under another id is no news."""
    page = Page()
    opened(page)
    event = happened(DeliveryState.UNDELIVERED)
    assert hear(page, event, event) == Received(1, 0, 1)
    page.asked.clear()
    assert hear(page, event) == Received(0, 0, 1)
    assert page.requests(Commit) == []
    assert hear(page, happened(DeliveryState.UNDELIVERED)) == Received(0, 1)


def test_a_replay_is_refused_and_writes_nothing() -> None:
    replays_write_nothing()


def replayed_after_a_resend(first: DeliveryState) -> None:
    """H7: an event that does not say when it happened is about the newest send: told again, it was not about that."""
    page = Page()
    token = opened(page, OWNS).session.token or ""
    event = happened(DeliveryState.UNDELIVERED, None)
    hear(page, happened(first, None), event, given=OWNS)
    page.now += 2 * MINUTE
    page.run(resend(OWNS, entropy(2), token, NUMBER))
    assert hear(page, event, given=OWNS) == Received(0, 0, 1)
    assert states(page)[-1] is SendState.ACCEPTED


@pytest.mark.parametrize("first", [DeliveryState.SENT, DeliveryState.DELIVERED])
def test_a_replay_is_never_news_of_a_later_send(first: DeliveryState) -> None:
    replayed_after_a_resend(first)


def test_an_event_that_changed_nothing_is_remembered_too() -> None:
    page = Page()
    opened(page)
    event = happened(DeliveryState.FAILED)
    assert hear(page, happened(DeliveryState.DELIVERED), event) == Received(1, 1)
    assert hear(page, event) == Received(0, 0, 1)


def test_the_ids_of_two_vendors_are_two() -> None:
    page = Page()
    both = setup(CORE, reads_receipts=True)
    opened(page, both)
    (send,) = page.record().sends
    hear(page, happened(DeliveryState.DELIVERED, id="EV"))
    (heard,) = page.record().sends
    assert heard.told == (digest_of("receipt", "vendor", "EV"),)
    assert send.told == ()


def test_what_is_remembered_is_bounded_and_does_not_depend_on_the_order() -> None:
    kept: set[tuple[str, ...]] = set()
    events = [happened(DeliveryState.DELIVERED, id=f"EV{each}") for each in range(3 * TOLD_KEPT)]
    for told in (events, events[::-1], events[7:] + events[:7]):
        page = Page()
        opened(page)
        hear(page, *told)
        kept.add(page.record().sends[0].told)
    (only,) = kept
    assert len(only) == TOLD_KEPT


def test_a_send_whose_answer_was_lost_is_told_of_by_its_verification() -> None:
    page = Page(sends=[Accepted("VE1"), NO_ANSWER])
    twice_sent(page)
    assert states(page) == [SendState.ACCEPTED, SendState.UNKNOWN]
    assert hear(page, happened(DeliveryState.DELIVERED, page.now), given=OWNS) == Received(1, 0)
    assert states(page) == [SendState.ACCEPTED, SendState.DELIVERED]


# --- which send ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "place"),
    [
        (NOW, 0),
        (NOW + MINUTE, 0),
        (NOW + 2 * MINUTE - timedelta(seconds=5, milliseconds=1), 0),
        (NOW + 2 * MINUTE - timedelta(seconds=5), 1),
        (NOW + 2 * MINUTE, 1),
        (None, 1),
        (NOW - timedelta(seconds=5), 0),
        (NOW - timedelta(seconds=5, milliseconds=1), None),
        (datetime.max.replace(tzinfo=UTC), 1),
        (datetime.min.replace(tzinfo=UTC), None),
    ],
    ids=str,
)
def test_it_is_the_newest_send_that_was_reserved_by_then(at: datetime | None, place: int | None) -> None:
    page = Page()
    twice_sent(page)
    hear(page, happened(DeliveryState.DELIVERED, at), given=OWNS)
    found = [index for index, state in enumerate(states(page)) if state is SendState.DELIVERED]
    assert found == ([] if place is None else [place])


def test_a_message_of_its_own_for_each_send_is_not_taken_for_a_later_one() -> None:
    """A core-owned code: the first message's receipt says nothing of a second whose answer was lost."""
    page = Page(sends=[Accepted("SM1"), NO_ANSWER])
    twice_sent(page, READS)
    assert hear(page, happened(DeliveryState.DELIVERED, page.now + MINUTE, handle="SM1")) == Received(1, 0)
    assert states(page) == [SendState.DELIVERED, SendState.UNKNOWN]


def test_a_refused_send_has_no_message_to_tell_of() -> None:
    page = Page(sends=[Accepted("VE1"), NOT_SENT])
    twice_sent(page)
    assert hear(page, happened(DeliveryState.DELIVERED, page.now), given=OWNS) == Received(1, 0)
    assert states(page) == [SendState.DELIVERED, SendState.REFUSED]


def test_of_sessions_that_share_a_verification_the_newest_send_of_all_is_meant() -> None:
    page = Page()
    opened(page, OWNS)
    page.now += 2 * MINUTE
    opened(page, OWNS, seed=2)
    hear(page, happened(DeliveryState.DELIVERED, page.now), given=OWNS)
    assert states(page) == [SendState.ACCEPTED, SendState.DELIVERED]


@pytest.mark.parametrize(
    "stranger",
    [
        {"handle": "VE2"},
        {"handle": None},
        {"handle": ""},
        {"recipient": None},
        {"recipient": OTHER_NUMBER},
        {"recipient": "whatsapp:+12025550123"},
        {"recipient": ""},
    ],
    ids=str,
)
def test_what_belongs_to_no_live_session_changes_nothing(stranger: dict[str, Any]) -> None:
    page = Page(sends=[Accepted("VE1"), Accepted(None)])
    opened(page)
    page.now += 2 * MINUTE
    opened(page, seed=2)
    before = dict(page.records)
    assert hear(page, happened(DeliveryState.DELIVERED, **stranger)) == Received(0, 1)
    assert page.records == before


@pytest.mark.parametrize("given", [READS, OWNS], ids=["core", "provider"])
def test_a_session_that_is_over_has_nothing_to_hear(given: Setup) -> None:
    page = Page()
    token = opened(page, given).session.token
    page.run(cancel(given, entropy(2), token or ""))
    before = dict(page.records)
    assert hear(page, happened(DeliveryState.DELIVERED), given=given) == Received(0, 1)
    assert page.records == before


def test_another_providers_handle_of_the_same_name_is_not_meant() -> None:
    page = Page()
    both = Setup(
        tenant="t",
        keyring=READS.keyring,
        profile=READS.profile,
        purposes=READS.purposes,
        providers={name: terms(CORE, name, reads_receipts=True) for name in ("vendor", "other")},
    )
    opened(page, both)
    page.receipts = [(happened(DeliveryState.DELIVERED),)] * 2
    assert page.run(receipt(both, entropy(3), "other", REQUEST)) == Received(0, 1)
    assert page.run(receipt(both, entropy(4), "vendor", REQUEST)) == Received(1, 0)
    assert [one.provider for one in page.requests(ReadReceipt)] == ["other", "vendor"]


def test_a_record_under_an_old_pepper_is_found() -> None:
    """Trap 10: while one is being rotated."""
    page = Page()
    opened(page, setup(CORE, current=OLD))
    rotated = setup(CORE, current=NEW, previous=(OLD,), reads_receipts=True)
    assert hear(page, happened(DeliveryState.DELIVERED), given=rotated) == Received(1, 0)
    assert states(page) == [SendState.DELIVERED]


def test_a_sends_state_is_all_that_is_exchanged() -> None:
    page = Page()
    twice_sent(page)
    before = page.record().sends
    hear(page, happened(DeliveryState.DELIVERED, NOW), given=OWNS)
    after = page.record().sends
    assert after == (before[0].but(state=SendState.DELIVERED, told=after[0].told), before[1])
