"""An end that is told before its send is settled is not lost: the vendor is to tell it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from otpcore import Received, SendState
from otpcore.contract import Accepted
from otpcore.effects import Commit, Effect, SendCode, Tell
from otpcore.flows import Flow, Setup, cancel, resend, start
from otpcore.receipts import DeliveryState
from tests.flows.hearing import BAD, GOOD, OWNS, READS, SAYS_NOTHING, happened, hear, opened, states
from tests.flows.script import MINUTE, NO_ANSWER, NOT_SENT, NOW, NUMBER, OTHER_NUMBER, Page, entropy
from tests.flows.undelivered import asked_of, begun, following, lost, named, names, tell

EARLY = Received(0, 0, early=1)


def during_send(page: Page, act: Any, place: int = 1) -> list[Any]:
    """What comes of something while the message of this number is on its way to its provider."""
    seen: list[Any] = []
    sends = 0

    def fault(effect: Effect) -> None:
        nonlocal sends
        if isinstance(effect, SendCode):
            sends += 1
            if sends == place:
                seen.append(act())

    page.fault = fault
    return seen


@pytest.mark.parametrize("given", [READS, OWNS], ids=["core", "provider"])
@pytest.mark.parametrize("state", [*GOOD, *BAD])
def test_an_end_that_comes_before_its_send_is_settled_is_taken_when_it_is_told_again(
    given: Setup, state: DeliveryState
) -> None:
    page, event = Page(), happened(state)
    seen = during_send(page, lambda: hear(page, event, given=given))
    opened(page, given)
    assert seen == [EARLY]
    assert states(page) == [SendState.ACCEPTED]
    assert hear(page, event, given=given) == Received(1, 0)
    assert states(page) == [SendState.DELIVERED if state in GOOD else SendState.UNDELIVERED]


def not_lost() -> None:
    """Delivery-confirmed failover goes on, though the vendor was faster than the settlement."""
    page, given, event = named(), following(), lost("A1")
    seen = during_send(page, lambda: tell(page, given, "a", event))
    begun(page, given)
    page.fault = None
    assert seen == [EARLY]
    assert asked_of(page) == ["a"]
    assert tell(page, given, "a", event) == Received(1, 0, 0, 1)
    assert asked_of(page) == ["a", "b"]


def test_an_early_bad_end_is_followed_when_it_is_told_again() -> None:
    not_lost()


def test_what_is_early_writes_nothing_and_is_told_of_once() -> None:
    page, event = Page(), happened(DeliveryState.FAILED)

    def early() -> Any:
        page.asked.clear()
        told = hear(page, event)
        return told, page.requests(Commit), names(page), page.requests(Tell)[-1].events()[-1].detail

    seen = during_send(page, early)
    opened(page)
    ((told, commits, events, detail),) = seen
    assert told == EARLY
    assert commits == []
    assert events == ["receipt.received"]
    assert detail == {"applied": "0", "ignored": "0", "replayed": "0", "early": "1"}


def test_what_else_is_in_the_receipt_is_taken_and_a_replay_afterwards() -> None:
    page = Page(sends=[Accepted("SM1"), Accepted("SM2")])
    token = opened(page).session.token or ""
    page.now += 2 * MINUTE
    both = happened(DeliveryState.DELIVERED, handle="SM1"), happened(DeliveryState.DELIVERED, None, handle="SM2")
    seen = during_send(page, lambda: hear(page, *both))
    page.run(resend(READS, entropy(2), token, NUMBER))
    assert seen == [Received(1, 0, early=1)]
    assert hear(page, *both) == Received(1, 0, 1)
    assert states(page) == [SendState.DELIVERED, SendState.DELIVERED]


def not_swallowed() -> None:
    """A code of the provider's: both messages have one handle."""
    page = Page()
    token = opened(page, OWNS).session.token or ""
    page.now += 2 * MINUTE
    event = happened(DeliveryState.UNDELIVERED, None)
    seen = during_send(page, lambda: hear(page, event, given=OWNS))
    page.run(resend(OWNS, entropy(2), token, NUMBER))
    assert seen == [EARLY]
    assert hear(page, event, given=OWNS) == Received(1, 0)
    assert states(page) == [SendState.ACCEPTED, SendState.UNDELIVERED]


def test_an_end_of_a_verification_whose_next_send_is_on_its_way_is_not_swallowed() -> None:
    not_swallowed()


def test_an_end_of_the_provider_that_the_session_goes_to_is_early_and_none_of_the_one_it_leaves() -> None:
    page, given = Page(sends=[Accepted("A1"), NO_ANSWER, Accepted("B1")]), following()
    token = begun(page, given).session.token or ""
    page.now += 2 * MINUTE
    page.run(resend(given, entropy(2), token, NUMBER))
    page.now += 5 * MINUTE
    told: list[Any] = [(name, happened(DeliveryState.DELIVERED, None, handle="X1")) for name in ("a", "b", "c")]
    seen = during_send(page, lambda: [tell(page, given, name, event) for name, event in told])
    page.run(resend(given, entropy(3), token, NUMBER))
    assert seen == [[Received(0, 1), EARLY, Received(0, 1)]]


def begin() -> Flow[Any]:
    return start(READS, entropy(1), NUMBER)


# --- when not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", SAYS_NOTHING)
def test_what_says_nothing_of_the_end_is_never_early(state: DeliveryState) -> None:
    page = Page()
    seen = during_send(page, lambda: hear(page, happened(state)))
    opened(page)
    assert seen == [Received(0, 1)]


@pytest.mark.parametrize("answer", [Accepted("SM1"), NO_ANSWER, NOT_SENT], ids=["accepted", "lost", "refused"])
def test_what_is_of_nothing_known_is_ignored_once_nothing_is_on_its_way(answer: Any) -> None:
    page = Page(sends=[answer])
    page.run(begin())
    assert hear(page, happened(DeliveryState.DELIVERED, handle="SM9")) == Received(0, 1)


@pytest.mark.parametrize(
    "stranger",
    [{"recipient": OTHER_NUMBER}, {"recipient": None}, {"handle": None}, {"at": NOW - timedelta(seconds=6)}],
    ids=str,
)
def test_what_cannot_be_of_the_message_on_its_way_is_ignored(stranger: dict[str, Any]) -> None:
    page = Page()
    seen = during_send(page, lambda: hear(page, happened(DeliveryState.DELIVERED, **stranger)))
    opened(page)
    assert seen == [Received(0, 1)]


def test_a_session_that_is_over_waits_for_nothing() -> None:
    page = Page()
    token = opened(page).session.token or ""
    page.now += 2 * MINUTE

    def over() -> Any:
        page.run(cancel(READS, entropy(9), token))
        return hear(page, happened(DeliveryState.DELIVERED, None, handle="SM2"))

    seen = during_send(page, over)
    page.run(resend(READS, entropy(2), token, NUMBER))
    assert seen == [Received(0, 1)]


def test_nobody_is_asked_to_tell_again_after_the_lease() -> None:
    page = Page()

    def crash(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            raise KeyboardInterrupt

    page.fault = crash
    with pytest.raises(KeyboardInterrupt):
        page.run(begin())
    page.fault = None
    event = happened(DeliveryState.DELIVERED, None)
    assert hear(page, event) == EARLY
    page.now += READS.lease
    assert hear(page, event) == Received(0, 1)
