"""A provider that carried a code and was left behind hears that the code is over: once, when that is written down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otpcore import Approved, Ended, SendState, Sent
from otpcore.contract import Accepted
from otpcore.effects import ChooseRoute, Commit, Effect, ReportOutcome, SendCode, Tell
from otpcore.errors import StoreUnavailable
from otpcore.flows import Flow, Setup, cancel, check, forget, resend
from otpcore.receipts import Outcome
from tests.flows.legs import LOST, TRANSIENT, several
from tests.flows.script import CORE, MINUTE, NUMBER, Page, entropy, losing
from tests.flows.test_reporting import told
from tests.flows.undelivered import begun, codes, following, lost, named, tell

GIVEN = several(CORE, CORE, CORE, takes_feedback=True)
FOLLOWS = replace(following(), providers=several(CORE, CORE, CORE, takes_feedback=True, reads_receipts=True).providers)


class Spared(Page):
    """A page whose breakers send the next resend to the provider of this name first, and to a last."""

    first = "a"

    def _answer(self, effect: Effect) -> Any:
        if isinstance(effect, ChooseRoute):
            return sorted(effect.candidates, key=lambda leg: (leg.provider != self.first, leg.provider == "a"))
        return super()._answer(effect)


def moving(page: Spared, token: str, to: str, given: Setup = GIVEN, seed: int = 2) -> Flow[Any]:
    page.now += 5 * MINUTE
    page.first = to
    return resend(given, entropy(seed), token, NUMBER)


def opened(*answers: Any) -> tuple[Spared, str]:
    """A life up to the first message, which is A1."""
    page = Spared(sends=[Accepted("A1"), *answers])
    return page, begun(page, GIVEN).session.token or ""


# --- a resend that moved -------------------------------------------------------------------------


def moved_resend() -> None:
    """The old code died when the new one was accepted: who carried it is told then, and of the end nothing more."""
    page, token = opened(Accepted("B1"))
    assert isinstance(page.run(moving(page, token, "b")), Sent)
    assert page.requests(ReportOutcome) == [ReportOutcome("a", "A1", Outcome.CANCELED, 2.0)]
    assert isinstance(page.run(check(GIVEN, entropy(9), token, codes(page)[1])), Approved)
    assert told(page) == [("A1", "canceled"), ("B1", "approved")]


def test_a_resend_that_moves_tells_the_provider_that_it_leaves() -> None:
    moved_resend()


def after_the_commit() -> None:
    """The commit of the acceptance comes first, and the answer is told before."""
    page, token = opened(Accepted("B1"))
    page.asked.clear()
    page.run(moving(page, token, "b"))
    assert page.order()[-4:] == ["Commit", "Tell", "ReportOutcome", "Tell"]
    (event,) = page.requests(Tell)[-1].events()
    assert event.detail == {"provider": "a", "outcome": "canceled", "taken": "yes"}


def test_it_is_told_after_the_commit() -> None:
    after_the_commit()


def test_it_is_told_though_the_next_provider_gives_no_handle() -> None:
    page, token = opened(Accepted(None))
    page.run(moving(page, token, "b"))
    assert told(page) == [("A1", "canceled")]


def test_a_resend_that_goes_on_after_a_refusal_leaves_nobody_else() -> None:
    page, token = opened(TRANSIENT, Accepted("C1"))
    page.run(moving(page, token, "b"))
    assert told(page) == [("A1", "canceled")]


def test_who_stays_is_not_told() -> None:
    """The provider was asked with its own verification in hand."""
    page, token = opened(Accepted("A2"))
    page.run(moving(page, token, "a"))
    assert page.requests(SendCode)[1].request.handle == "A1"
    assert told(page) == []


@pytest.mark.parametrize("answers", [(TRANSIENT, TRANSIENT, TRANSIENT), (LOST,)], ids=["refused", "lost"])
def test_a_code_that_may_still_be_typed_is_not_said_to_be_over(answers: tuple[Any, ...]) -> None:
    """Invariant 7: until another is accepted the person's code lives, and so does its carrier's part."""
    page, token = opened(*answers)
    page.run(moving(page, token, "b"))
    assert told(page) == []
    assert isinstance(page.run(check(GIVEN, entropy(9), token, codes(page)[0])), Approved)
    assert told(page) == [("A1", "approved")]


def lost_meanwhile() -> None:
    """The session went to b, whose answer was lost: what a has is still known, whatever ends it."""
    for ends in ("cancel", "forget", "moves on"):
        page, token = opened(LOST, Accepted("C1"))
        page.run(moving(page, token, "b"))
        assert page.record().sessions[0].provider == "b"
        assert told(page) == []
        flows: dict[str, Any] = {
            "cancel": lambda token=token: cancel(GIVEN, entropy(9), token),
            "forget": lambda: forget(GIVEN, entropy(9), NUMBER),
            "moves on": lambda page=page, token=token: moving(page, token, "c", seed=3),
        }
        page.run(flows[ends]())
        assert told(page) == [("A1", "canceled")], ends


def test_an_answer_that_was_lost_meanwhile_loses_nobody() -> None:
    lost_meanwhile()


def test_who_is_asked_again_after_a_lost_answer_has_its_verification_in_hand() -> None:
    page, token = opened(LOST, Accepted("A2"))
    page.run(moving(page, token, "b"))
    page.run(moving(page, token, "a", seed=3))
    assert page.requests(SendCode)[-1].request.handle == "A1"
    assert told(page) == []


def unwritten() -> None:
    """Invariant 13: the old code matches as long as nobody knows of the new one."""
    page, token = opened(Accepted("B1"))
    flow, sent = moving(page, token, "b"), 0

    def fault(effect: Effect) -> None:
        nonlocal sent
        sent += isinstance(effect, SendCode)
        if sent and isinstance(effect, Commit):
            raise StoreUnavailable

    page.fault = fault
    assert page.run(flow).state is SendState.RESERVED
    assert told(page) == []
    page.fault = None
    assert isinstance(page.run(check(GIVEN, entropy(9), token, codes(page)[0])), Approved)
    assert told(page) == [("A1", "approved")]


def test_what_is_not_written_down_is_not_told() -> None:
    unwritten()


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [1, 2])
def test_a_lost_answer_to_a_commit_tells_once(place: int, applied: bool) -> None:
    """Trap 3."""
    page, token = opened(Accepted("B1"))
    page.fault = losing(page, place, applied=applied)
    page.run(moving(page, token, "b"))
    assert told(page) == [("A1", "canceled")]


# --- dead on arrival -----------------------------------------------------------------------------


def during_send(page: Page, act: Any) -> None:
    """Act while the next message is on its way to its provider."""

    def fault(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            page.fault = None
            act()

    page.fault = fault


@pytest.mark.parametrize("ends", ["check", "cancel", "forget"])
def test_a_code_whose_session_is_over_when_it_is_accepted_is_told_over(ends: str) -> None:
    page, token = opened(Accepted("B1"))
    flows: dict[str, Any] = {
        "check": lambda: check(GIVEN, entropy(9), token, codes(page)[0]),
        "cancel": lambda: cancel(GIVEN, entropy(9), token),
        "forget": lambda: forget(GIVEN, entropy(9), NUMBER),
    }
    during_send(page, lambda: page.run(flows[ends]()))
    assert isinstance(page.run(moving(page, token, "b")), Ended)
    assert told(page) == [("A1", "approved" if ends == "check" else "canceled"), ("B1", "canceled")]


def test_a_code_that_is_accepted_after_a_newer_one_is_told_over() -> None:
    page, token = opened()

    def faster() -> None:
        page.sends[:] = [Accepted("C1")]
        page.run(moving(page, token, "c", seed=3))
        page.sends[:] = [Accepted("B1")]

    during_send(page, faster)
    page.run(moving(page, token, "b"))
    assert told(page) == [("A1", "canceled"), ("B1", "canceled")]
    assert page.record().sessions[0].handle == "C1"


def test_what_another_live_session_uses_is_not_over() -> None:
    page = Spared(sends=[Accepted("A1"), Accepted("A1"), Accepted("B1")])
    begun(page, GIVEN)
    page.now += 2 * MINUTE
    token = begun(page, GIVEN, seed=5).session.token or ""
    page.run(moving(page, token, "b"))
    assert told(page) == []


# --- after a message that did not arrive ---------------------------------------------------------


def followed() -> None:
    """Who sent what did not arrive may go on by itself, and hears that another code took its place."""
    page = named()
    token = begun(page, FOLLOWS).session.token or ""
    assert tell(page, FOLLOWS, "a", lost("A1")).failed_over == 1
    assert told(page) == [("A1", "canceled")]
    assert tell(page, FOLLOWS, "b", lost("B1")).failed_over == 1
    assert isinstance(page.run(check(FOLLOWS, entropy(9), token, codes(page)[-1])), Approved)
    assert told(page) == [("A1", "canceled"), ("B1", "canceled"), ("C1", "approved")]


def test_who_sent_what_did_not_arrive_is_told_when_another_has_accepted() -> None:
    followed()


@pytest.mark.parametrize("answers", [(TRANSIENT, TRANSIENT), (LOST,)], ids=["refused", "lost"])
def test_where_nobody_followed_it_is_told_of_the_end(answers: tuple[Any, ...]) -> None:
    page = Page(sends=[Accepted("A1"), *answers])
    token = begun(page, FOLLOWS).session.token or ""
    tell(page, FOLLOWS, "a", lost("A1"))
    assert told(page) == []
    assert isinstance(page.run(check(FOLLOWS, entropy(9), token, codes(page)[0])), Approved)
    assert told(page) == [("A1", "approved")]


def test_a_move_costs_no_effect_where_nobody_takes_feedback() -> None:
    orders: list[list[str]] = []
    for given in (several(CORE, CORE, CORE), GIVEN):
        page = Spared(sends=[Accepted("A1"), Accepted("B1")])
        token = begun(page, given).session.token or ""
        page.run(moving(page, token, "b", given))
        orders.append(page.order())
    assert orders[1] == [*orders[0], "ReportOutcome", "Tell"]
