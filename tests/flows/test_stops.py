"""A provider has stopped the sends to a recipient: no later send goes around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Ended, Refusal, Refused, Sent, Wait, WaitReason
from otpcore.contract import Accepted, Failure, FailureKind, FailureScope, SendEffect
from otpcore.effects import ChooseRoute, Commit, Effect, SendCode
from otpcore.flows import Setup, check, forget, resend, start
from otpcore.model import RecipientRecord
from otpcore.policy import Profile
from otpcore.routing import STOPS, ranked
from tests.flows.legs import LOST, OFTEN, TRANSIENT, failure, several, ways
from tests.flows.script import CORE, MINUTE, NOW, NUMBER, OTHER_NUMBER, PROVIDER, Page, entropy, losing
from tests.flows.undelivered import following, lost, reasons, tell

HOUR = timedelta(hours=1)
FRAUD = failure(FailureKind.FRAUD_SUSPECTED)
FRAUD_MAYBE = failure(FailureKind.FRAUD_SUSPECTED, SendEffect.UNKNOWN)
OPTED_OUT = failure(FailureKind.OPTED_OUT)
SOME_LIMIT = failure(FailureKind.RATE_LIMITED, scope=FailureScope.RECIPIENT)

JUDGED = pytest.mark.parametrize(
    ("said", "lasts"),
    [
        (FRAUD, 24 * HOUR),
        (FRAUD_MAYBE, 24 * HOUR),
        (OPTED_OUT, 24 * HOUR),
        (OFTEN, 3 * MINUTE),
        (SOME_LIMIT, 10 * MINUTE),
        (failure(FailureKind.RATE_LIMITED, scope=FailureScope.RECIPIENT, retry_after=timedelta(days=9)), 24 * HOUR),
    ],
    ids=lambda each: each.kind.value if isinstance(each, Failure) else str(each),
)


@dataclass
class Turned(Page):
    """A page whose breakers put the providers in the order that the test sets."""

    route: tuple[str, ...] = ()

    def _answer(self, effect: Effect) -> Any:
        if isinstance(effect, ChooseRoute) and self.route:
            return ranked(effect.candidates, self.route)
        return super()._answer(effect)


def begun(page: Page, given: Setup, seed: int, number: str = NUMBER, **asked: Any) -> Any:
    return page.run(start(given, entropy(seed), number, **asked))


def asked_of(page: Page) -> list[str]:
    return [each.provider for each in page.requests(SendCode)]


def stopped(said: Failure, given: Setup) -> Turned:
    """Provider a has said so, and the next start would go to b first."""
    page = Turned(sends=[said])
    begun(page, given, 1)
    page.route = ("b", "a")
    return page


@JUDGED
def test_the_next_start_goes_to_the_provider_that_stopped_the_last(said: Failure, lasts: timedelta) -> None:
    """DESIGN 7: to fail over would be the attacker's bypass, and so would be to start again."""
    given = several()
    page = stopped(said, given)
    if said.effect is SendEffect.UNKNOWN:
        page.now += 2 * MINUTE  # the step was kept
    page.sends = [said]
    begun(page, given, 2)
    assert asked_of(page) == ["a", "a"]
    page.now += lasts
    assert isinstance(begun(page, given, 3), Sent)
    assert asked_of(page) == ["a", "a", "b"]
    assert page.record().stop is None


@JUDGED
def test_it_is_over_when_its_time_is(said: Failure, lasts: timedelta) -> None:
    given = several()
    page = stopped(said, given)
    stop = page.record().stop
    assert stop is not None
    assert (stop.provider, stop.kind, stop.until_ms - stop.at_ms) == (
        "a",
        said.kind.value,
        lasts // timedelta(milliseconds=1),
    )


@JUDGED
def test_without_that_provider_among_the_ways_nobody_is_asked(said: Failure, lasts: timedelta) -> None:
    page = stopped(said, several())
    without = several(CORE, CORE, routing=ways(("b", "")))
    before = page.record().stop
    result = begun(page, without, 2)
    assert asked_of(page) == ["a"]
    until = NOW + lasts
    if said.kind is FailureKind.RATE_LIMITED:
        assert isinstance(result, Wait)
        assert (result.until, result.reason) == (until, WaitReason.PROVIDER_WINDOW)
    else:
        assert isinstance(result, Refused)
        assert (result.kind.value, result.next.resend_at) == (said.kind.value, until)
    assert page.record().stop == before
    assert isinstance(begun(page, without, 3, number=OTHER_NUMBER), Sent)


def test_the_provider_that_is_asked_again_hands_it_to_nobody() -> None:
    """It judges again; a failure of another kind is no way around it either."""
    given = several()
    page = stopped(FRAUD, given)
    page.sends = [TRANSIENT]
    result = begun(page, given, 2)
    assert isinstance(result, Refused)
    assert result.kind is Refusal.TRANSIENT
    assert asked_of(page) == ["a", "a"]


def test_its_success_lifts_it() -> None:
    given = several()
    page = stopped(FRAUD, given)
    assert isinstance(begun(page, given, 2), Sent)
    assert page.record().stop is None
    page.now += 2 * MINUTE
    begun(page, given, 3)
    assert asked_of(page) == ["a", "a", "b"]


def test_a_success_that_was_under_way_before_lifts_nothing() -> None:
    given = several()
    page = Turned()
    flow = start(given, entropy(1), NUMBER)
    effect = next(flow)
    while not isinstance(effect, SendCode):
        effect = flow.send(page.perform(effect))
    page.now += 2 * MINUTE
    page.sends = [FRAUD]
    begun(page, given, 2)
    page.sends = [Accepted("late")]
    page.now += timedelta(seconds=1)
    page.finish(flow, effect)
    assert page.record().stop is not None


@pytest.mark.parametrize("owner", [CORE, PROVIDER])
def test_a_resend_of_another_session_goes_there_or_nowhere(owner: Any) -> None:
    """The session lives at b, and a has stopped the recipient since."""
    given = several(owner, owner)
    page = Turned(route=("b", "a"))
    first = begun(page, given, 1, purpose="payment")
    page.now += 2 * MINUTE
    page.sends = [FRAUD]
    only_a = several(owner, owner, routing=ways(("a", "")))
    assert isinstance(begun(page, only_a, 2), Refused)
    page.now += 5 * MINUTE
    result = page.run(resend(given, entropy(3), first.session.token, NUMBER))
    asked = asked_of(page)
    assert asked[:2] == ["b", "a"]
    if owner is CORE:
        assert isinstance(result, Sent)
        assert asked[2:] == ["a"]
    else:
        assert isinstance(result, Refused)
        assert (result.kind, asked[2:]) == (Refusal.FRAUD_SUSPECTED, [])


def test_another_send_that_fails_meanwhile_does_not_go_on_around_it() -> None:
    given = several(CORE, CORE, CORE, profile=Profile(name="often", source="this test", ladder=()))
    page = Turned()
    flow = start(given, entropy(1), NUMBER)
    effect = next(flow)
    while not isinstance(effect, SendCode):
        effect = flow.send(page.perform(effect))
    page.route, page.sends = ("c", "a", "b"), [FRAUD]
    begun(page, given, 2, purpose="payment")
    page.sends = [TRANSIENT]
    result = page.finish(flow, effect)
    assert isinstance(result, Sent)
    assert asked_of(page) == ["c", "a", "c"]


def test_the_longer_of_two_stops_is_kept() -> None:
    given = several()
    page = stopped(FRAUD, given)
    before = page.record().stop
    page.sends = [OFTEN]
    page.now += MINUTE
    begun(page, given, 2)
    assert page.record().stop == before


def test_the_longer_one_is_kept_where_both_came_in_one_millisecond() -> None:
    """What was written after the send was reserved is its own answer only if it lasts as long."""
    given = several()
    page = stopped(OFTEN, given)
    page.sends = [SOME_LIMIT]
    begun(page, given, 2)
    stop = page.record().stop
    assert stop is not None
    assert stop.until_ms - stop.at_ms == 10 * MINUTE // timedelta(milliseconds=1)


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_to_the_commit_writes_it_once(applied: bool) -> None:
    given = several()
    page = Page(sends=[FRAUD])
    page.fault = losing(page, 2, applied=applied)
    begun(page, given, 1)
    assert page.record().stop is not None
    assert len(page.requests(Commit)) == 2 + (not applied)


def test_it_outlives_session_and_forgetting() -> None:
    given = several()
    page = stopped(FRAUD, given)
    page.now += MINUTE
    page.run(forget(given, entropy(2), NUMBER))
    assert not page.record().sessions
    page.sends = [FRAUD]
    begun(page, given, 3)
    assert asked_of(page) == ["a", "a"]


def test_a_clock_that_is_set_back_makes_it_no_longer() -> None:
    given = several()
    page = stopped(OFTEN, given)
    page.now -= 30 * HOUR
    page.sends = [TRANSIENT]
    begun(page, given, 2)
    assert asked_of(page) == ["a", "a"]
    page.now += 3 * MINUTE
    begun(page, given, 3)
    assert asked_of(page)[2] == "b"


def test_an_accounts_limit_an_unknown_number_and_a_lost_answer_stop_no_later_send() -> None:
    for said in (failure(FailureKind.RATE_LIMITED), failure(FailureKind.INVALID_RECIPIENT), LOST, TRANSIENT):
        page = Page(sends=[said, said])
        begun(page, several(), 1)
        assert page.record().stop is None
    assert set(STOPS) == {FailureKind.FRAUD_SUSPECTED, FailureKind.OPTED_OUT, FailureKind.RATE_LIMITED}


def test_a_record_without_one_is_written_as_before() -> None:
    page = Page()
    begun(page, several(), 1)
    (stored,) = page.records.values()
    assert b"stop" not in stored.data
    assert RecipientRecord.decode(stored.data).stop is None


def test_a_right_code_of_a_session_elsewhere_lifts_nothing() -> None:
    given = several()
    page = Turned(route=("b", "a"))
    first = begun(page, given, 1)
    code = page.requests(SendCode)[0].request.code
    page.now += 2 * MINUTE
    page.route, page.sends = ("a", "b"), [FRAUD]
    begun(page, given, 2, purpose="payment")
    assert not isinstance(page.run(check(given, entropy(3), first.session.token, code)), Ended)
    assert page.record().stop is not None


def test_nothing_follows_an_undelivered_message_while_it_holds() -> None:
    """Nobody asks for what follows: it does nothing that a person could not."""
    given, page = following(), Page(sends=[Accepted("A1"), FRAUD])
    begun(page, given, 1)
    page.now += 2 * MINUTE
    assert isinstance(begun(page, given, 2, purpose="payment"), Refused)
    tell(page, given, "a", lost("A1"))
    assert (asked_of(page), reasons(page)) == (["a", "a"], ["stopped by a provider"])
