"""Every attempt is recorded with provider, outcome, time and cost, while its session lives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from otpcore import ByRecipient, Refused, SendState, Sent
from otpcore.contract import Accepted, CodeOwner, FailureKind, Money
from otpcore.effects import Effect, SendCode
from otpcore.flows import Setup, cancel, check, forget, resend, start
from otpcore.model import RecipientRecord
from otpcore.policy import DEFAULT
from otpcore.stored import milliseconds
from tests.flows.legs import CALL, LOST, SMS, TRANSIENT, on_unknown, several
from tests.flows.script import CORE, NOW, NUMBER, PROVIDER, Page, entropy, losing

FREE = replace(DEFAULT, ladder=())
SECOND = timedelta(seconds=1)
THERE = ByRecipient(NUMBER, "login")
COST = Money(Decimal("0.0075"), "EUR")
PRICED, SAID = Accepted("VE1", cost=COST), ("", False, "0.0075 EUR")
ANSWERS = pytest.mark.parametrize("answer", [PRICED, LOST, TRANSIENT], ids=["priced", "lost", "refused"])
OWNERS = pytest.mark.parametrize("owner", list(CodeOwner))


def recorded(record: RecipientRecord) -> list[list[tuple[Any, ...]]]:
    """Of each send, who was asked, how, when, and what they said."""
    return [
        [(one.provider, one.channel, one.at_ms, one.kind, one.unknown, one.cost) for one in send.attempts]
        for send in record.sends
    ]


def begun(page: Page, given: Setup, seed: int = 1, **asked: Any) -> Any:
    return page.run(start(given, entropy(seed), NUMBER, by_recipient=True, **asked))


@OWNERS
@pytest.mark.parametrize(
    ("answer", "said"),
    [(PRICED, SAID), (LOST, ("timeout", True, ""))],
    ids=["priced", "lost"],
)
def test_one_leg_is_recorded_where_its_answer_says_more_than_yes(
    owner: CodeOwner, answer: Any, said: tuple[Any, ...]
) -> None:
    """The time is that of the answer."""
    page = Page(sends=[answer])
    page.race = lambda effect: setattr(page, "now", NOW + SECOND) if isinstance(effect, SendCode) else None
    assert isinstance(begun(page, several(owner)), Sent)
    assert recorded(page.record()) == [[("a", SMS, milliseconds(NOW + SECOND), *said)]]


@OWNERS
def test_a_refused_resend_is_recorded_beside_what_was_sent(owner: CodeOwner) -> None:
    page, given = Page(), several(owner, profile=FREE)
    begun(page, given)
    page.now += SECOND
    page.sends = [TRANSIENT]
    assert isinstance(page.run(resend(given, entropy(2), THERE)), Refused)
    record = page.record()
    assert [send.state for send in record.sends] == [SendState.ACCEPTED, SendState.REFUSED]
    assert recorded(record) == [[], [("a", SMS, milliseconds(page.now), "transient", False, "")]]


def test_a_plain_yes_is_what_the_record_says_anyway() -> None:
    """Row 9 of the performance page: provider, channel, state and time stand in session and send."""
    page, given = Page(), several()
    begun(page, given)
    record = page.record()
    assert recorded(record) == [[]]
    (session,), (send,) = record.sessions, record.sends
    assert (session.provider, session.channel, send.state, send.at) == ("a", SMS, SendState.ACCEPTED, NOW)


@pytest.mark.parametrize("change", ["provider", "channel", "failover"])
def test_what_the_session_does_not_say_any_more_is_recorded_of_the_sends_before(change: str) -> None:
    page, given = Page(), several(profile=FREE, routing=on_unknown("a", "b"))
    begun(page, given)
    page.now += SECOND
    if change == "failover":
        page.sends = [TRANSIENT]
    there = several(CORE, CORE, profile=FREE, names="ba") if change == "provider" else given
    if change == "provider":
        there = replace(there, providers={"b": there.providers["b"]})
    page.run(resend(there, entropy(2), THERE, channel=CALL if change == "channel" else SMS))
    first, second = recorded(page.record())
    assert first == [("a", SMS, milliseconds(NOW), "", False, "")]
    later = milliseconds(page.now)
    assert second == (
        [("a", SMS, later, "transient", False, ""), ("b", SMS, later, "", False, "")] if change == "failover" else []
    )
    session = page.record().sessions[0]
    assert (session.provider, session.channel) == (
        "a" if change == "channel" else "b",
        CALL if change == "channel" else SMS,
    )


@ANSWERS
@OWNERS
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [1, 2])
def test_a_lost_answer_to_a_commit_records_it_once(place: int, applied: bool, owner: CodeOwner, answer: Any) -> None:
    page, whole = Page(sends=[answer]), Page(sends=[answer])
    begun(whole, several(owner))
    page.fault = losing(page, place, applied=applied)
    begun(page, several(owner))
    assert recorded(page.record()) == recorded(whole.record())
    assert len(page.requests(SendCode)) == 1


@ANSWERS
@OWNERS
def test_nothing_of_it_outlives_the_session(owner: CodeOwner, answer: Any) -> None:
    """Row 9: an ended session takes no more room for it."""
    page, given = Page(sends=[answer]), several(owner)
    begun(page, given)
    page.run(cancel(given, entropy(2), THERE))
    (stored,) = page.records.values()
    assert b"attempts" not in stored.data
    assert b"sms" not in stored.data


@ANSWERS
def test_nothing_is_recorded_of_a_session_that_is_over_before_its_answer(answer: Any) -> None:
    page, given = Page(sends=[answer]), several()

    def race(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            page.race = None
            page.run(cancel(given, entropy(9), THERE))

    page.race = race
    begun(page, given)
    assert recorded(page.record()) == [[]]


def test_forgetting_forgets_it() -> None:
    page, given = Page(sends=[PRICED]), several()
    begun(page, given)
    page.run(forget(given, entropy(2), NUMBER))
    assert recorded(page.record()) == [[]]


def test_a_recorded_attempt_stands_in_nobodys_way() -> None:
    """A verification whose answer was lost is resent, checked and found as before."""
    page, given = Page(sends=[LOST]), several(PROVIDER, PROVIDER, profile=FREE)
    begun(page, given)
    page.now += SECOND
    assert isinstance(page.run(resend(given, entropy(2), THERE)), Sent)
    assert [each.provider for each in page.requests(SendCode)] == ["a", "a"]
    assert [one[0][3] for one in recorded(page.record()) if one] == [FailureKind.TIMEOUT]
    page.run(check(given, entropy(3), THERE, "123456"))
    assert len(page.record().handles) == 1
