"""Messages that a provider sends by itself count with the send that brought them, from the beginning."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otpcore import ByRecipient, Refused, Sent, Wait, WaitReason
from otpcore.effects import Commit, SendCode
from otpcore.flows import Setup, cancel, resend, start
from otpcore.model import RecipientRecord, Send
from otpcore.policy import DAY, DEFAULT, Profile, decide_send, has_room
from tests.flows.legs import LOST, TRANSIENT, on_unknown, several
from tests.flows.script import CORE, NOW, NUMBER, PROVIDER, Page, entropy, losing

FREE = replace(DEFAULT, ladder=())
HOUR = timedelta(hours=1)


def adding(*extras: int, profile: Profile = FREE, routing: Any = None, owner: Any = CORE) -> Setup:
    """Providers a, b, … that may send so many messages by themselves."""
    given = several(*[owner] * len(extras), profile=profile, routing=routing)
    providers = {
        name: replace(terms, capabilities=replace(terms.capabilities, extra_sends=extra, limit=None))
        for extra, (name, terms) in zip(extras, given.providers.items(), strict=True)
    }
    return replace(given, providers=providers)


def begun(page: Page, given: Setup, seed: int = 1, **asked: Any) -> Any:
    result = page.run(start(given, entropy(seed), NUMBER, **asked))
    if isinstance(result, Sent) and result.session.token:
        page.run(cancel(given, entropy(seed + 100), result.session.token))
    return result


def sends_in_a_day(extra: int) -> int:
    """How many starts of a day send."""
    page, given, sent = Page(), adding(extra), 0
    for seed in range(1, 12):
        sent += isinstance(begun(page, given, seed), Sent)
        page.now += HOUR
    return sent


@pytest.mark.parametrize(("extra", "sends"), [(0, 10), (1, 5), (2, 3), (4, 2), (9, 1)])
def test_a_day_holds_as_many_sends_as_their_messages_fit(extra: int, sends: int) -> None:
    """Invariant 2: at most ten messages in any 24 hours."""
    assert sends_in_a_day(extra) == sends


def test_when_there_is_room_again_all_of_a_sends_messages_leave_together() -> None:
    page, given = Page(), adding(2)
    for seed in range(1, 4):
        assert isinstance(begun(page, given, seed), Sent)
        page.now += HOUR
    wait = begun(page, given, 4)
    assert isinstance(wait, Wait)
    assert (wait.reason, wait.until) == (WaitReason.DAILY_CAP, NOW + DAY)
    page.now = wait.until
    assert isinstance(begun(page, given, 5), Sent)


def test_a_refund_gives_all_of_them_back() -> None:
    page, given = Page(sends=[TRANSIENT]), adding(4)
    assert isinstance(begun(page, given, 1), Refused)
    assert isinstance(begun(page, given, 2), Sent)
    assert isinstance(begun(page, given, 3), Sent)
    assert isinstance(begun(page, given, 4), Wait)


def test_the_answer_says_when_the_next_ones_fit() -> None:
    page, given = Page(), adding(4)
    assert isinstance(page.run(start(given, entropy(1), NUMBER)), Sent)
    page.now += HOUR
    result = page.run(start(given, entropy(2), NUMBER))
    assert isinstance(result, Sent)
    assert result.next.resend_at == NOW + DAY


def test_what_is_kept_of_a_send_keeps_its_messages() -> None:
    page, given = Page(), adding(2)
    begun(page, given)
    (send,) = page.record().sends
    assert (send.id, send.extra) == ("", 2)
    assert RecipientRecord.decode(page.record().encode()) == page.record()


def test_a_move_takes_the_places_that_the_next_provider_needs() -> None:
    page, given = Page(sends=[TRANSIENT]), adding(0, 3)
    begun(page, given)
    assert page.record().sends[0].extra == 3


def test_a_move_for_which_there_is_no_room_is_not_made() -> None:
    page, given = Page(), adding(0, 5)
    for seed in range(1, 7):
        begun(page, given, seed)
        page.now += HOUR
    page.sends = [TRANSIENT]
    assert isinstance(begun(page, given, 8), Refused)
    assert {each.provider for each in page.requests(SendCode)} == {"a"}


def test_after_a_lost_answer_the_messages_of_both_may_be_out() -> None:
    page, given = Page(sends=[LOST]), adding(2, 3, routing=on_unknown("a", "b"))
    begun(page, given)
    assert page.record().sends[0].extra == 6  # a's and its 2, b's and its 3


def test_a_day_of_lost_answers_holds_ten_messages_however_many_providers_are_asked() -> None:
    """Invariant 2: a code that may have gone out twice has taken two places."""
    page, given = Page(), adding(0, 0, 0, routing=on_unknown("a", "b", "c"))
    for seed in range(1, 14):
        page.sends = [LOST, LOST, LOST]
        begun(page, given, seed)
        page.now += HOUR
    assert len(page.requests(SendCode)) == DEFAULT.daily_cap


def test_a_source_has_its_half_of_a_day_of_lost_answers() -> None:
    """Trap 5: what may have gone out twice counts twice for whoever asked, and somebody else still gets a code."""
    page, given = Page(), adding(0, 0, 0, routing=on_unknown("a", "b", "c"))
    for seed in range(1, 8):
        page.sends = [LOST, LOST, LOST]
        begun(page, given, seed, source="203.0.113.9")
        page.now += HOUR
    assert len(page.requests(SendCode)) == DEFAULT.daily_cap // 2
    page.sends = []
    assert isinstance(begun(page, given, 9, source="198.51.100.1"), Sent)


@pytest.mark.parametrize(("source", "goes_on"), [("", True), ("203.0.113.9", False)])
def test_what_the_next_provider_adds_has_to_fit_into_the_sources_half(source: str, goes_on: bool) -> None:
    page, given = Page(), adding(0, 4)
    begun(page, given, 1, source=source)
    page.now += HOUR
    page.sends = [TRANSIENT]
    begun(page, given, 2, source=source)
    assert [each.provider for each in page.requests(SendCode)] == ["a", "a", *["b"] * goes_on]


def test_a_lost_answer_to_the_move_counts_them_once() -> None:
    page, given = Page(sends=[LOST]), adding(2, 3, routing=on_unknown("a", "b"))
    page.fault = losing(page, 2, applied=True)
    begun(page, given)
    assert page.record().sends[0].extra == 6  # a's and its 2, b's and its 3
    assert sum(isinstance(effect, Commit) for effect in page.asked) == 4  # each is made once


def test_a_move_gives_back_what_its_own_provider_would_have_added() -> None:
    """Another send of the session moved it to one that adds more: less than nothing could no longer be read."""
    page, given, session = Page(), adding(1, 0, 2), ByRecipient(NUMBER, "login")
    page.run(start(given, entropy(1), NUMBER, by_recipient=True))
    held = resend(given, entropy(2), session)
    effect = next(held)
    while not isinstance(effect, SendCode):
        effect = held.send(page.perform(effect))
    elsewhere = replace(given, providers={"c": given.providers["c"]})
    page.run(resend(elsewhere, entropy(3), session))
    page.finish(held, held.send(TRANSIENT))
    page.run(cancel(given, entropy(4), session))
    assert [send.extra for send in page.record().sends] == [1, 0, 2]


def test_a_verification_counts_them_as_well() -> None:
    page, given = Page(), adding(4, owner=PROVIDER)
    begun(page, given)
    assert page.record().sends[0].extra == 4


# --- the decision ------------------------------------------------------------------------------


def test_a_source_has_its_half_of_the_messages() -> None:
    """Trap 5; and one send always."""
    mine = Send(at=NOW, source="mine", extra=2)
    record = RecipientRecord(sends=(mine,))
    assert decide_send(record, FREE, now=NOW, source="theirs", messages=3) is None
    held = decide_send(record, FREE, now=NOW, source="mine", messages=3)
    assert held is not None
    assert decide_send(RecipientRecord(), FREE, now=NOW, source="mine", messages=9) is None


@pytest.mark.parametrize(("messages", "fits"), [(5, True), (6, False)])
def test_room_is_counted_in_messages(messages: int, fits: bool) -> None:
    sends = (Send(at=NOW, extra=2), Send(at=NOW, extra=1), Send(at=NOW, extra=9, refunded=True))
    old = Send(at=NOW - DAY, extra=9)
    assert has_room(RecipientRecord(sends=(old, *sends)), FREE, messages, now=NOW) is fits
    assert (decide_send(RecipientRecord(sends=(old, *sends)), FREE, now=NOW, messages=messages) is None) is fits
