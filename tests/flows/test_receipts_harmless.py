"""A receipt changes what is known of a send and nothing else, whoever sends it and whatever fails meanwhile."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from otpcore import Approved, Received, Refusal, Refused, SendState, SessionStatus
from otpcore.contract import Accepted, Money
from otpcore.effects import Commit, Effect, Load, ReadReceipt, SendCode, Tell
from otpcore.errors import ReceiptRefused, StoreUnavailable, UsageError
from otpcore.flows import Setup, check, receipt, resend, start
from otpcore.receipts import DeliveryState
from tests.flows.hearing import GOOD, OWNS, READS, REQUEST, SAYS_NOTHING, happened, hear, opened, states, without_states
from tests.flows.script import CORE, KEY, MINUTE, NOT_SENT, NUMBER, OTHER_NUMBER, Page, entropy, losing, setup, terms

# --- nothing but the state -----------------------------------------------------------------------


def life(page: Page, news: tuple[DeliveryState, ...], given: Setup) -> list[Any]:
    """A session with every turn that a receipt could take part in, and a receipt after each of its steps."""

    def step(flow: Any) -> Any:
        answer = page.run(flow)
        for state in news:
            hear(page, happened(state, page.now), given=given)
        return answer

    answers = [step(start(given, entropy(1), NUMBER, idempotency_key=KEY))]
    token = answers[0].session.token
    page.now += 2 * MINUTE
    page.sends = [NOT_SENT, Accepted("VE1")]
    answers.append(step(resend(given, entropy(2), token, NUMBER)))
    page.now += MINUTE
    answers.append(step(resend(given, entropy(3), token, NUMBER)))
    answers += [step(check(given, entropy(4 + seed), token, "000000")) for seed in range(2)]
    page.now += 3 * MINUTE
    answers.append(step(start(given, entropy(8), NUMBER)))
    if given is READS:
        answers.append(step(check(given, entropy(9), token, page.requests(SendCode)[2].request.code)))
        assert isinstance(answers[-1], Approved)
    return answers


@pytest.mark.parametrize("given", [READS, OWNS], ids=["core", "provider"])
@pytest.mark.parametrize("news", [(DeliveryState.FAILED,), GOOD, (DeliveryState.FAILED, DeliveryState.READ)], ids=str)
def test_a_life_with_receipts_is_the_life_without(given: Setup, news: tuple[DeliveryState, ...]) -> None:
    """S15: no budget, no refund, no code, no try, no session differs."""
    told, silent = Page(), Page()
    assert life(told, news, given) == life(silent, (), given)
    assert without_states(told.record()) == without_states(silent.record())
    assert told.record().sends != silent.record().sends


def nothing_is_refunded() -> None:
    """S15: whatever a vendor says of a send, its step stays taken."""
    for state in DeliveryState:
        page = Page()
        opened(page)
        before = page.record()
        for _ in range(3):
            hear(page, happened(state))
        after = page.record()
        assert (after.ladder, [send.refunded for send in after.sends]) == (before.ladder, [False])


def nothing_is_approved() -> None:
    """S15: a message that arrived proves nothing of who holds the phone."""
    for given in (READS, OWNS):
        for state in DeliveryState:
            page = Page()
            opened(page, given)
            hear(page, happened(state), given=given)
            (session,) = page.record().sessions
            assert session.status is SessionStatus.PENDING


def test_no_receipt_refunds_or_approves() -> None:
    nothing_is_refunded()
    nothing_is_approved()


def test_an_undelivered_code_stays_until_its_own_end_though_the_next_is_refused() -> None:
    """Invariant 7."""
    page = Page(sends=[Accepted("VE1"), NOT_SENT])
    token = opened(page).session.token or ""
    code = page.requests(SendCode)[0].request.code
    hear(page, happened(DeliveryState.UNDELIVERED))
    page.now += 2 * MINUTE
    page.run(resend(READS, entropy(2), token, NUMBER))
    assert isinstance(page.run(check(READS, entropy(3), token, code)), Approved)


# --- what is refused -----------------------------------------------------------------------------


def test_a_receipt_that_the_provider_refuses_touches_no_record() -> None:
    page = Page(receipts=[ReceiptRefused("The signature is wrong.")])
    opened(page)
    page.asked.clear()
    result = page.run(receipt(READS, entropy(3), None, REQUEST))
    assert result == Refused(Refusal.INVALID_RECEIPT, detail="The signature is wrong.")
    assert page.order() == ["ReadReceipt", "ReadClock", "Tell"]


def test_a_provider_that_reads_none_or_is_not_there_refuses() -> None:
    page = Page()
    for given, name in ((READS, "nobody"), (setup(CORE), "vendor"), (READS, "")):
        result = page.run(receipt(given, entropy(3), name, REQUEST))
        assert result.kind is Refusal.INVALID_RECEIPT
        assert page.requests(ReadReceipt) == []


def test_without_a_name_there_has_to_be_one_reader() -> None:
    two = {name: terms(CORE, name, reads_receipts=True) for name in ("a", "b")}
    both = Setup("t", READS.keyring, READS.profile, READS.purposes, two)
    for given in (both, setup(CORE)):
        with pytest.raises(UsageError, match="say which"):
            Page().run(receipt(given, entropy(3), None, REQUEST))


# --- the store -----------------------------------------------------------------------------------


def test_two_at_once_apply_once() -> None:
    page = Page()
    opened(page)
    page.asked.clear()
    rival: list[Any] = []

    def race(effect: Effect) -> None:
        if isinstance(effect, Load):
            page.race = None
            rival.append(hear(page, happened(DeliveryState.DELIVERED), seed=60))

    page.race = race
    assert hear(page, happened(DeliveryState.DELIVERED)) == Received(0, 1)
    assert rival == [Received(1, 0)]
    assert states(page) == [SendState.DELIVERED]


def test_a_store_that_fails_amid_a_receipt_loses_nothing_that_was_applied() -> None:
    page = Page()
    opened(page)
    page.run(start(READS, entropy(2), OTHER_NUMBER))
    events = (happened(DeliveryState.DELIVERED), happened(DeliveryState.DELIVERED, recipient=OTHER_NUMBER))
    commits = 0

    def fault(effect: Effect) -> None:
        nonlocal commits
        commits += isinstance(effect, Commit)
        if isinstance(effect, Commit) and commits == 2:
            raise StoreUnavailable

    page.fault = fault
    page.asked.clear()
    with pytest.raises(StoreUnavailable):
        hear(page, *events)
    assert [event.name for tell in page.requests(Tell) for event in tell.events()] == ["delivery", "send.delivered"]
    page.fault = None
    assert hear(page, *events) == Received(1, 0, 1)


@pytest.mark.parametrize("applied", [True, False])
def test_a_commit_whose_answer_was_lost_leaves_the_right_state(applied: bool) -> None:
    page = Page()
    opened(page)
    page.fault = losing(page, 1, applied=applied)
    assert hear(page, happened(DeliveryState.DELIVERED)).applied == (not applied)
    assert states(page) == [SendState.DELIVERED]


# --- what is told --------------------------------------------------------------------------------


def test_what_changed_is_told_masked_and_the_call_is_told_with_its_counts() -> None:
    page = Page()
    sent = opened(page, OWNS)
    page.asked.clear()
    hear(
        page,
        happened(DeliveryState.FAILED, provider_code="30003", id="EV9"),
        happened(DeliveryState.QUEUED),
        given=OWNS,
    )
    heard, fact, other, call = [event for tell in page.requests(Tell) for event in tell.events()]
    assert (fact.name, fact.session, fact.recipient_tail) == ("send.undelivered", sent.session.id, "…23")
    assert fact.detail == {"provider": "vendor", "state": "failed", "provider_code": "30003", "receipt": "EV9"}
    assert (call.name, call.detail) == ("receipt.received", {"applied": "1", "ignored": "1", "replayed": "0"})
    assert (heard.name, heard.session, heard.detail) == ("delivery", sent.session.id, fact.detail)
    assert (other.name, other.session, other.detail["state"]) == ("delivery", "", "queued")
    assert heard.recipient_key == other.recipient_key
    assert NUMBER[1:] not in repr((heard, fact, other, call))


@pytest.mark.parametrize("state", list(DeliveryState))
def test_each_of_the_ten_states_is_told_as_one_stream_with_what_it_cost(state: DeliveryState) -> None:
    """Once for each id that the record knows; what says nothing of the end is in no record."""
    page = Page()
    opened(page)
    page.asked.clear()
    event = happened(state, provider_code="7", id="EV9", cost=Money(Decimal("0.0075"), "EUR"))
    hear(page, event)
    hear(page, event)
    told = [event for tell in page.requests(Tell) for event in tell.events() if event.name == "delivery"]
    about = {"provider": "vendor", "state": state.value, "provider_code": "7", "cost": "0.0075 EUR", "receipt": "EV9"}
    assert [event.detail for event in told] == [about] * (2 if state in SAYS_NOTHING else 1)


def test_what_is_told_of_an_ended_session_is_in_the_stream_too() -> None:
    """Most codes are typed before the vendor says that they arrived."""
    page = Page()
    opened(page)
    page.asked.clear()
    hear(page, happened(DeliveryState.DELIVERED, handle="another"))
    (told, _) = [event for tell in page.requests(Tell) for event in tell.events()]
    assert (told.name, told.session, told.detail["state"]) == ("delivery", "", "delivered")


def test_a_replayed_start_says_how_its_send_stands_now() -> None:
    page = Page()
    opened(page, idempotency_key=KEY)
    hear(page, happened(DeliveryState.DELIVERED))
    again = opened(page, seed=2, idempotency_key=KEY)
    assert (again.state, again.replayed) == (SendState.DELIVERED, True)
