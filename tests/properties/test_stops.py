"""Whatever is answered, and in whatever order the providers are taken: no send goes around a stop that is in force."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from otpcore import Sent
from otpcore.contract import Accepted, Failure, FailureKind, FailureScope, SendEffect
from otpcore.effects import SendCode
from otpcore.flows import resend, start
from otpcore.policy import Profile
from otpcore.routing import Leg, Routing, Rule, Strategy
from tests.flows.legs import several
from tests.flows.script import CORE, NUMBER, PROVIDER, Page, entropy

OFTEN_ASKED = Profile(name="often", source="this test", ladder=(), daily_cap=200, live_sessions=9)

SAID = st.sampled_from(
    [
        Accepted("h"),
        *[
            Failure(kind, effect, scope=FailureScope.RECIPIENT)
            for kind in (
                FailureKind.FRAUD_SUSPECTED,
                FailureKind.OPTED_OUT,
                FailureKind.RATE_LIMITED,
                FailureKind.TRANSIENT,
                FailureKind.TIMEOUT,
            )
            for effect in SendEffect
        ],
        Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, scope=FailureScope.RECIPIENT, retry_after=timedelta(1)),
    ]
)
CALLS = st.lists(st.tuples(st.booleans(), st.integers(0, 400)), min_size=2, max_size=12)
LONGEST = {FailureKind.FRAUD_SUSPECTED: timedelta(1), FailureKind.OPTED_OUT: timedelta(1)}


def lasts(said: Failure) -> timedelta | None:
    """How long it stops, by the requirement; None: not at all."""
    if said.kind is FailureKind.RATE_LIMITED:
        return said.retry_after or timedelta(minutes=10)
    return LONGEST.get(said.kind)


def live(owner: object, answers: list[Accepted | Failure], calls: list[tuple[bool, int]]) -> list[str]:
    """One life of a recipient; the names of the providers that were asked."""
    legs = tuple(Leg(name, weight=weight) for name, weight in (("a", 1), ("b", 2), ("c", 3)))
    routing = Routing((Rule(legs=legs, strategy=Strategy.WEIGHTED, failover_on_unknown=owner is CORE),))
    owners = (CORE if owner is CORE else PROVIDER,) * 3
    setup = several(*owners, routing=routing, profile=OFTEN_ASKED)
    page, seen = Page(), 0
    token: str | None = None
    by: str | None = None
    until: datetime = page.now
    for seed, (again, minutes) in enumerate(calls, 1):
        page.now += timedelta(minutes=minutes)
        given_now = list(answers)
        page.sends = list(answers)
        if again and token:
            result = page.run(resend(setup, entropy(seed), token, NUMBER))
        else:
            result = page.run(start(setup, entropy(seed), NUMBER))
        token = result.session.token if isinstance(result, Sent) else token
        asked = [each.provider for each in page.requests(SendCode)][seen:]
        for place, name in enumerate(asked):
            if by is not None and page.now < until:
                assert name == by, (name, by, page.now, until)
            said = given_now[place] if place < len(given_now) else Accepted("h")
            if isinstance(said, Accepted):
                by = None if by == name else by
            elif (held := lasts(said)) is not None and (by is None or page.now + held >= until):
                by, until = name, page.now + held
        seen += len(asked)
        answers = answers[len(asked) :]
    return [each.provider for each in page.requests(SendCode)]


@settings(max_examples=200)
@given(st.sampled_from([CORE, PROVIDER]), st.lists(SAID, max_size=14), CALLS)
def test_no_send_goes_around_a_stop_that_is_in_force(
    owner: object, answers: list[Accepted | Failure], calls: list[tuple[bool, int]]
) -> None:
    live(owner, answers, calls)


def test_such_lives_reach_every_provider_where_nothing_stops() -> None:
    assert set(live(CORE, [], [(False, 1)] * 40)) == {"a", "b", "c"}
