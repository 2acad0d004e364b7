"""check, effect by effect: a try is spent before anything is revealed, and one caller at most is told of a success."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, ByRecipient, Ended, Refusal, Refused, SessionStatus, Undecided, Wrong
from otpcore.codes import make_code
from otpcore.contract import CheckAnswer, CheckVerdict, CodeOwner, Version
from otpcore.effects import CheckCode, Commit, Effect, Load, ReadClock, ReconcileCheck, Tell
from otpcore.errors import CommitUnknown
from otpcore.flows import cancel, check, resend, start
from otpcore.model import CheckState, RecipientRecord
from tests.flows.script import NO_ANSWER, NOW, NUMBER, OTHER_NUMBER, Page, entropy, losing, setup

CORE, PROVIDER = CodeOwner.CORE, CodeOwner.PROVIDER
OWNERS = pytest.mark.parametrize("owner", [CORE, PROVIDER])
RIGHT = make_code(entropy(1).code, 6)
APPROVED = CheckAnswer(CheckVerdict.APPROVED, "VE1")
UNKNOWN = CheckAnswer(CheckVerdict.UNKNOWN)


def opened(owner: CodeOwner, **asked: Any) -> tuple[Page, str]:
    page = Page()
    sent = page.run(start(setup(owner), entropy(1), NUMBER, **asked))
    page.asked.clear()
    return page, sent.session.token or ""


def test_a_core_owned_code_is_compared_and_the_answer_told_when_its_commit_has_won() -> None:
    """Invariants 3 and 4: load, commit, tell; a lost commit reveals nothing."""
    page, token = opened(CORE)
    (found,) = page.records.values()
    flow = check(setup(), entropy(2), token, RIGHT)
    assert isinstance(next(flow), Load)
    assert flow.send(found) == ReadClock()
    commit = flow.send(NOW)
    assert isinstance(commit, Commit)
    assert commit.expect == found.version
    assert isinstance(flow.send(Version("9")), Tell)
    with pytest.raises(StopIteration) as finished:
        flow.send(None)
    assert isinstance(finished.value.value, Approved)


def test_a_provider_owned_code_is_claimed_then_asked_for_then_settled() -> None:
    """Invariant 3: the try is in the store when the provider is asked."""
    page, token = opened(PROVIDER)
    page.race = lambda effect: seen.append(page.record()) if isinstance(effect, CheckCode) else None
    seen: list[RecipientRecord] = []
    assert isinstance(page.run(check(setup(PROVIDER), entropy(2), token, "123456")), Wrong)
    assert page.order() == ["Load", "ReadClock", "Commit", "CheckCode", "ReadClock", "Commit", "Tell"]
    assert [one.state for one in seen[0].checks] == [CheckState.CLAIMED]
    assert [one.state for one in page.record().checks] == [CheckState.WRONG]


@OWNERS
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("verdict", [CheckVerdict.APPROVED, CheckVerdict.WRONG])
def test_a_lost_answer_to_a_claim_or_settlement_spends_one_try_and_approves_once(
    owner: CodeOwner, verdict: CheckVerdict, place: int, applied: bool
) -> None:
    """Trap 3: this operation's own claim or approval is looked for, whoever wrote last."""
    page, token = opened(owner)
    page.checks = [CheckAnswer(verdict, "VE1")]
    page.fault = losing(page, place, applied=applied)
    code = RIGHT if verdict is CheckVerdict.APPROVED else "000000"
    result = page.run(check(setup(owner), entropy(2), token, code))
    assert isinstance(result, Approved if verdict is CheckVerdict.APPROVED else Wrong)
    assert len(page.record().checks) == (verdict is CheckVerdict.WRONG)
    assert len(page.requests(CheckCode)) == (owner is PROVIDER)


def test_a_claim_that_was_applied_unheard_and_then_cancelled_is_not_asked_for() -> None:
    """Trap 3: the session is over; nobody knows its provider any more."""
    page, token = opened(PROVIDER)
    state: list[str] = []

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit) and not state:
            page.commit(effect)
            state.append("lost")
            raise CommitUnknown
        if isinstance(effect, Load) and state == ["lost"]:
            state.append("cancelled")
            page.run(cancel(setup(PROVIDER), entropy(9), token))

    page.fault = fault
    assert isinstance(page.run(check(setup(PROVIDER), entropy(2), token, "123456")), Ended)
    assert page.requests(CheckCode) == []


@pytest.mark.parametrize(
    ("verdict", "kind", "spent"),
    [
        (CheckVerdict.WRONG, Wrong, 1),
        (CheckVerdict.UNKNOWN, Undecided, 1),
        (CheckVerdict.DENIED, Refused, 0),
        (CheckVerdict.THROTTLED, Refused, 0),
        (CheckVerdict.EXPIRED, Ended, 0),
        (CheckVerdict.EXHAUSTED, Ended, 0),
        (CheckVerdict.GONE, Ended, 1),
    ],
)
def test_what_a_provider_says_is_told_and_only_what_it_compared_is_spent(
    verdict: CheckVerdict, kind: type, spent: int
) -> None:
    """Invariant 3: an unknown answer burns the try and is no approval."""
    page, token = opened(PROVIDER)
    page.checks = [CheckAnswer(verdict, "VE1")]
    assert isinstance(page.run(check(setup(PROVIDER), entropy(2), token, "123456")), kind)
    record = page.record()
    assert (len(record.checks), record.consecutive) == (spent, spent)
    assert record.sessions[0].is_live == (verdict.value in {"wrong", "unknown", "denied", "throttled"})


def interleaved(page: Page, at: type[Effect], other: Callable[[], Any]) -> list[Any]:
    """Run `other` once, right after the first effect of this kind was performed."""
    told: list[Any] = []

    def race(effect: Effect) -> None:
        if isinstance(effect, at) and not told:
            told.append(None)
            told[0] = other()

    page.race = race
    return told


def test_gone_does_not_end_a_session_whose_other_try_is_on_its_way() -> None:
    """Trap 7: it may be the one that used the code, and then it is the success."""
    page, token = opened(PROVIDER)
    given = setup(PROVIDER)
    page.checks = [APPROVED, CheckAnswer(CheckVerdict.GONE)]
    other = interleaved(page, CheckCode, lambda: page.run(check(given, entropy(3), token, "123456")))
    assert isinstance(page.run(check(given, entropy(2), token, "123456")), Approved)
    assert isinstance(other[0], Undecided)


def test_of_two_right_codes_one_is_told_of_the_success() -> None:
    """Invariant 4: the move to approved is a guarded write."""
    page, token = opened(CORE)
    other = interleaved(page, Load, lambda: page.run(check(setup(), entropy(3), token, RIGHT)))
    result = page.run(check(setup(), entropy(2), token, RIGHT))
    assert isinstance(other[0], Approved)
    assert isinstance(result, Ended)


def test_an_approval_after_a_cancel_approves_nothing() -> None:
    """Invariant 4: a session that ended in another way stays ended."""
    page, token = opened(PROVIDER)
    given = setup(PROVIDER)
    page.checks = [APPROVED]
    interleaved(page, CheckCode, lambda: page.run(cancel(given, entropy(3), token)))
    result = page.run(check(given, entropy(2), token, "123456"))
    assert isinstance(result, Ended)
    assert result.status is SessionStatus.CANCELED


# --- asking later ------------------------------------------------------------------------------


def test_a_lost_answer_is_asked_for_later_where_the_approval_can_only_be_this_try() -> None:
    page, token = opened(PROVIDER)
    page.checks, page.reconciles = [UNKNOWN], [APPROVED]
    assert isinstance(page.run(check(setup(PROVIDER, reconciles=True), entropy(2), token, "123456")), Approved)


def test_a_reconciled_approval_is_not_given_to_one_who_was_not_alone() -> None:
    """Invariant 4: while A's answer was lost, B tried the right code; what the vendor then says is B's success."""
    page, token = opened(PROVIDER)
    given = setup(PROVIDER, reconciles=True)
    page.checks, page.reconciles = [UNKNOWN, APPROVED], [APPROVED]
    stopped: list[Any] = []

    def b_claims_and_stops() -> None:
        flow = check(given, entropy(3), token, "123456")
        effect = next(flow)
        while not isinstance(effect, CheckCode):
            effect = flow.send(page.perform(effect))
        stopped.append((flow, page.perform(effect)))

    interleaved(page, CheckCode, b_claims_and_stops)
    assert isinstance(page.run(check(given, entropy(2), token, "000000")), Undecided)
    flow, answer = stopped[0]
    effect = flow.send(answer)
    assert isinstance(page.finish(flow, effect), Approved)


def test_who_is_not_alone_from_the_start_is_not_reconciled() -> None:
    page, token = opened(PROVIDER)
    given = setup(PROVIDER, reconciles=True)
    page.checks = [UNKNOWN, UNKNOWN]
    page.run(check(setup(PROVIDER), entropy(2), token, "000000"))
    page.reconciles = [APPROVED]
    assert isinstance(page.run(check(given, entropy(3), token, "111111")), Undecided)
    assert page.requests(ReconcileCheck) == []


# --- a first send whose answer was lost --------------------------------------------------------


def test_a_check_without_a_handle_needs_the_recipient_and_adopts_what_comes_back() -> None:
    """Trap 7."""
    page = Page(sends=[NO_ANSWER], handle="VE7")
    given = setup(PROVIDER)
    token = page.run(start(given, entropy(1), NUMBER)).session.token
    refused = page.run(check(given, entropy(2), token, "123456"))
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.RECIPIENT_NEEDED
    mismatch = page.run(check(given, entropy(2), token, "123456", recipient=OTHER_NUMBER))
    assert isinstance(mismatch, Refused)
    assert isinstance(page.run(check(given, entropy(3), token, "123456", recipient=NUMBER)), Wrong)
    (handle,) = page.record().handles
    assert (handle.id, handle.checks, page.record().sessions[0].handle) == ("VE7", 1, "VE7")
    request = page.requests(CheckCode)[0].request
    assert (request.handle, request.recipient) == (None, NUMBER)


def test_a_resend_after_a_lost_first_send_counts_its_life_from_the_first() -> None:
    """Trap 6: the lost send may have opened the verification."""
    page = Page(sends=[NO_ANSWER])
    given = setup(PROVIDER)
    token = page.run(start(given, entropy(1), NUMBER)).session.token
    page.now += timedelta(minutes=2)
    result = page.run(resend(given, entropy(2), token, NUMBER))
    assert result.next.expires_at == NOW + timedelta(minutes=10)


# --- addressing and time -----------------------------------------------------------------------


def test_a_token_and_a_recipient_open_sessions_of_their_own() -> None:
    """Trap 9, invariant 8: neither is found by the other's address."""
    page, token = opened(CORE)
    page.now += timedelta(minutes=2)
    addressed = page.run(start(setup(), entropy(2), NUMBER, by_recipient=True)).session
    result = page.run(check(setup(), entropy(3), ByRecipient(NUMBER), RIGHT))
    assert isinstance(result, Wrong)
    page.run(check(setup(), entropy(4), ByRecipient(NUMBER), make_code(entropy(2).code, 6)))
    by_id = {one.id: one.status for one in page.record().sessions}
    assert by_id[addressed.id] is SessionStatus.APPROVED
    assert list(by_id.values()).count(SessionStatus.PENDING) == 1
    assert isinstance(page.run(check(setup(), entropy(5), token, RIGHT)), Approved)


@OWNERS
def test_an_expiry_is_committed_before_it_is_first_answered(owner: CodeOwner) -> None:
    """Trap 2, invariant 14: else a clock set back would revive the code."""
    page, token = opened(owner)
    page.now = NOW + timedelta(minutes=10)
    assert isinstance(page.run(check(setup(owner), entropy(2), token, RIGHT)), Ended)
    page.now = NOW + timedelta(minutes=9, seconds=58)
    assert isinstance(page.run(check(setup(owner), entropy(3), token, RIGHT)), Ended)
    assert page.requests(CheckCode) == []


def test_a_clock_set_back_ends_what_was_live_even_with_a_try_on_its_way() -> None:
    """Trap 2, D8."""
    page, token = opened(PROVIDER)
    page.checks = [APPROVED]
    page.race = lambda effect: setattr(page, "now", NOW - timedelta(hours=1)) if isinstance(effect, CheckCode) else None
    result = page.run(check(setup(PROVIDER), entropy(2), token, "123456"))
    assert isinstance(result, Ended)
    assert result.status is SessionStatus.EXPIRED


@OWNERS
def test_a_locked_recipient_is_told_so_and_no_code_is_tried(owner: CodeOwner) -> None:
    """Invariant 5: ten failures in 24 h, over however many sessions."""
    page = Page(handle="VE1")
    given, wrong = setup(owner), 0
    sent: Any = None
    for round_ in range(20):
        page.handle = f"VE{round_}"
        sent = page.run(start(given, entropy(round_ * 20), NUMBER))
        if not hasattr(sent, "session"):
            break
        for turn in range(5):
            result = page.run(check(given, entropy(round_ * 20 + turn + 1), sent.session.token, "000000"))
            wrong += isinstance(result, Wrong)
        page.now += timedelta(minutes=16)
    assert wrong == 10
    assert isinstance(sent, Refused)
    assert sent.kind is Refusal.LOCKED
