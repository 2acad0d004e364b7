"""A resend through another provider: until that has accepted, the session names who has a message of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from otpcore import Refused, SendState, Sent
from otpcore.contract import Accepted
from otpcore.effects import ChooseRoute, Effect, SendCode
from otpcore.flows import Setup, resend, start
from otpcore.policy import Profile
from otpcore.routing import ranked
from tests.flows.legs import LOST, TRANSIENT, several
from tests.flows.script import CORE, MINUTE, NUMBER, Page, entropy, losing

OURS = several(CORE, CORE)
OFTEN = several(CORE, CORE, profile=Profile(name="often", source="this test", ladder=(), daily_cap=99))


@dataclass
class Turned(Page):
    """A page whose breakers put the providers in the order that the test sets."""

    route: tuple[str, ...] = ()

    def _answer(self, effect: Effect) -> Any:
        if isinstance(effect, ChooseRoute) and self.route:
            return ranked(effect.candidates, self.route)
        return super()._answer(effect)


def begun(*then: Any, route: tuple[str, ...] = ("b",), given: Setup = OURS) -> tuple[Turned, str]:
    """Provider a has accepted; the next send goes another way, which answers so."""
    page = Turned(sends=[Accepted("of-a")])
    result = page.run(start(given, entropy(1), NUMBER))
    page.now += 2 * MINUTE
    page.route, page.sends = route, list(then)
    return page, result.session.token


def at(page: Page) -> tuple[str, str | None]:
    (session,) = page.record().sessions
    return session.provider, session.handle


@pytest.mark.parametrize(("route", "refusals"), [(("b",), 1), (("a", "b"), 2), (("b", "a"), 2)])
def test_a_refused_resend_leaves_the_session_where_its_message_is(route: tuple[str, ...], refusals: int) -> None:
    page, token = begun(*[TRANSIENT] * refusals, route=route)
    assert isinstance(page.run(resend(OURS, entropy(2), token, NUMBER)), Refused)
    assert len(page.requests(SendCode)) == 1 + refusals
    assert at(page) == ("a", "of-a")
    assert page.record().sends[-1].provider == ""


def test_while_another_is_asked_it_is_named_too() -> None:
    page, token = begun(Accepted("of-b"))
    seen: list[tuple[str, str | None]] = []
    page.fault = lambda effect: seen.append(at(page)) if isinstance(effect, SendCode) else None
    result = page.run(resend(OURS, entropy(2), token, NUMBER))
    assert isinstance(result, Sent)
    assert (result.session.provider, seen, at(page)) == ("b", [("a", "of-a")], ("b", "of-b"))
    assert page.record().sends[-1].provider == ""


def test_an_answer_that_is_lost_moves_it_because_the_newest_message_may_be_there() -> None:
    page, token = begun(LOST)
    result = page.run(resend(OURS, entropy(2), token, NUMBER))
    assert isinstance(result, Sent)
    assert (result.session.provider, result.state, at(page)) == ("b", SendState.UNKNOWN, ("b", None))


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("answers", [[Accepted("of-b")], [TRANSIENT, Accepted("of-b")]], ids=["accepted", "moved"])
def test_a_lost_answer_to_a_commit_changes_nobody_who_is_asked(answers: list[Any], place: int, applied: bool) -> None:
    page, token = begun(*answers, route=("a", "b") if len(answers) > 1 else ("b",))
    page.fault = losing(page, place, applied=applied)
    assert isinstance(page.run(resend(OURS, entropy(2), token, NUMBER)), Sent)
    assert [each.provider for each in page.requests(SendCode)][1:] == (["a", "b"] if len(answers) > 1 else ["b"])
    assert at(page) == ("b", "of-b")


def test_a_lost_answer_to_what_is_not_the_newest_moves_nothing() -> None:
    page, token = begun(LOST, given=OFTEN)
    flow = resend(OFTEN, entropy(2), token, NUMBER)
    effect = next(flow)
    while not isinstance(effect, SendCode):
        effect = flow.send(page.perform(effect))
    page.route, page.sends = ("a",), [Accepted("of-a-again")]
    assert isinstance(page.run(resend(OFTEN, entropy(3), token, NUMBER)), Sent)
    page.sends = [LOST]
    page.finish(flow, effect)
    assert at(page) == ("a", "of-a-again")


def test_a_move_there_and_back_is_at_home() -> None:
    page, token = begun(TRANSIENT, Accepted("of-a-again"), route=("b", "a"))
    assert isinstance(page.run(resend(OURS, entropy(2), token, NUMBER)), Sent)
    assert at(page) == ("a", "of-a-again")
    assert page.record().sends[-1].provider == ""
