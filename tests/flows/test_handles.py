"""Trap 1: a provider-owned code opens every session that shares its verification, so none is ever lost sight of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, Ended, Sent, SessionStatus, Wait, WaitReason, Wrong
from otpcore.contract import Accepted, CheckAnswer, CheckVerdict, CodeOwner, Conflict, Version, Versioned
from otpcore.effects import CancelCode, Effect, SendCode
from otpcore.errors import ConfigurationError
from otpcore.flows import cancel, check, claim_scopes, forget, resend, start
from otpcore.flows.setup import ProviderTerms
from otpcore.ledger import sends, sessions
from otpcore.model import Handle, RecipientRecord
from tests.flows.script import NO_ANSWER, NOW, NUMBER, Page, entropy, setup, terms

PROVIDER = CodeOwner.PROVIDER
GIVEN = setup(PROVIDER)
MINUTES = timedelta(minutes=1)


def begin(page: Page, seed: int, **asked: Any) -> Any:
    return page.run(start(GIVEN, entropy(seed), NUMBER, **asked))


def during_send(page: Page, act: Callable[[], Any]) -> None:
    def race(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            page.race = None
            act()

    page.race = race


def test_another_purpose_waits_for_the_window_of_the_first() -> None:
    """Trap 1, invariant 8."""
    page = Page()
    begin(page, 1)
    page.now += 3 * MINUTES
    result = begin(page, 2, purpose="payment")
    assert isinstance(result, Wait)
    assert (result.reason, result.until) == (WaitReason.OTHER_PURPOSE, NOW + 10 * MINUTES + GIVEN.lease)


def test_sessions_that_share_a_verification_share_its_tries_and_its_success() -> None:
    """Trap 1: five tries for both; the approval is the caller's, and its sibling is cancelled."""
    page = Page()
    first = begin(page, 1)
    page.now += 2 * MINUTES
    second = begin(page, 2)
    for seed in range(4):
        assert isinstance(page.run(check(GIVEN, entropy(10 + seed), first.session.token, "000000")), Wrong)
    page.checks = [CheckAnswer(CheckVerdict.APPROVED, "VE1")]
    assert page.run(check(GIVEN, entropy(20), second.session.token, "123456")).session.id == second.session.id
    states = {one.id: one.status for one in page.record().sessions}
    assert states == {first.session.id: SessionStatus.CANCELED, second.session.id: SessionStatus.APPROVED}


def test_only_the_last_sessions_cancel_reaches_the_provider() -> None:
    """Trap 1."""
    page = Page()
    first = begin(page, 1)
    page.now += 2 * MINUTES
    second = begin(page, 2)
    page.run(cancel(GIVEN, entropy(3), first.session.token))
    assert page.requests(CancelCode) == []
    page.run(cancel(GIVEN, entropy(4), second.session.token))
    assert [one.handle for one in page.requests(CancelCode)] == ["VE1"]
    assert page.record().handles[0].ended


# Ways to lose sight of a verification that lives at the provider; each leaves the other purpose waiting.


def cancelled_before_the_answer(page: Page) -> None:
    page.sends = [NO_ANSWER]
    sent = begin(page, 1)
    page.run(cancel(GIVEN, entropy(3), sent.session.token))


def cancelled_while_in_flight(page: Page) -> None:
    during_send(page, lambda: page.run(cancel(GIVEN, entropy(3), begin_token(page))))
    assert isinstance(begin(page, 1), Ended)


def forgotten_while_in_flight(page: Page) -> None:
    during_send(page, lambda: page.run(forget(GIVEN, entropy(3), NUMBER)))
    assert isinstance(begin(page, 1), Ended)


def forgotten_where_the_provider_could_not_end_it(page: Page) -> None:
    begin(page, 1)
    page.run(forget(setup(PROVIDER, cancels=False), entropy(3), NUMBER))


def forgotten_before_the_answer(page: Page) -> None:
    page.sends = [NO_ANSWER]
    begin(page, 1)
    page.run(forget(GIVEN, entropy(3), NUMBER))


def begin_token(page: Page) -> str:
    """The token of the only session, made from the entropy that its start was given."""
    from otpcore.codes import Token

    (key,) = page.records
    return str(Token(key, entropy(1).nonce, entropy(1).secret))


LOSSES = [
    cancelled_before_the_answer,
    cancelled_while_in_flight,
    forgotten_while_in_flight,
    forgotten_where_the_provider_could_not_end_it,
    forgotten_before_the_answer,
]


def other_purpose_after(lose: Callable[[Page], None]) -> Any:
    page = Page()
    lose(page)
    page.now += 3 * MINUTES
    return begin(page, 2, purpose="payment")


@pytest.mark.parametrize("lose", LOSSES)
def test_a_verification_whose_session_is_over_keeps_other_purposes_out(lose: Callable[[Page], None]) -> None:
    """Trap 1, invariant 8: the code in the person's hand was sent for another purpose."""
    result = other_purpose_after(lose)
    assert isinstance(result, Wait)
    assert result.reason is WaitReason.OTHER_PURPOSE


@pytest.mark.parametrize("lose", LOSSES)
def test_a_ledger_that_forgets_verifications_is_found(lose: Callable[[Page], None], monkeypatch: Any) -> None:
    """The planted defect of the test above: sessions end, and what they left at the provider is not written down."""
    from otpcore.flows import delivering, ending

    def nothing(record: Any, *_: Any, **__: Any) -> Any:
        return record

    monkeypatch.setattr(sessions, "_left_behind", nothing)
    monkeypatch.setattr(delivering, "left_open", nothing)

    def erased(record: RecipientRecord) -> RecipientRecord:
        return sessions.forget(record).but(handles=())

    monkeypatch.setattr(ending, "forgotten", erased)
    assert not isinstance(other_purpose_after(lose), Wait)


def other_purpose_after_a_lost_resend(tried: CheckVerdict) -> Any:
    """A try, a resend whose answer is lost, and another purpose once the first verification cannot live any more."""
    page = Page()
    token = begin(page, 1).session.token
    page.checks = [CheckAnswer(tried, None if tried is CheckVerdict.UNKNOWN else "VE1")]
    page.run(check(GIVEN, entropy(2), token, "123456"))
    page.now += 2 * MINUTES
    page.sends = [NO_ANSWER]
    page.run(resend(GIVEN, entropy(3), token, NUMBER))
    page.now = NOW + 10 * MINUTES + GIVEN.lease
    page.handle = "VE2"
    return begin(page, 4, purpose="payment")


def test_a_lost_resend_after_a_lost_try_may_have_opened_another_verification() -> None:
    """Invariant 8: the try may have used the first one, and then the provider sent a code of a second one."""
    result = other_purpose_after_a_lost_resend(CheckVerdict.UNKNOWN)
    assert isinstance(result, Wait)
    assert (result.reason, result.until) == (WaitReason.OTHER_PURPOSE, NOW + 12 * MINUTES + GIVEN.lease)
    assert isinstance(other_purpose_after_a_lost_resend(CheckVerdict.WRONG), Sent)


def test_a_ledger_that_believes_in_the_first_verification_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect of the test above."""

    def never(_record: RecipientRecord, _handle: Handle) -> bool:
        return False

    monkeypatch.setattr(sessions, "_may_be_over", never)
    assert isinstance(other_purpose_after_a_lost_resend(CheckVerdict.UNKNOWN), Sent)


def test_the_next_send_of_the_same_purpose_joins_what_was_left_behind() -> None:
    """Trap 6: its life counts from the send that may have opened it."""
    page = Page()
    cancelled_before_the_answer(page)
    page.now += 2 * MINUTES
    assert begin(page, 2).next.expires_at == NOW + 10 * MINUTES
    (handle,) = page.record().handles
    assert (handle.id, handle.sends) == ("VE1", 2)


def test_what_was_left_behind_is_no_other_verification_once_its_life_is_over() -> None:
    page = Page()
    cancelled_before_the_answer(page)
    page.now += 10 * MINUTES + GIVEN.lease
    assert begin(page, 2, purpose="payment").next.expires_at == page.now + 10 * MINUTES


def test_a_provider_is_given_only_handles_that_live_for_this_purpose() -> None:
    page = Page()
    begin(page, 1)
    page.now += 10 * MINUTES + GIVEN.lease
    page.handle = "VE2"
    begin(page, 2, purpose="payment")
    assert [one.request.handle for one in page.requests(SendCode)] == [None, None]


def test_sends_count_per_verification_and_a_full_one_waits_for_its_window() -> None:
    """Trap 1: five sends fill Twilio's window, whichever session asked."""
    page = Page()
    begin(page, 1)
    record = page.record()
    full = record.but(handles=(record.handles[0].but(sends=5),), ladder=record.ladder.but(next_at=NOW))
    (key,) = page.records
    page.records[key] = Versioned(full.encode(), page.records[key].version)
    result = begin(page, 2)
    assert isinstance(result, Wait)
    assert (result.reason, result.until) == (WaitReason.PROVIDER_WINDOW, NOW + 10 * MINUTES)


def test_a_scope_belongs_to_one_tenant() -> None:
    """Trap 1: sharing a service across tenants is refused when an engine first works."""
    from dataclasses import replace

    shared = terms(PROVIDER)
    shared = replace(shared, capabilities=replace(shared.capabilities, scope="VA1"))

    def of(tenant: str, one: ProviderTerms = shared) -> Any:
        return replace(setup(PROVIDER, tenant=tenant), providers={"vendor": one})

    page = Page()
    page.run(claim_scopes(of("one")))
    page.run(claim_scopes(of("one")))
    with pytest.raises(ConfigurationError):
        page.run(claim_scopes(of("two")))
    flow = claim_scopes(of("three"))
    next(flow)
    flow.send(None)
    flow.send(NOW)
    with pytest.raises(ConfigurationError):
        flow.send(Conflict(Versioned(b"another", Version("1"))))
    page.run(claim_scopes(of("two", replace(shared, owner=CodeOwner.CORE))))


def test_a_late_acceptance_of_a_lost_send_is_counted_once() -> None:
    page = Page(sends=[Accepted("VE1")])
    sent = begin(page, 1)
    record = page.record()
    again = sends.left_open(record, provider="vendor", handle="VE1", purpose="login", at=NOW, lifetime=None)
    assert again.handles[0].sends == record.handles[0].sends + 1
    assert isinstance(page.run(check(GIVEN, entropy(5), sent.session.token, "000000")), Wrong)
    assert not isinstance(page.run(check(GIVEN, entropy(6), sent.session.token, "000000")), Approved)
