"""start and resend, effect by effect: reserve, then send; what is lost on the way is looked for, not repeated."""

from __future__ import annotations

from typing import Any

import pytest

from otpcore import ByRecipient, Ended, Refused, SendState, Sent, Wait
from otpcore.codes import make_code, record_key
from otpcore.contract import Accepted, CheckAnswer, CheckVerdict, CodeOwner, Conflict, Version, Versioned
from otpcore.effects import AskGuards, ChooseRoute, Commit, Effect, Load, ReadClock, SendCode, Tell
from otpcore.errors import Busy, CommitUnknown, PepperError, StoreUnavailable
from otpcore.events import Guard, Verdict
from otpcore.flows import cancel, check, forget, resend, start
from otpcore.model import RecipientRecord, SessionStatus
from tests.flows.script import (
    CORE,
    MINUTE,
    NO_ANSWER,
    NOT_SENT,
    NOW,
    NUMBER,
    OTHER_NUMBER,
    PROVIDER,
    Page,
    entropy,
    losing,
    setup,
    started,
)

OWNERS = pytest.mark.parametrize("owner", [CORE, PROVIDER])


# --- the order of effects ----------------------------------------------------------------------


def test_a_start_reserves_before_it_sends_and_settles_before_it_tells() -> None:
    """Invariant 1: the step is in the store when the provider is called; absent is tried first, nothing is read."""
    given = setup()
    key = record_key(given.keyring.current, given.tenant_id, "phone", NUMBER)
    flow = start(given, entropy(1), NUMBER)
    assert isinstance(next(flow), AskGuards)
    asked = flow.send(None)
    assert isinstance(asked, ChooseRoute)
    assert flow.send(asked.candidates) == ReadClock()
    reserve = flow.send(NOW)
    assert isinstance(reserve, Commit)
    assert (reserve.key, reserve.expect) == (key, None)
    assert reserve.data is not None
    kept = RecipientRecord.decode(reserve.data)
    assert (kept.ladder.count, kept.sends[0].state) == (1, SendState.RESERVED)
    send = flow.send(Version("1"))
    assert isinstance(send, SendCode)
    assert send.request.code == make_code(entropy(1).code, 6)
    assert flow.send(Accepted("m1")) == ReadClock()
    settle = flow.send(NOW)
    assert isinstance(settle, Commit)
    assert settle.expect == Version("1")
    assert isinstance(flow.send(Version("2")), Tell)
    with pytest.raises(StopIteration) as finished:
        flow.send(None)
    assert isinstance(finished.value.value, Sent)


def test_a_lost_race_is_decided_again_on_the_record_that_came_back_without_a_second_read() -> None:
    """Invariant 2: the loser sees the winner's step and waits."""
    page = Page()
    started(page)
    page.asked.clear()
    result = page.run(start(setup(), entropy(2), NUMBER))
    assert isinstance(result, Wait)
    assert page.order() == ["AskGuards", "ChooseRoute", "ReadClock", "Commit", "ReadClock", "Tell"]


def test_a_resend_reads_then_reserves_sends_settles_tells() -> None:
    page = Page()
    sent = started(page)
    page.now += 2 * MINUTE
    page.asked.clear()
    assert isinstance(page.run(resend(setup(), entropy(2), sent.session.token or "", NUMBER)), Sent)
    assert page.order() == ["Load", "AskGuards", "ReadClock", "Commit", "SendCode", "ReadClock", "Commit", "Tell"]


def test_a_refusal_writes_nothing() -> None:
    """Trap 2: neither a wait, nor a guard, nor a denied number touches the store."""
    page = Page()
    started(page)
    before = dict(page.records)
    page.run(start(setup(), entropy(2), NUMBER))
    page.run(start(setup(), entropy(3), "+19005550123"))
    page.run(start(setup(), entropy(4), NUMBER, channel="pigeon"))
    assert page.records == before


def test_a_guard_that_holds_or_denies_is_asked_before_anything_is_written() -> None:
    for verdict, kind in ((Verdict(Guard.DENY), Refused), (Verdict(Guard.HOLD, until=NOW + MINUTE), Wait)):
        flow = start(setup(), entropy(1), NUMBER)
        next(flow)
        effect: Effect = flow.send(verdict)
        while not isinstance(effect, Tell):
            assert effect == ReadClock()
            effect = flow.send(NOW)
        with pytest.raises(StopIteration) as finished:
            flow.send(None)
        assert isinstance(finished.value.value, kind)


# --- commits whose answer is lost --------------------------------------------------------------


@OWNERS
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [1, 2])
def test_a_lost_answer_to_a_commit_never_sends_twice(owner: CodeOwner, place: int, applied: bool) -> None:
    """Trap 3: "applied" is a question about the record: this operation's own mark is looked for."""
    page = Page()
    page.fault = losing(page, place, applied=applied)
    result = page.run(start(setup(owner), entropy(1), NUMBER))
    assert isinstance(result, Sent)
    assert len(page.requests(SendCode)) == 1
    record = page.record()
    assert (record.ladder.count, [send.state for send in record.sends]) == (1, [SendState.ACCEPTED])


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_to_a_refund_refunds_once(applied: bool) -> None:
    """Invariant 1, trap 3, S5."""
    page = Page(sends=[NOT_SENT])
    page.fault = losing(page, 2, applied=applied)
    assert isinstance(page.run(start(setup(), entropy(1), NUMBER)), Refused)
    record = page.record()
    assert record.ladder.count == 0
    assert [send.refunded for send in record.sends] == [True]


def test_a_reservation_that_was_applied_unheard_and_then_cancelled_is_not_sent() -> None:
    page = Page()
    sent: list[str] = []

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit) and not sent:
            page.commit(effect)
            sent.append("lost")
            raise CommitUnknown
        if isinstance(effect, Load) and len(sent) == 1:
            sent.append("cancelled")
            page.run(cancel(setup(), entropy(9), ByRecipient(NUMBER)))

    page.fault = fault
    result = page.run(start(setup(), entropy(1), NUMBER, by_recipient=True))
    assert isinstance(result, Ended)
    assert page.requests(SendCode) == []


def test_a_store_that_never_answers_commits_is_given_up_and_the_doubt_is_said() -> None:
    """Invariant 13: not Busy, which promises that nothing was done."""
    page = Page()

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit):
            raise CommitUnknown

    page.fault = fault
    with pytest.raises(CommitUnknown):
        page.run(start(setup(), entropy(1), NUMBER))
    assert len(page.requests(Commit)) <= 5
    assert page.requests(SendCode) == []


def test_a_record_on_which_every_race_is_lost_is_busy_and_nothing_is_sent() -> None:
    page = Page()
    started(page)
    stale = next(iter(page.records.values()))
    moved = Versioned(RecipientRecord(v=1, mark_at=NOW).encode(), stale.version)

    class Losing(Page):
        def commit(self, effect: Commit) -> Version | Conflict:
            self.records[effect.key] = moved
            return Conflict(moved)

    page = Losing()
    with pytest.raises(Busy):
        page.run(start(setup(), entropy(2), NUMBER))
    assert page.requests(SendCode) == []


# --- a store that is down ----------------------------------------------------------------------


@OWNERS
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("operation", ["start", "resend", "check", "cancel", "forget"])
def test_a_store_that_is_down_at_any_call_lets_nothing_out(owner: CodeOwner, operation: str, place: int) -> None:
    """Invariant 13, D6: no send that is not in the store, no success."""
    page, given = Page(), setup(owner)
    sent = started(page, owner)
    token = sent.session.token or ""
    code = make_code(entropy(1).code, 6)
    page.checks = [CheckAnswer(CheckVerdict.APPROVED)]
    page.now += 2 * MINUTE
    page.asked.clear()
    calls = 0

    def fault(effect: Effect) -> None:
        nonlocal calls
        if isinstance(effect, Load | Commit):
            calls += 1
            if calls > place:
                raise StoreUnavailable

    page.fault = fault
    flows = {
        "start": start(given, entropy(2), OTHER_NUMBER),
        "resend": resend(given, entropy(2), token, NUMBER),
        "check": check(given, entropy(2), token, code),
        "cancel": cancel(given, entropy(2), token),
        "forget": forget(given, entropy(2), NUMBER),
    }
    try:
        result = page.run(flows[operation])
    except StoreUnavailable:
        result = None
    if page.requests(SendCode):
        sends = [send for each in page.records.values() for send in RecipientRecord.decode(each.data).sends]
        assert len(sends) == 2
    approved = [
        one
        for each in page.records.values()
        for one in RecipientRecord.decode(each.data).sessions
        if one.status is SessionStatus.APPROVED
    ]
    assert (type(result).__name__ == "Approved") == bool(approved)


def test_an_answer_of_the_provider_that_cannot_be_written_down_is_told_as_reserved() -> None:
    page = Page()
    commits = 0

    def fault(effect: Effect) -> None:
        nonlocal commits
        if isinstance(effect, Commit):
            commits += 1
            if commits > 1:
                raise StoreUnavailable

    page.fault = fault
    result = page.run(start(setup(), entropy(1), NUMBER))
    assert isinstance(result, Sent)
    assert result.state is SendState.RESERVED


def test_a_pepper_that_is_gone_fails_closed() -> None:
    """Invariant 9: no code matches, and none is tried, under a pepper that nobody configured."""
    page = Page()
    sent = started(page)
    stale = Versioned(
        page.records.popitem()[1].data.replace(setup().keyring.current.kid.encode(), b"gone"), Version("9")
    )
    page.records[record_key(setup().keyring.current, setup().tenant_id, "phone", NUMBER)] = stale
    with pytest.raises(PepperError):
        page.run(check(setup(), entropy(2), sent.session.token or "", "000000"))


# --- what a send does to the code that is held -------------------------------------------------


@pytest.mark.parametrize("answer", [NOT_SENT, NO_ANSWER], ids=["refused", "unknown"])
@pytest.mark.parametrize("first", [Accepted("m"), NO_ANSWER], ids=["accepted", "unknown"])
def test_a_failed_or_unknown_resend_leaves_the_code_that_is_held(first: Any, answer: Any) -> None:
    """Invariant 7: even where the first send was never confirmed, its code may be in the person's hand."""
    page = Page(sends=[first, answer])
    sent = started(page)
    page.now += 2 * MINUTE
    page.run(resend(setup(), entropy(2), sent.session.token or "", NUMBER))
    result = page.run(check(setup(), entropy(3), sent.session.token or "", make_code(entropy(1).code, 6)))
    assert type(result).__name__ == "Approved"


def test_an_accepted_resend_voids_the_older_code() -> None:
    """Invariant 7, V5."""
    page = Page()
    sent = started(page)
    page.now += 2 * MINUTE
    page.run(resend(setup(), entropy(2), sent.session.token or "", NUMBER))
    token = sent.session.token or ""
    assert type(page.run(check(setup(), entropy(3), token, make_code(entropy(1).code, 6)))).__name__ == "Wrong"
    assert type(page.run(check(setup(), entropy(4), token, make_code(entropy(2).code, 6)))).__name__ == "Approved"


def test_an_unsettled_and_an_accepted_code_both_match_as_one_try() -> None:
    """Trap 6: two generations, never three."""
    page = Page(sends=[Accepted("m"), NO_ANSWER, NO_ANSWER])
    token = started(page).session.token or ""
    for seed, wait in ((2, 2), (3, 5)):
        page.now += wait * MINUTE
        page.run(resend(setup(), entropy(seed), token, NUMBER))
    assert len(page.record().sessions[0].codes) == 2
    assert type(page.run(check(setup(), entropy(4), token, make_code(entropy(2).code, 6)))).__name__ == "Wrong"
    assert type(page.run(check(setup(), entropy(5), token, make_code(entropy(3).code, 6)))).__name__ == "Approved"
