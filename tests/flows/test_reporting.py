"""What the provider hears of a code of the core: once, after the commit that decided it, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, Ended, Forgotten, Wrong
from otpcore.contract import Accepted, CheckAnswer, CheckVerdict, CodeOwner
from otpcore.effects import CancelCode, Commit, Effect, ReportOutcome, SendCode, Tell
from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.flows import Setup, cancel, check, forget, resend, start
from otpcore.receipts import Outcome
from tests.flows.script import CORE, NUMBER, PROVIDER, Page, entropy, losing, setup

TAKES = setup(CORE, takes_feedback=True)
DEAF = setup(CORE)


def begun(page: Page, given: Setup = TAKES, seed: int = 1) -> tuple[str, str]:
    """The token of a session, and the code that was sent."""
    sent = page.run(start(given, entropy(seed), NUMBER))
    return sent.session.token, page.requests(SendCode)[-1].request.code


def told(page: Page) -> list[tuple[str, str]]:
    return [(one.handle, one.outcome.value) for one in page.requests(ReportOutcome)]


# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("takes", [True, False])
def test_an_approval_is_reported_once_after_its_commit_and_stands_whatever_comes_back(takes: bool) -> None:
    page = Page(takes=takes)
    token, code = begun(page)
    page.asked.clear()
    assert isinstance(page.run(check(TAKES, entropy(2), token, code)), Approved)
    assert page.requests(ReportOutcome) == [ReportOutcome("vendor", "VE1", Outcome.APPROVED, 2.0)]
    assert page.order()[-4:] == ["Commit", "Tell", "ReportOutcome", "Tell"]
    assert isinstance(page.run(check(TAKES, entropy(3), token, code)), Ended)
    assert len(told(page)) == 1


def test_an_answer_waits_for_its_report_no_longer_than_any_call_may_take() -> None:
    hasty = replace(TAKES, timeout_s=0.5)
    page = Page()
    token, code = begun(page, hasty)
    page.run(check(hasty, entropy(2), token, code))
    assert [one.timeout_s for one in page.requests(ReportOutcome)] == [0.5]


def reported_after_the_commit() -> None:
    """No report before the commit that it speaks of."""
    for decided in ("approved", "canceled"):
        page = Page()
        token, code = begun(page)
        page.asked.clear()
        page.run(check(TAKES, entropy(2), token, code) if decided == "approved" else cancel(TAKES, entropy(2), token))
        kinds = [type(one) for one in page.asked]
        assert told(page) == [("VE1", decided)]
        assert kinds.index(ReportOutcome) > kinds.index(Commit)


def test_a_report_comes_after_the_commit_that_it_speaks_of() -> None:
    reported_after_the_commit()


def test_what_is_reported_is_audited_with_what_came_of_it() -> None:
    page = Page(takes=False)
    token, code = begun(page)
    page.asked.clear()
    page.run(check(TAKES, entropy(2), token, code))
    (approved,), (reported,) = (one.events() for one in page.requests(Tell))
    assert (approved.name, reported.name) == ("check.approved", "outcome.reported")
    assert reported.detail == {"provider": "vendor", "outcome": "approved", "taken": "no"}
    assert (reported.recipient_key, reported.session, reported.at) == (
        approved.recipient_key,
        approved.session,
        page.now,
    )


def test_a_cancellation_is_reported_once() -> None:
    page = Page()
    token, _ = begun(page)
    assert isinstance(page.run(cancel(TAKES, entropy(2), token)), Ended)
    assert isinstance(page.run(cancel(TAKES, entropy(3), token)), Ended)
    assert told(page) == [("VE1", "canceled")]


def test_whoever_is_forgotten_had_their_live_sessions_cancelled() -> None:
    page = Page()
    begun(page)
    assert isinstance(page.run(forget(TAKES, entropy(2), NUMBER)), Forgotten)
    assert told(page) == [("VE1", "canceled")]


def test_the_handle_is_that_of_the_newest_accepted_send() -> None:
    page = Page(sends=[Accepted("SM1"), Accepted("SM2")])
    token, _ = begun(page)
    page.now += timedelta(minutes=5)
    page.run(resend(TAKES, entropy(2), token, NUMBER))
    page.run(check(TAKES, entropy(3), token, page.requests(SendCode)[-1].request.code))
    assert told(page) == [("SM2", "approved")]


# --- when not ------------------------------------------------------------------------------------


def test_wrong_spent_and_expired_codes_are_not_reported() -> None:
    page = Page()
    token, code = begun(page)
    wrong = "000000" if code != "000000" else "111111"
    for seed in range(2, 8):
        page.run(check(TAKES, entropy(seed), token, wrong))
    page.now += timedelta(minutes=5)
    second, code = begun(page, seed=20)
    page.now += timedelta(minutes=10)
    assert isinstance(page.run(check(TAKES, entropy(9), second, code)), Ended)
    page.run(cancel(TAKES, entropy(10), second))
    assert told(page) == []


def test_without_a_handle_there_is_nothing_to_report() -> None:
    page = Page(sends=[Accepted(None)])
    token, code = begun(page)
    assert isinstance(page.run(check(TAKES, entropy(2), token, code)), Approved)
    assert told(page) == []


@pytest.mark.parametrize("ends", ["check", "cancel", "forget"])
def test_a_provider_that_takes_no_feedback_costs_no_effect(ends: str) -> None:
    orders: list[list[str]] = []
    for given in (DEAF, TAKES):
        page = Page()
        token, code = begun(page, given)
        flows: dict[str, Any] = {
            "check": lambda given=given, token=token, code=code: check(given, entropy(2), token, code),
            "cancel": lambda given=given, token=token: cancel(given, entropy(2), token),
            "forget": lambda given=given: forget(given, entropy(2), NUMBER),
        }
        page.run(flows[ends]())
        orders.append(page.order())
    assert orders[1] == [*orders[0], "ReportOutcome", "Tell"]
    assert not DEAF.reports
    assert TAKES.reports


def test_a_code_of_the_providers_own_is_never_reported() -> None:
    """Neither where it is configured so, nor where the session is older than the configuration."""
    for later in (setup(PROVIDER, takes_feedback=True), TAKES):
        page = Page()
        token = page.run(start(setup(PROVIDER), entropy(1), NUMBER)).session.token
        page.run(cancel(later, entropy(2), token))
        assert told(page) == []
        page = Page(checks=[CheckAnswer(CheckVerdict.APPROVED, "VE1")])
        token = page.run(start(setup(PROVIDER), entropy(1), NUMBER)).session.token
        assert isinstance(page.run(check(later, entropy(2), token, "123456")), Approved)
        assert told(page) == []


# --- races and lost answers ----------------------------------------------------------------------


def during_commit(page: Page, place: int, act: Any) -> None:
    """Act before the commit of this number is performed."""
    seen = 0

    def fault(effect: Effect) -> None:
        nonlocal seen
        if isinstance(effect, Commit):
            seen += 1
            if seen == place:
                page.fault = None
                act()

    page.fault = fault


def only_winners_report() -> None:
    """Two right codes at once, or a right code and a cancellation: what is reported is what the store holds."""
    for rival, outcome in (("check", "approved"), ("cancel", "canceled")):
        page = Page()
        token, code = begun(page)
        theirs = check(TAKES, entropy(7), token, code) if rival == "check" else cancel(TAKES, entropy(7), token)
        during_commit(page, 1, lambda page=page, theirs=theirs: page.run(theirs))
        assert isinstance(page.run(check(TAKES, entropy(2), token, code)), Ended)
        assert told(page) == [("VE1", outcome)]
        assert page.record().sessions[0].status.value == outcome
    page = Page()
    token, code = begun(page)
    during_commit(page, 1, lambda: page.run(check(TAKES, entropy(7), token, code)))
    assert isinstance(page.run(cancel(TAKES, entropy(2), token)), Ended)
    assert told(page) == [("VE1", "approved")]


def test_whoever_loses_the_commit_reports_nothing() -> None:
    only_winners_report()


@pytest.mark.parametrize("operation", ["check", "cancel"])
@pytest.mark.parametrize("applied", [True, False])
def test_a_commit_whose_answer_was_lost_is_reported_once_it_is_known(operation: str, applied: bool) -> None:
    page = Page()
    token, code = begun(page)
    page.fault = losing(page, 1, applied=applied)
    page.run(check(TAKES, entropy(2), token, code) if operation == "check" else cancel(TAKES, entropy(2), token))
    assert told(page) == [("VE1", "approved" if operation == "check" else "canceled")]


@pytest.mark.parametrize("error", [StoreUnavailable, CommitUnknown])
@pytest.mark.parametrize("operation", ["check", "cancel", "forget"])
def test_a_commit_that_fails_reports_nothing(operation: str, error: type[Exception]) -> None:
    """Invariant 13."""
    page = Page()
    token, code = begun(page)

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit):
            raise error

    page.fault = fault
    given: dict[str, Any] = {
        "check": check(TAKES, entropy(2), token, code),
        "cancel": cancel(TAKES, entropy(2), token),
        "forget": forget(TAKES, entropy(2), NUMBER),
    }
    with pytest.raises(error):
        page.run(given[operation])
    assert told(page) == []


def test_a_resend_that_is_accepted_amid_a_check_gives_the_report_its_handle() -> None:
    page = Page(sends=[Accepted("SM1"), Accepted("SM2")])
    token, code = begun(page)
    page.now += timedelta(minutes=5)
    during_commit(page, 1, lambda: page.run(resend(TAKES, entropy(7), token, NUMBER)))
    result = page.run(check(TAKES, entropy(2), token, code))
    assert isinstance(result, Wrong)  # the new code has taken its place
    page.run(check(TAKES, entropy(3), token, page.requests(SendCode)[-1].request.code))
    assert told(page) == [("SM2", "approved")]


def test_the_lost_answer_to_a_cancellation_does_not_keep_a_verification_alive_at_its_provider() -> None:
    """Trap 3."""
    page = Page()
    given = setup(CodeOwner.PROVIDER)
    token = page.run(start(given, entropy(1), NUMBER)).session.token
    page.fault = losing(page, 1, applied=True)
    page.run(cancel(given, entropy(2), token))
    assert [one.handle for one in page.requests(CancelCode)] == ["VE1"]
