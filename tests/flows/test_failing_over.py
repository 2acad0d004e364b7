"""A send goes on to another provider: when, with which code, and what is committed before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otpcore import ByRecipient, Ended, Refusal, Refused, SendState, Sent, Undecided, Wait, WaitReason
from otpcore.codes import make_code
from otpcore.contract import (
    Accepted,
    CheckAnswer,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    ProviderCapabilities,
    SendEffect,
)
from otpcore.effects import CheckCode, ChooseRoute, Commit, Effect, SendCode, Tell
from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.flows import Flow, ProviderTerms, Setup, cancel, check, resend, start
from otpcore.model import RecipientRecord, SessionStatus
from otpcore.routing import Leg
from tests.flows.legs import CALL, LANDLINE, LOST, OFTEN, SMS, TRANSIENT, failure, on_unknown, several, ways
from tests.flows.script import CORE, MINUTE, NOW, NUMBER, PROVIDER, Page, entropy, losing

PAIRS = pytest.mark.parametrize("owners", [(CORE, CORE), (PROVIDER, PROVIDER), (PROVIDER, CORE), (CORE, PROVIDER)])


def begun(page: Page, given: Setup, seed: int = 1, **asked: Any) -> Any:
    return page.run(start(given, entropy(seed), NUMBER, **asked))


def asked_of(page: Page) -> list[tuple[str, str]]:
    return [(each.provider, each.request.channel) for each in page.requests(SendCode)]


# --- the move ----------------------------------------------------------------------------------


@PAIRS
def test_a_refused_send_goes_to_the_next_provider_as_one_send(owners: tuple[CodeOwner, ...]) -> None:
    """One step of the ladder, one place under the cap; the record says what each answered."""
    page, given = Page(sends=[TRANSIENT]), several(*owners)
    result = begun(page, given)
    assert isinstance(result, Sent)
    assert (result.state, result.session.provider) == (SendState.ACCEPTED, "b")
    assert asked_of(page) == [("a", SMS), ("b", SMS)]
    record = page.record()
    assert (record.ladder.count, len(record.sends)) == (1, 1)
    assert [(one.provider, one.kind, one.unknown) for one in record.sends[0].attempts] == [
        ("a", "transient", False),
        ("b", "", False),
    ]
    (session,) = record.sessions
    assert (session.provider, session.owner, session.handle) == ("b", owners[1], page.handle)
    assert bool(session.codes) == (owners[1] is CORE)
    assert bool(record.handles) == (owners[1] is PROVIDER)


@PAIRS
def test_the_move_is_in_the_store_before_the_second_provider_is_called(owners: tuple[CodeOwner, ...]) -> None:
    page, given = Page(sends=[TRANSIENT]), several(*owners)
    seen: list[tuple[str, CodeOwner, str, int]] = []

    def look(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            session = page.record().sessions[0]
            seen.append((session.provider, session.owner, session.channel, len(page.record().sends[0].attempts)))
            assert page.record().sends[0].state is SendState.RESERVED

    page.fault = look
    begun(page, given)
    assert seen == [("a", owners[0], SMS, 0), ("b", owners[1], SMS, 1)]


def test_a_code_of_the_core_is_the_same_one_on_the_next_provider() -> None:
    page, given = Page(sends=[TRANSIENT]), several()
    result = begun(page, given)
    first, second = page.requests(SendCode)
    assert first.request.code == second.request.code == make_code(entropy(1).code, 6)
    assert first.request.send_id != second.request.send_id
    assert [code.generation for code in page.record().sessions[0].codes] == [1]
    approved = page.run(check(given, entropy(2), result.session.token, second.request.code))
    assert type(approved).__name__ == "Approved"


def test_the_effects_come_in_this_order() -> None:
    page = Page(sends=[TRANSIENT])
    begun(page, several())
    reserve = ["AskGuards", "ChooseRoute", "ReadClock", "Commit"]
    assert page.order() == [
        *reserve,
        "SendCode",
        "ReadClock",
        "Commit",
        "Tell",
        "SendCode",
        "ReadClock",
        "Commit",
        "Tell",
    ]


def test_one_provider_is_asked_as_before() -> None:
    page = Page(sends=[TRANSIENT])
    assert isinstance(begun(page, several(CORE)), Refused)
    assert page.order() == [
        "AskGuards",
        "ChooseRoute",
        "ReadClock",
        "Commit",
        "SendCode",
        "ReadClock",
        "Commit",
        "Tell",
    ]
    assert page.record().sends[0].attempts == ()


@PAIRS
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_lost_answer_to_any_commit_calls_no_provider_twice(
    owners: tuple[CodeOwner, ...], place: int, applied: bool
) -> None:
    """Trap 3, for the move as well."""
    page, given = Page(sends=[TRANSIENT]), several(*owners)
    page.fault = losing(page, place, applied=applied)
    result = begun(page, given)
    assert isinstance(result, Sent)
    assert asked_of(page) == [("a", SMS), ("b", SMS)]
    record = page.record()
    assert (record.ladder.count, len(record.sends), record.sends[0].state) == (1, 1, SendState.ACCEPTED)
    assert len(record.sends[0].attempts) == 2
    assert (record.sessions[0].provider, record.sessions[0].handle) == ("b", page.handle)


@PAIRS
@pytest.mark.parametrize("error", [StoreUnavailable, CommitUnknown])
def test_a_move_that_is_not_written_is_not_made(owners: tuple[CodeOwner, ...], error: type[Exception]) -> None:
    """Invariant 13."""
    page, given = Page(sends=[TRANSIENT]), several(*owners)

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit) and page.requests(SendCode):
            raise error

    page.fault = fault
    assert isinstance(begun(page, given), Refused)
    assert asked_of(page) == [("a", SMS)]


@PAIRS
def test_a_session_that_was_cancelled_meanwhile_goes_nowhere(owners: tuple[CodeOwner, ...]) -> None:
    page, given = Page(sends=[TRANSIENT]), several(*owners)

    def race(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            page.race = None
            token = f"otps_{next(iter(page.records)).replace('/r/', '')}{entropy(1).nonce}{entropy(1).secret}"
            assert isinstance(page.run(cancel(given, entropy(9), token)), Ended)

    page.race = race
    assert isinstance(begun(page, given), Refused)
    assert asked_of(page) == [("a", SMS)]
    assert page.record().sessions[0].status is SessionStatus.CANCELED
    assert page.record().ladder.count == 0


@pytest.mark.parametrize("left_s", [0, 12])
def test_a_send_whose_lease_could_be_over_before_the_answer_goes_nowhere(left_s: int) -> None:
    """A deadline of 8 s and 5 s for the commit do not fit into 12."""
    page, given = Page(sends=[TRANSIENT]), several()
    took = given.lease - timedelta(seconds=left_s)
    page.race = lambda effect: setattr(page, "now", page.now + took) if isinstance(effect, SendCode) else None
    begun(page, given)
    assert asked_of(page) == [("a", SMS)]


def test_every_leg_fits_in_the_lease() -> None:
    """Nobody settles a send for another while one of its legs may still be out."""
    page, given = Page(sends=[TRANSIENT, TRANSIENT]), several(CORE, CORE, CORE)

    def slow(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            page.now += given.deadline

    page.race = slow
    assert isinstance(begun(page, given), Sent)
    assert len(asked_of(page)) == 3
    assert page.now - NOW <= given.lease


# --- when --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FailureKind.FRAUD_SUSPECTED, FailureKind.OPTED_OUT, FailureKind.INVALID_RECIPIENT])
@pytest.mark.parametrize("effect", list(SendEffect))
def test_what_is_wrong_with_the_recipient_reaches_no_second_provider(kind: FailureKind, effect: SendEffect) -> None:
    page = Page(sends=[failure(kind, effect)])
    begun(page, several(routing=on_unknown("a", "b")))
    assert asked_of(page) == [("a", SMS)]


def test_a_limit_of_the_recipient_stops_and_says_until_when() -> None:
    page = Page(sends=[OFTEN])
    result = begun(page, several())
    assert isinstance(result, Refused)
    assert (result.kind, result.next.resend_at) == (Refusal.RATE_LIMITED, NOW + 3 * MINUTE)
    assert asked_of(page) == [("a", SMS)]


def test_a_landline_is_called_instead() -> None:
    page = Page(sends=[LANDLINE])
    result = begun(page, several(routing=ways(("a", SMS), ("b", SMS), ("a", CALL))))
    assert isinstance(result, Sent)
    assert asked_of(page) == [("a", SMS), ("a", CALL)]
    assert result.session.channel == CALL


@pytest.mark.parametrize(
    ("to", "channel", "asked"),
    [(NUMBER, SMS, [("a", SMS), ("b", CALL)]), ("jo@example.com", "email", [("b", "email")])],
)
def test_a_rule_for_numbers_and_addresses_gives_each_the_ways_that_reach_it(
    to: str, channel: str, asked: list[tuple[str, str]]
) -> None:
    given = several(routing=ways(("a", SMS), ("b", "email"), ("b", CALL)))
    can = ProviderCapabilities(frozenset({CORE}), frozenset({SMS, CALL, "email"}))
    given = replace(given, providers={name: ProviderTerms(name, can, CORE) for name in given.providers})
    page = Page(sends=[LANDLINE, LANDLINE])
    assert isinstance(page.run(start(given, entropy(1), to, channel=channel)), Refused)
    assert asked_of(page) == asked


@pytest.mark.parametrize("owner", [CORE, PROVIDER])
def test_without_another_channel_a_landline_is_the_end(owner: CodeOwner) -> None:
    page = Page(sends=[LANDLINE])
    result = begun(page, several(owner, owner))
    assert isinstance(result, Refused)
    assert (result.kind, asked_of(page)) == (Refusal.CHANNEL_UNREACHABLE, [("a", SMS)])


def test_no_more_legs_than_the_rule_says() -> None:
    page = Page(sends=[TRANSIENT] * 5)
    result = begun(page, several(*[CORE] * 5, routing=ways(*((name, "") for name in "abcde"), max_legs=2)))
    assert isinstance(result, Refused)
    assert asked_of(page) == [("a", SMS), ("b", SMS)]
    assert page.record().ladder.count == 0
    assert [send.refunded for send in page.record().sends] == [True]


# --- lost answers ------------------------------------------------------------------------------


@PAIRS
def test_a_lost_answer_reaches_no_second_provider(owners: tuple[CodeOwner, ...]) -> None:
    """S6: of 1,000, none does."""
    given = several(*owners)
    for seed in range(250):
        page = Page(sends=[LOST])
        result = begun(page, given, seed)
        assert isinstance(result, Sent)
        assert (result.state, len(asked_of(page))) == (SendState.UNKNOWN, 1)
        assert page.record().ladder.count == 1


def test_a_rule_may_send_the_same_code_once_more() -> None:
    page = Page(sends=[LOST])
    result = begun(page, several(routing=on_unknown("a", "b")))
    assert isinstance(result, Sent)
    first, second = page.requests(SendCode)
    assert first.request.code == second.request.code
    record = page.record()
    assert (record.ladder.count, len(record.sends), record.sends[0].state) == (1, 1, SendState.ACCEPTED)
    assert [one.unknown for one in record.sends[0].attempts] == [True, False]


def test_a_refusal_after_a_lost_answer_gives_nothing_back() -> None:
    page = Page(sends=[LOST, TRANSIENT])
    result = begun(page, several(routing=on_unknown("a", "b")))
    assert isinstance(result, Sent)
    assert result.state is SendState.UNKNOWN
    record = page.record()
    assert (record.ladder.count, record.sends[0].state, record.sends[0].refunded) == (1, SendState.UNKNOWN, False)


def test_after_a_lost_answer_no_provider_makes_a_code_of_its_own() -> None:
    page = Page(sends=[LOST])
    given = several(CORE, PROVIDER, CORE, routing=on_unknown("a", "b", "c"))
    begun(page, given)
    assert asked_of(page) == [("a", SMS), ("c", SMS)]


def test_a_verification_whose_answer_was_lost_stays_alone_even_if_the_rule_says_otherwise() -> None:
    """The engine refuses such a rule; the flow would not follow it."""
    page = Page(sends=[LOST])
    begun(page, several(PROVIDER, PROVIDER, routing=on_unknown("a", "b")))
    assert asked_of(page) == [("a", SMS)]


# --- one verification --------------------------------------------------------------------------


def test_a_second_session_stays_with_the_provider_that_has_the_verification() -> None:
    page = Page()
    given = several(PROVIDER, PROVIDER)
    begun(page, given)
    page.now += 3 * MINUTE
    page.sends = [TRANSIENT]
    assert isinstance(begun(page, given, 2), Refused)
    assert [name for name, _ in asked_of(page)] == ["a", "a"]


def test_a_plan_that_leads_elsewhere_leads_to_the_live_verification() -> None:
    page = Page()
    begun(page, several(PROVIDER, PROVIDER))
    page.now += 3 * MINUTE
    other = several(PROVIDER, PROVIDER, routing=ways(("b", ""), ("a", "")))
    assert isinstance(begun(page, other, 2), Sent)
    assert [name for name, _ in asked_of(page)] == ["a", "a"]


def test_where_the_plan_has_no_way_to_it_a_second_verification_waits() -> None:
    page = Page()
    begun(page, several(PROVIDER, PROVIDER))
    page.now += 3 * MINUTE
    result = begun(page, several(PROVIDER, PROVIDER, routing=ways(("b", ""))), 2)
    assert isinstance(result, Wait)
    assert result.reason is WaitReason.PROVIDER_WINDOW
    assert [name for name, _ in asked_of(page)] == ["a"]


def test_another_purpose_may_have_another_provider() -> None:
    page = Page()
    begun(page, several(PROVIDER, PROVIDER))
    page.now += 3 * MINUTE
    other = several(PROVIDER, PROVIDER, routing=ways(("b", "")))
    page.handle = "VE2"
    assert isinstance(begun(page, other, 2, purpose="payment"), Sent)


def test_a_resend_of_a_verification_stays_and_its_refusal_moves_nothing() -> None:
    page, given = Page(), several(PROVIDER, CORE)
    token = begun(page, given).session.token
    page.now += 3 * MINUTE
    page.sends = [TRANSIENT]
    assert isinstance(page.run(resend(given, entropy(2), token, NUMBER)), Refused)
    assert [name for name, _ in asked_of(page)] == ["a", "a"]
    assert page.record().sessions[0].owner is PROVIDER


def test_a_live_verification_that_is_addressed_by_its_recipient_stays_too() -> None:
    """A start continues it, and knows only in the store that it does."""
    page, given = Page(), several(PROVIDER, CORE)
    begun(page, given, by_recipient=True)
    page.now += 3 * MINUTE
    page.sends = [TRANSIENT]
    assert isinstance(begun(page, given, 2, by_recipient=True), Refused)
    assert [name for name, _ in asked_of(page)] == ["a", "a"]
    (session,) = page.record().sessions
    assert (session.owner, session.provider, session.handle) == (PROVIDER, "a", page.handle)


def test_a_code_of_the_core_that_is_addressed_by_its_recipient_may_go_on() -> None:
    page, given = Page(), several(CORE, CORE)
    begun(page, given, by_recipient=True)
    page.now += 3 * MINUTE
    page.sends = [TRANSIENT]
    assert isinstance(begun(page, given, 2, by_recipient=True), Sent)
    assert [name for name, _ in asked_of(page)] == ["a", "a", "b"]


# --- resends -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "then"), [(Accepted("m"), "a"), (LOST, "b")])
def test_a_resend_takes_another_way_when_the_last_one_may_not_have_arrived(
    first: Accepted | Failure, then: str
) -> None:
    page, given = Page(sends=[first]), several()
    token = begun(page, given).session.token
    page.now += 3 * MINUTE
    result = page.run(resend(given, entropy(2), token, NUMBER))
    assert isinstance(result, Sent)
    assert [name for name, _ in asked_of(page)] == ["a", then]
    assert result.session.provider == then


def test_a_resend_follows_the_order_of_breakers_and_plugins() -> None:
    page, given = Page(), several()
    token = begun(page, given).session.token
    page.now += 3 * MINUTE
    flow = resend(given, entropy(2), token or "", NUMBER)
    effect = next(flow)
    while not isinstance(effect, ChooseRoute):
        effect = flow.send(page.perform(effect))
    assert effect.candidates == (Leg("a", SMS), Leg("b", SMS))
    assert isinstance(page.finish(flow, flow.send(effect.candidates[::-1])), Sent)
    assert [name for name, _ in asked_of(page)] == ["a", "b"]


def test_a_provider_that_the_order_leaves_out_is_not_asked() -> None:
    page, given = Page(sends=[TRANSIENT]), several(CORE, CORE, CORE)
    flow = start(given, entropy(1), NUMBER)
    effect = next(flow)
    while not isinstance(effect, ChooseRoute):
        effect = flow.send(page.perform(effect))
    page.finish(flow, flow.send([Leg("c", SMS), Leg("a", SMS)]))
    assert [name for name, _ in asked_of(page)] == ["c", "a"]


def test_a_refused_resend_keeps_the_code_that_the_person_holds() -> None:
    """Invariant 7, over two providers."""
    page, given = Page(), several()
    token = begun(page, given).session.token
    page.now += 3 * MINUTE
    page.sends = [TRANSIENT, TRANSIENT]
    assert isinstance(page.run(resend(given, entropy(2), token, NUMBER)), Refused)
    assert len(asked_of(page)) == 3
    approved = page.run(check(given, entropy(3), token or "", make_code(entropy(1).code, 6)))
    assert type(approved).__name__ == "Approved"


# --- what is told ------------------------------------------------------------------------------


def told(page: Page) -> list[tuple[str, str, str]]:
    events = [event for tell in page.requests(Tell) for event in tell.events()]
    return [(event.name, event.detail.get("provider", ""), event.detail.get("kind", "")) for event in events]


def test_each_attempt_is_told_and_an_operator_is_alerted() -> None:
    page = Page(sends=[failure(FailureKind.QUOTA_EXHAUSTED)])
    begun(page, several())
    assert told(page) == [
        ("send.attempted", "a", "quota_exhausted"),
        ("route.alert", "a", "quota_exhausted"),
        ("start.sent", "", ""),
        ("send.accepted", "b", ""),
    ]


def test_attempts_go_with_their_session() -> None:
    page, given = Page(sends=[TRANSIENT]), several()
    token = begun(page, given).session.token
    assert page.record().sends[0].attempts
    page.run(cancel(given, entropy(2), token or ""))
    (send,) = page.record().sends
    assert (send.attempts, send.provider) == ((), "b")


def test_an_accepted_send_takes_no_more_room_than_before() -> None:
    page = Page()
    begun(page, several())
    (data,) = [each.data for each in page.records.values()]
    assert b"attempts" not in data
    assert b"extra" not in data
    assert isinstance(RecipientRecord.decode(data), RecipientRecord)


# --- a check that came too early ---------------------------------------------------------------


@pytest.mark.parametrize("owners", [(PROVIDER, PROVIDER), (PROVIDER, CORE)])
@pytest.mark.parametrize("verdict", [each for each in CheckVerdict if each is not CheckVerdict.UNKNOWN])
def test_the_provider_that_a_session_has_left_has_no_say_in_it(
    owners: tuple[CodeOwner, ...], verdict: CheckVerdict
) -> None:
    """It neither approves nor ends it, and what it says of a verification is taken for none of the next one's."""
    page, given, session = Page(), several(*owners), ByRecipient(NUMBER, "login")
    sending = start(given, entropy(1), NUMBER, by_recipient=True)
    until(page, sending, SendCode)
    checking = check(given, entropy(2), session, "123456")
    until(page, checking, CheckCode)
    moving = sending.send(TRANSIENT)
    while not isinstance(moving, SendCode):
        moving = sending.send(page.perform(moving))
    answer = page.finish(checking, checking.send(CheckAnswer(verdict, "VE-of-a")))
    assert isinstance(answer, Undecided)
    result = page.finish(sending, sending.send(Accepted("VE-of-b")))
    assert isinstance(result, Sent)
    (live,) = page.record().sessions
    assert (live.provider, live.handle, live.is_live) == ("b", "VE-of-b", True)
    assert "VE-of-a" not in {each.id for each in page.record().handles}


@pytest.mark.parametrize("answer", [Accepted("VE1"), TRANSIENT], ids=["accepted", "refused"])
def test_a_try_before_the_provider_has_the_send_ends_no_session(answer: Accepted | Failure) -> None:
    """Trap 7: who tries a number's code while it is asked for could else end every one of its sessions."""
    page, given, session = Page(), several(PROVIDER, PROVIDER), ByRecipient(NUMBER, "login")
    sending = start(given, entropy(1), NUMBER, by_recipient=True)
    until(page, sending, SendCode)
    page.checks = [CheckAnswer(CheckVerdict.GONE)]
    assert isinstance(page.run(check(given, entropy(2), session, "123456")), Undecided)
    assert isinstance(page.finish(sending, sending.send(answer)), Sent)


def until(page: Page, flow: Flow[Any], kind: type[Effect]) -> None:
    """Drive a flow up to its first effect of this kind, which is not performed."""
    effect = next(flow)
    while not isinstance(effect, kind):
        effect = flow.send(page.perform(effect))
