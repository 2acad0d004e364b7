"""A message that did not arrive is followed by a new code through the next provider, once, and only where it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, Received, SendState, Wrong
from otpcore.codes import Keyring, Keys
from otpcore.contract import Accepted
from otpcore.effects import AskGuards, ChooseRoute, Commit, Effect, Load, SendCode
from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.events import Guard, Verdict
from otpcore.flows import cancel, check, forget, resend, start
from otpcore.ledger import end
from otpcore.machine import SessionEvent
from otpcore.model import RecipientRecord, SessionStatus
from otpcore.phone import RegionPolicy
from otpcore.policy import DEFAULT
from otpcore.receipts import DeliveryState
from otpcore.routing import Leg
from tests.flows.hearing import BAD, GOOD, SAYS_NOTHING
from tests.flows.legs import LOST, TRANSIENT
from tests.flows.script import MINUTE, NEW, NOW, NUMBER, OLD, OTHER_NUMBER, Page, entropy, losing
from tests.flows.undelivered import WITHIN, asked_of, begun, codes, following, lost, named, names, reasons, tell

GIVEN = following()


def followed(page: Page, state: DeliveryState = DeliveryState.UNDELIVERED, **asked: Any) -> str:
    """A life up to the second provider's message; the session's token."""
    token = begun(page, GIVEN, **asked).session.token or ""
    assert tell(page, GIVEN, "a", lost("A1", state)) == Received(1, 0, 0, 1)
    return token


# --- what is done --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", BAD)
def test_a_bad_end_is_followed_by_a_new_code_through_the_next_provider(state: DeliveryState) -> None:
    page = named()
    token = followed(page, state)
    assert asked_of(page) == ["a", "b"]
    first, second = codes(page)
    assert first != second
    assert page.requests(SendCode)[1].request.recipient == NUMBER
    record = page.record()
    assert [send.state for send in record.sends] == [SendState.UNDELIVERED, SendState.ACCEPTED]
    assert [one.kind for one in record.sends[1].attempts] == [state.value, ""]
    assert (record.sessions[0].provider, record.sessions[0].handle) == ("b", "B1")
    assert isinstance(page.run(check(GIVEN, entropy(9), token, first)), Wrong)
    assert isinstance(page.run(check(GIVEN, entropy(10), token, second)), Approved)


def one_place_and_no_step() -> None:
    """One budget: no step of the ladder, one place under the daily cap."""
    page = named()
    begun(page, GIVEN)
    before = page.record()
    tell(page, GIVEN, "a", lost("A1"))
    after = page.record()
    assert after.ladder == before.ladder
    assert [send.refunded for send in after.sends] == [False, False]


def test_it_takes_a_place_under_the_cap_and_no_step() -> None:
    one_place_and_no_step()


def capped() -> None:
    """The cap holds what a vendor's word brings too."""
    page, given = named(), following(profile=replace(DEFAULT, daily_cap=1))
    begun(page, given)
    assert tell(page, given, "a", lost("A1")) == Received(1, 0)
    assert asked_of(page) == ["a"]
    assert reasons(page) == ["daily cap"]
    page, given = named(), following(profile=replace(DEFAULT, daily_cap=2))
    begun(page, given)
    tell(page, given, "a", lost("A1"))
    assert tell(page, given, "b", lost("B1")) == Received(1, 0)
    assert asked_of(page) == ["a", "b"]


def test_a_full_daily_cap_means_no_failover() -> None:
    capped()


def test_a_sources_share_of_the_cap_is_kept() -> None:
    page, given = named(), following(profile=replace(DEFAULT, daily_cap=4))
    begun(page, given, source="192.0.2.7")
    tell(page, given, "a", lost("A1"))
    assert tell(page, given, "b", lost("B1")) == Received(1, 0)
    assert asked_of(page) == ["a", "b"]
    assert len({send.source for send in page.record().sends}) == 1


def test_it_goes_on_from_provider_to_provider_and_no_further_than_one_send_may() -> None:
    page = named()
    followed(page)
    assert tell(page, GIVEN, "b", lost("B1", DeliveryState.FAILED)).failed_over == 1
    assert tell(page, GIVEN, "c", lost("C1")) == Received(1, 0)
    assert asked_of(page) == ["a", "b", "c"]
    assert reasons(page) == ["no provider left"]
    assert [one.provider for one in page.record().sends[-1].attempts] == ["a", "b", "c"]


def test_a_rules_bound_on_legs_counts_all_of_them() -> None:
    page, given = named(), following(max_legs=2)
    begun(page, given)
    tell(page, given, "a", lost("A1"))
    assert tell(page, given, "b", lost("B1")) == Received(1, 0)
    assert asked_of(page) == ["a", "b"]
    page = Page(sends=[TRANSIENT, Accepted("B1")])
    begun(page, given)
    assert tell(page, given, "b", lost("B1")) == Received(1, 0)
    assert asked_of(page) == ["a", "b"]


def test_a_provider_that_failed_in_whatever_way_is_not_asked_again() -> None:
    page = Page(sends=[TRANSIENT, Accepted("B1"), Accepted("C1")])
    begun(page, GIVEN)
    assert tell(page, GIVEN, "b", lost("B1")) == Received(1, 0, 0, 1)
    assert asked_of(page) == ["a", "b", "c"]


def test_where_the_next_one_refuses_the_one_after_it_is_asked() -> None:
    page = Page(sends=[Accepted("A1"), TRANSIENT, Accepted("C1")])
    begun(page, GIVEN)
    assert tell(page, GIVEN, "a", lost("A1")) == Received(1, 0, 0, 1)
    assert asked_of(page) == ["a", "b", "c"]
    assert len(page.record().sends) == 2
    assert len(set(codes(page)[1:])) == 1


def test_a_certain_refusal_gives_the_place_back_and_leaves_the_first_code() -> None:
    """Invariants 1 and 7."""
    page = Page(sends=[Accepted("A1"), TRANSIENT, TRANSIENT])
    token = begun(page, GIVEN).session.token or ""
    before = page.record().ladder
    assert tell(page, GIVEN, "a", lost("A1")) == Received(1, 0)
    record = page.record()
    assert [(send.state, send.refunded) for send in record.sends] == [
        (SendState.UNDELIVERED, False),
        (SendState.REFUSED, True),
    ]
    assert record.ladder == before
    assert isinstance(page.run(check(GIVEN, entropy(9), token, codes(page)[0])), Approved)


def test_until_the_next_message_is_accepted_both_codes_match_as_one_try() -> None:
    """Invariant 7."""
    for place in (0, 1):
        page = Page(sends=[Accepted("A1"), LOST])
        token = begun(page, GIVEN).session.token or ""
        tell(page, GIVEN, "a", lost("A1"))
        assert isinstance(page.run(check(GIVEN, entropy(8), token, "000000")), Wrong)
        assert len(page.record().checks) == 1
        assert isinstance(page.run(check(GIVEN, entropy(9), token, codes(page)[place])), Approved)


def test_the_token_is_still_needed() -> None:
    page = named()
    token = followed(page)
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert type(page.run(check(GIVEN, entropy(9), other, codes(page)[1]))).__name__ == "NotFound"


def test_the_words_are_those_of_the_first_message() -> None:
    page = named()
    followed(page, locale="fr-CM")
    assert [effect.request.locale for effect in page.requests(SendCode)] == ["fr-CM", "fr-CM"]


def test_a_resend_after_it_is_one_as_ever() -> None:
    page = named()
    token = followed(page)
    page.now += 2 * MINUTE
    page.run(resend(GIVEN, entropy(2), token, NUMBER))
    assert len(page.record().sends) == 3
    assert page.record().ladder.count == 2
    assert isinstance(page.run(check(GIVEN, entropy(9), token, codes(page)[-1])), Approved)


# --- the order of things -------------------------------------------------------------------------


def written_before() -> None:
    """Invariant 1: the provider is called when the store has the new send."""
    page, seen = named(), list[Any]()

    def look(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            record = page.record()
            seen.append(([send.state for send in record.sends], record.sessions[0].provider))

    begun(page, GIVEN)
    page.fault = look
    tell(page, GIVEN, "a", lost("A1"))
    assert seen == [([SendState.UNDELIVERED, SendState.RESERVED], "b")]


def test_it_is_in_the_store_before_the_provider_is_called() -> None:
    written_before()


@pytest.mark.parametrize("error", [StoreUnavailable, CommitUnknown])
def test_what_is_not_written_is_not_sent(error: type[Exception]) -> None:
    """Invariant 13."""
    page, commits = named(), 0
    begun(page, GIVEN)

    def fault(effect: Effect) -> None:
        nonlocal commits
        commits += isinstance(effect, Commit)
        if isinstance(effect, Commit) and commits > 1:
            raise error

    page.fault = fault
    with pytest.raises(error):
        tell(page, GIVEN, "a", lost("A1"))
    assert asked_of(page) == ["a"]


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [2, 3])
def test_a_lost_answer_to_a_commit_sends_once(place: int, applied: bool) -> None:
    """Trap 3."""
    page = named()
    token = begun(page, GIVEN).session.token or ""
    page.fault = losing(page, place, applied=applied)
    assert tell(page, GIVEN, "a", lost("A1")) == Received(1, 0, 0, 1)
    assert asked_of(page) == ["a", "b"]
    assert len(page.record().sends) == 2
    assert isinstance(page.run(check(GIVEN, entropy(9), token, codes(page)[1])), Approved)


def test_a_crash_before_the_settlement_is_settled_by_the_lease() -> None:
    page = named()
    begun(page, GIVEN)

    def crash(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            raise KeyboardInterrupt

    page.fault = crash
    with pytest.raises(KeyboardInterrupt):
        tell(page, GIVEN, "a", lost("A1"))
    page.fault = None
    assert [send.state for send in page.record().sends] == [SendState.UNDELIVERED, SendState.RESERVED]
    page.now += GIVEN.lease
    assert tell(page, GIVEN, "a", lost("A1")) == Received(0, 1)
    assert asked_of(page) == ["a", "b"]


# --- once ----------------------------------------------------------------------------------------


def replays_send_nothing() -> None:
    """H7: whoever replays a genuine receipt makes nobody send."""
    page, event = named(), lost("A1")
    begun(page, GIVEN)
    assert tell(page, GIVEN, "a", event, event) == Received(1, 0, 1, 1)
    assert tell(page, GIVEN, "a", event) == Received(0, 0, 1)
    assert asked_of(page) == ["a", "b"]


def test_a_replay_sends_nothing() -> None:
    replays_send_nothing()


def told_twice() -> None:
    """The same news under other ids, and in other words, is no news."""
    page = named()
    begun(page, GIVEN)
    for state in (*BAD, *BAD):
        tell(page, GIVEN, "a", lost("A1", state))
    assert asked_of(page) == ["a", "b"]


def test_the_same_news_under_another_id_sends_nothing() -> None:
    told_twice()


def rivals() -> None:
    """Two receipts at once: one commit of the news wins, and who lost follows nothing."""
    page, rival = named(), list[Any]()
    begun(page, GIVEN)

    def race(effect: Effect) -> None:
        if isinstance(effect, Load):
            page.race = None
            rival.append(tell(page, GIVEN, "a", lost("A1")))

    page.race = race
    assert tell(page, GIVEN, "a", lost("A1")) == Received(0, 1)
    assert rival == [Received(1, 0, 0, 1)]
    assert asked_of(page) == ["a", "b"]


def test_of_two_receipts_at_once_one_is_followed() -> None:
    rivals()


def resent_meanwhile() -> None:
    """A person was faster, between the news and the reservation: theirs is the newest send."""
    page = named()
    token = begun(page, GIVEN).session.token or ""
    page.now += 2 * MINUTE

    def race(effect: Effect) -> None:
        if isinstance(effect, AskGuards):
            page.race = None
            page.run(resend(GIVEN, entropy(2), token, NUMBER))

    page.race = race
    assert tell(page, GIVEN, "a", lost("A1")) == Received(1, 0)
    assert len(page.record().sends) == 2
    assert reasons(page) == ["not the newest send"]


def test_what_a_person_resent_is_not_followed() -> None:
    resent_meanwhile()
    page = named()
    token = begun(page, GIVEN).session.token or ""
    page.now += 2 * MINUTE
    page.run(resend(GIVEN, entropy(2), token, NUMBER))
    tell(page, GIVEN, "a", lost("A1"))
    assert len(page.record().sends) == 2


@pytest.mark.parametrize("ends", ["check", "cancel", "forget"])
@pytest.mark.parametrize("when", [Load, AskGuards])
def test_what_is_over_is_not_followed(ends: str, when: type[Effect]) -> None:
    page = named()
    token = begun(page, GIVEN).session.token or ""
    flows: dict[str, Callable[[], Any]] = {
        "check": lambda: check(GIVEN, entropy(2), token, codes(page)[0]),
        "cancel": lambda: cancel(GIVEN, entropy(2), token),
        "forget": lambda: forget(GIVEN, entropy(2), NUMBER),
    }

    def race(effect: Effect) -> None:
        if isinstance(effect, when):
            page.race = None
            page.run(flows[ends]())

    page.race = race
    tell(page, GIVEN, "a", lost("A1"))
    assert asked_of(page) == ["a"]
    assert all(session.status is not SessionStatus.PENDING for session in page.record().sessions)


def test_what_arrived_after_all_is_not_followed() -> None:
    page = named()
    begun(page, GIVEN)

    def race(effect: Effect) -> None:
        if isinstance(effect, AskGuards):
            page.race = None
            tell(page, GIVEN, "a", lost("A1", DeliveryState.DELIVERED))

    page.race = race
    tell(page, GIVEN, "a", lost("A1"))
    assert asked_of(page) == ["a"]
    assert reasons(page) == ["arrived after all"]


def test_what_is_told_late_of_the_first_message_is_still_written_down() -> None:
    """S15: the first message's state does not depend on the order, though another followed it."""
    page = named()
    followed(page)
    assert tell(page, GIVEN, "a", lost("A1", DeliveryState.DELIVERED)) == Received(1, 0)
    assert [send.state for send in page.record().sends] == [SendState.DELIVERED, SendState.ACCEPTED]
    assert tell(page, GIVEN, "b", lost("B1", DeliveryState.READ)) == Received(1, 0)
    assert [send.state for send in page.record().sends] == [SendState.DELIVERED, SendState.DELIVERED]
    assert asked_of(page) == ["a", "b"]


def test_a_handle_of_the_same_name_at_another_provider_is_anothers() -> None:
    page = Page()
    begun(page, GIVEN)
    assert tell(page, GIVEN, "b", lost("VE1")) == Received(0, 1)
    tell(page, GIVEN, "a", lost("VE1"))
    assert tell(page, GIVEN, "a", lost("VE1", DeliveryState.FAILED)) == Received(0, 1)
    assert asked_of(page) == ["a", "b"]
    assert [send.state for send in page.record().sends] == [SendState.UNDELIVERED, SendState.ACCEPTED]


# --- when not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [*GOOD, *SAYS_NOTHING])
def test_what_is_no_bad_end_is_followed_by_nothing(state: DeliveryState) -> None:
    page = named()
    begun(page, GIVEN)
    tell(page, GIVEN, "a", lost("A1", state))
    assert asked_of(page) == ["a"]


@pytest.mark.parametrize(
    "given", [following(keep_number=False), following(failover_on_undelivered=None)], ids=["no number", "no rule"]
)
def test_it_is_off_unless_both_are_given_and_then_nothing_is_kept(given: Any) -> None:
    page = named()
    begun(page, given)
    assert page.record().sessions[0].sealed == ""
    assert tell(page, given, "a", lost("A1")) == Received(1, 0)
    assert asked_of(page) == ["a"]
    assert "failover.none" not in names(page)


def test_a_switch_that_is_turned_off_works_for_sessions_that_were_begun() -> None:
    page = named()
    begun(page, GIVEN)
    assert tell(page, following(keep_number=False), "a", lost("A1")) == Received(1, 0)
    assert asked_of(page) == ["a"]


@pytest.mark.parametrize(("late", "sends"), [(timedelta(0), 2), (timedelta(milliseconds=1), 1)])
def test_it_is_in_time_up_to_the_rules_own(late: timedelta, sends: int) -> None:
    page = named()
    begun(page, GIVEN)
    page.now += WITHIN + late
    tell(page, GIVEN, "a", lost("A1"))
    assert len(asked_of(page)) == sends
    assert reasons(page) == (["too late"] if late else [])


class Answering(Page):
    """A page whose guards, or whose breakers, have an answer of their own."""

    kind: type[Effect] = AskGuards
    answer: Any = None

    def _answer(self, effect: Effect) -> Any:
        return self.answer if isinstance(effect, self.kind) else super()._answer(effect)


def unguarded() -> None:
    """A guard that denies, or holds, is heard: what nobody asked for waits for nobody."""
    for verdict in (Verdict(Guard.DENY, "no"), Verdict(Guard.HOLD, "no", NOW + MINUTE)):
        page = Answering(sends=[Accepted("A1"), Accepted("B1")])
        begun(page, GIVEN)
        page.answer = verdict
        assert tell(page, GIVEN, "a", lost("A1")) == Received(1, 0)
        assert asked_of(page) == ["a"]
        assert reasons(page) == ["guard"]


def test_a_guard_is_asked_and_heard() -> None:
    unguarded()


def test_a_locked_recipient_is_sent_nothing() -> None:
    page, given = named(), following(profile=replace(DEFAULT, checks_per_session=5, failures_per_day=5))
    token = begun(page, given).session.token or ""
    page.now += 2 * MINUTE
    other = begun(page, given, seed=2).session.token or ""
    for seed in range(5):
        page.run(check(given, entropy(20 + seed), other if seed else token, "000000"))
    tell(page, given, "a", lost("B1"))
    assert asked_of(page) == ["a", "a"]
    assert reasons(page) == ["locked"]


def test_a_destination_that_is_served_no_more_is_sent_nothing() -> None:
    page = named()
    begun(page, GIVEN)
    tell(page, replace(GIVEN, destinations=RegionPolicy(deny_regions=frozenset({"US"}))), "a", lost("A1"))
    assert asked_of(page) == ["a"]
    assert reasons(page) == ["destination"]


def test_breakers_and_plugins_say_which_of_the_others_is_first() -> None:
    page = Answering(sends=[Accepted("A1"), Accepted("C1")])
    begun(page, GIVEN)
    page.kind, page.answer = ChooseRoute, [Leg("c", "sms"), Leg("b", "sms")]
    tell(page, GIVEN, "a", lost("A1"))
    assert asked_of(page) == ["a", "c"]


def test_not_more_than_four_messages_of_one_receipt_are_followed() -> None:
    numbers = [f"+1202555{place:04d}" for place in range(110, 116)]
    page = Page()
    for seed, number in enumerate(numbers, 1):
        page.run(start(GIVEN, entropy(seed), number))
    result = tell(page, GIVEN, "a", *[lost("VE1", recipient=number) for number in numbers])
    assert result == Received(6, 0, 0, 4)
    assert len(set(codes(page)[6:])) == 4
    assert reasons(page) == ["enough followed in one receipt"] * 2


# --- what is kept --------------------------------------------------------------------------------


def nothing_kept() -> None:
    """Invariant 10: sealed while the session lives, and gone with it, however it ends."""
    for ends in ("check", "cancel", "forget", "expiry"):
        page = named()
        token = followed(page)
        data = b"".join(each.data for each in page.records.values())
        (session,) = page.record().sessions
        assert session.sealed
        over = end(page.record(), session, SessionEvent.CANCEL, by="x", now=page.now)
        assert not over.sessions[0].sealed
        assert NUMBER.encode()[1:] not in data
        if ends == "check":
            page.run(check(GIVEN, entropy(2), token, codes(page)[1]))
        elif ends == "cancel":
            page.run(cancel(GIVEN, entropy(2), token))
        elif ends == "forget":
            page.run(forget(GIVEN, entropy(2), NUMBER))
        else:
            page.now += 11 * MINUTE
            page.run(check(GIVEN, entropy(2), token, "000000"))
        data = b"".join(each.data for each in page.records.values())
        assert b"sealed" not in data
        assert session.sealed.encode() not in data


def test_the_store_holds_no_number_and_a_session_that_is_over_holds_nothing_sealed() -> None:
    nothing_kept()


def anothers_seal() -> None:
    """A sealed recipient that was moved to another session of the same record opens nothing."""
    page = named()
    begun(page, GIVEN)
    page.now += 2 * MINUTE
    begun(page, GIVEN, seed=2)
    (key, stands), *_ = page.records.items()
    one, other = page.record().sessions
    assert one.sealed != other.sealed
    record = page.record()
    moved = record.but(sessions=(one.but(sealed=other.sealed), other))
    page.records[key] = type(stands)(moved.encode(), stands.version)
    assert tell(page, GIVEN, "a", lost("A1")) == Received(1, 0)
    assert len(asked_of(page)) == 2
    assert reasons(page) == ["kept recipient does not open"]


def test_a_sealed_recipient_of_another_session_is_not_sent_to() -> None:
    anothers_seal()


def anothers_record() -> None:
    """The store's keeper cannot make the service send to a number of their choice."""
    page = named()
    begun(page, GIVEN)
    theirs = Page()
    theirs.run(start(GIVEN, entropy(1), OTHER_NUMBER))  # the same nonce: what is bound is the record's key alone
    (key, stands), *_ = page.records.items()
    mine = page.record()
    foreign = theirs.record().sessions[0].sealed
    moved = mine.but(sessions=(mine.sessions[0].but(sealed=foreign),))
    page.records[key] = type(stands)(moved.encode(), stands.version)
    tell(page, GIVEN, "a", lost("A1"))
    assert [effect.request.recipient for effect in page.requests(SendCode)] == [NUMBER]
    assert reasons(page) == ["kept recipient does not open"]


def test_a_sealed_recipient_of_another_record_is_not_sent_to() -> None:
    anothers_record()


def test_a_recipient_sealed_under_an_old_pepper_is_opened_while_that_is_known() -> None:
    old = replace(GIVEN, keyring=Keyring(Keys.of(OLD)))
    for previous, sends in (((Keys.of(OLD),), 2), ((), 1)):
        page = named()
        begun(page, old)
        rotated = replace(GIVEN, keyring=Keyring(Keys.of(NEW), previous))
        tell(page, rotated, "a", lost("A1"))
        assert len(asked_of(page)) == sends


# --- what is told --------------------------------------------------------------------------------


def test_each_step_is_told() -> None:
    page = named()
    begun(page, GIVEN)
    page.asked.clear()
    tell(page, GIVEN, "a", lost("A1"))
    assert names(page) == ["delivery", "send.undelivered", "failover.sent", "send.accepted", "receipt.received"]
    assert isinstance(page.record(), RecipientRecord)
