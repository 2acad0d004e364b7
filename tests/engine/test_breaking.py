"""Breakers: what opens one, for how long, what closes it, and that one caller at a time tries a provider out.

Rules of this file: the clock is a number that the test sets; callers that must meet are made to meet.
"""

from __future__ import annotations

import itertools
import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from otpcore.contract import Accepted, CheckAnswer, CheckVerdict, Failure, FailureKind, FailureScope, SendEffect
from otpcore.engine import breaking
from otpcore.engine.breaking import LONGEST_LIMIT_S, LONGEST_S, MOST, RULES, UNKNOWNS, Breakers, Change, Probe, Scope
from otpcore.routing import Leg

BY_RATE = [kind for kind, rule in RULES.items() if not rule.at_once]
AT_ONCE = [kind for kind, rule in RULES.items() if rule.at_once]
RECIPIENTS_OWN = {
    FailureKind.INVALID_RECIPIENT,
    FailureKind.OPTED_OUT,
    FailureKind.CHANNEL_UNREACHABLE,
    FailureKind.FRAUD_SUSPECTED,
}
TIMEOUT_S = 8.0


class World:
    """Breakers, and the clock that they read."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.breakers = Breakers(lambda: self.now)

    def said(
        self, answer: Any, provider: str = "a", *, took: float = 0.0, channel: str = "sms", region: str = "CM"
    ) -> Sequence[Change]:
        """The provider answers to a send."""
        if isinstance(answer, FailureKind):
            answer = Failure(answer, SendEffect.UNKNOWN if answer in BY_RATE else SendEffect.NOT_SENT)
        began = self.now - took
        return self.breakers.heard(provider, channel, region, answer, began=began, timeout_s=TIMEOUT_S)

    def checked(self, verdict: CheckVerdict, provider: str = "a") -> Sequence[Change]:
        """The provider answers to a check."""
        return self.breakers.checked(provider, CheckAnswer(verdict), began=self.now, timeout_s=TIMEOUT_S)

    def order(
        self, *route: str, probes: list[Probe] | None = None, channel: str = "sms", region: str = "CM"
    ) -> tuple[str, ...]:
        """A route, on one channel, of a start that ends at once, unless its probes are asked for."""
        lent = probes if probes is not None else []
        legs = [Leg(name, channel) for name in route or ("a", "b", "c")]
        ordered = tuple(leg.provider for leg in self.breakers.order(legs, region, lent))
        if probes is None:
            self.breakers.release(lent)
        return ordered

    def is_open(self, *, channel: str = "sms", region: str = "CM") -> bool:
        """Whether "a" is spared."""
        return self.order(channel=channel, region=region)[0] != "a"

    def opened(self, kind: FailureKind) -> None:
        """Open "a" by this kind."""
        for _ in range(1 if RULES[kind].at_once else UNKNOWNS):
            self.said(kind)
        assert self.is_open()


@pytest.fixture
def world() -> World:
    return World()


# --- the table -------------------------------------------------------------------------------


def test_every_kind_opens_a_breaker_or_is_a_recipients_own() -> None:
    assert set(RULES) | RECIPIENTS_OWN == set(FailureKind)
    assert not set(RULES) & RECIPIENTS_OWN


def recipients_own_failures_open_nothing() -> None:
    """Somebody who can bring one about would switch a provider off for a region, with a number of their own."""
    world = World()
    failures = [Failure(kind, SendEffect.NOT_SENT, retry_after=timedelta(hours=1)) for kind in sorted(RECIPIENTS_OWN)]
    failures += [Failure(kind, SendEffect.NOT_SENT, scope=FailureScope.RECIPIENT) for kind in FailureKind]
    for failure in failures * 50:
        assert world.said(failure) == ()
        assert not world.is_open(), failure.kind


def test_what_one_recipient_can_bring_about_opens_nothing() -> None:
    recipients_own_failures_open_nothing()


@pytest.mark.parametrize("kind", AT_ONCE)
def test_one_failure_opens_where_it_is_certain(world: World, kind: FailureKind) -> None:
    (change,) = world.said(kind)
    assert (change.opened, change.provider, change.kind) == (True, "a", kind)
    assert world.order() == ("b", "c", "a")
    world.now += RULES[kind].opens_s - 0.001
    assert world.is_open()
    world.now += 0.001
    assert not world.is_open()


@pytest.mark.parametrize("kind", BY_RATE)
def test_what_is_unknown_opens_when_half_of_the_recent_answers_are(world: World, kind: FailureKind) -> None:
    for _ in range(UNKNOWNS - 1):
        assert world.said(kind) == ()
        world.said(Accepted(None))
        assert not world.is_open()
    (change,) = world.said(kind)
    assert change.kind is kind
    assert world.is_open()


def test_fewer_than_half_open_nothing_however_many_they_become(world: World) -> None:
    for _ in range(50):
        world.said(FailureKind.TIMEOUT)
        for _ in range(2):
            world.said(Accepted(None))
        assert not world.is_open()


def test_unknown_answers_of_long_ago_count_no_more(world: World) -> None:
    for _ in range(50):
        world.said(FailureKind.TIMEOUT)
        world.now += breaking.WINDOW_S / 3
    assert not world.is_open()


@pytest.mark.parametrize("kind", list(RULES))
def test_a_breaker_is_as_wide_as_its_failure(world: World, kind: FailureKind) -> None:
    world.opened(kind)
    scope = RULES[kind].scope
    assert world.is_open(region="US") == (scope is not Scope.REGION)
    assert world.is_open(channel="call") == (scope is Scope.PROVIDER)
    assert world.order("b", "c") == ("b", "c")


def test_where_the_region_is_not_told_it_is_the_channel(world: World) -> None:
    for _ in range(UNKNOWNS - 1):
        assert world.said(FailureKind.TRANSIENT, region="") == ()
    (change,) = world.said(FailureKind.TRANSIENT, region="")
    assert (change.channel, change.region) == ("sms", "*")
    assert world.is_open(region="US")
    assert world.is_open(region="")
    world.said(Accepted(None), region="")
    assert not world.is_open(region="US")


def one_person_opens_nothing_wide() -> None:
    """What somebody can bring about with one call of their own: a text of theirs, an address, a limit met by asking."""
    for said, region in [
        (Failure(FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT, retry_after=timedelta(hours=1)), "CM"),
        *[(Failure(kind, SendEffect.NOT_SENT), "") for kind, rule in RULES.items() if rule.scope is Scope.REGION],
    ]:
        world = World()
        for _ in range(UNKNOWNS - 1):
            assert world.said(said, region=region) == (), said.kind
            world.said(Accepted(None), region=region)
            assert not world.is_open(region=region)
    world = World()
    world.said(Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, retry_after=timedelta(hours=1)))
    world.now += LONGEST_LIMIT_S
    assert not world.is_open()


def test_one_person_alone_spares_no_provider_for_all() -> None:
    one_person_opens_nothing_wide()


@pytest.mark.parametrize(
    ("kind", "asked", "for_s"),
    [
        (FailureKind.RATE_LIMITED, timedelta(seconds=40), 40),
        (FailureKind.RATE_LIMITED, timedelta(days=30), LONGEST_LIMIT_S),
        (FailureKind.RATE_LIMITED, timedelta(seconds=-5), 0),
        (FailureKind.QUOTA_EXHAUSTED, timedelta(days=30), LONGEST_S),
    ],
)
def test_a_vendor_says_how_long_within_bounds(world: World, kind: FailureKind, asked: timedelta, for_s: float) -> None:
    world.said(Failure(kind, SendEffect.NOT_SENT, retry_after=asked))
    world.now += max(for_s - 0.001, 0)
    assert world.is_open() == (for_s > 0)
    world.now += 0.002
    assert not world.is_open()


# --- routes ----------------------------------------------------------------------------------


def test_no_route_becomes_empty_and_the_soonest_to_close_is_the_first_of_the_spared(world: World) -> None:
    """Whatever is open, somebody is tried: a vendor's hiccup is no outage of one's own."""
    world.said(FailureKind.QUOTA_EXHAUSTED, "a")
    world.said(FailureKind.TRANSIENT, "b")
    world.said(FailureKind.MISCONFIGURED, "c")
    assert world.order() == ("b", "c", "a")
    assert world.order("a") == ("a",)


def test_a_route_keeps_its_names_whatever_is_open(world: World) -> None:
    names = ("a", "b", "c")
    for kinds in itertools.product([None, FailureKind.TRANSIENT, FailureKind.DESTINATION_BLOCKED], repeat=3):
        fresh = World()
        for name, kind in zip(names, kinds, strict=True):
            if kind is not None:
                fresh.said(kind, name)
        for step in (0, 10, 1000):
            fresh.now += step
            for route in itertools.permutations(names):
                assert sorted(fresh.order(*route)) == sorted(route)


# --- half-open -------------------------------------------------------------------------------


def one_caller_tries_it_out() -> None:
    """Of many callers at once, exactly one finds a half-open provider in its place."""
    world = World()
    world.opened(FailureKind.TIMEOUT)
    world.now += 31
    callers = 32
    latch, held = threading.Barrier(callers), [list[Probe]() for _ in range(callers)]

    def call(place: int) -> str:
        latch.wait(60)
        return world.order(probes=held[place])[0]

    with ThreadPoolExecutor(callers) as pool:
        firsts = list(pool.map(call, range(callers)))
    assert firsts.count("a") == 1, firsts.count("a")
    assert sum(map(len, held)) == 1


def test_one_caller_at_a_time_tries_a_provider_out() -> None:
    one_caller_tries_it_out()


def test_what_a_probe_did_not_find_out_the_next_one_may(world: World) -> None:
    """A start that the policy refused has sent nothing, and keeps nobody out for long."""
    world.opened(FailureKind.TIMEOUT)
    world.now += 31
    probes: list[Probe] = []
    assert world.order(probes=probes)[0] == "a"
    assert world.is_open()
    world.breakers.release(probes)
    assert not world.is_open()
    world.breakers.release(probes)
    assert world.order(probes=probes)[0] == "a"
    world.said(Failure(FailureKind.INVALID_RECIPIENT, SendEffect.NOT_SENT))
    assert world.is_open()  # it is still out


def test_a_probe_that_never_comes_back_is_followed_by_another(world: World) -> None:
    world.opened(FailureKind.TIMEOUT)
    world.now += 31
    lost: list[Probe] = []
    world.order(probes=lost)
    world.now += breaking.PROBE_S + 1
    held: list[Probe] = []
    assert world.order(probes=held)[0] == "a"
    world.breakers.release(lost)
    assert world.is_open()  # the one that is out now is another's
    world.breakers.release(held)
    assert not world.is_open()


def test_one_start_tries_out_one_provider(world: World) -> None:
    for name in ("a", "b"):
        world.said(FailureKind.TRANSIENT, name)
    world.now += 6
    probes: list[Probe] = []
    assert world.order(probes=probes) == ("a", "c", "b")
    assert len(probes) == 1
    assert world.order(probes=probes) == ("b", "c", "a")


def test_whoever_tries_a_provider_out_finds_all_its_legs_in_their_places(world: World) -> None:
    """The second is what follows where the first one's channel does not reach."""
    world.opened(FailureKind.QUOTA_EXHAUSTED)
    world.now += 900
    route = (Leg("a", "sms"), Leg("a", "call"), Leg("b", "sms"))
    probes: list[Probe] = []
    assert tuple(world.breakers.order(route, "CM", probes)) == route
    assert len(probes) == 1
    assert tuple(world.breakers.order(route, "CM", probes)) == (route[2], *route[:2])


@pytest.mark.parametrize("kind", list(RULES))
def test_a_success_closes_and_is_told_once(world: World, kind: FailureKind) -> None:
    world.opened(kind)
    world.now += 1000
    (change,) = world.said(Accepted("h"))
    assert (change.opened, change.kind) == (False, kind)
    assert not world.is_open()
    assert world.said(Accepted("h")) == ()


@pytest.mark.parametrize("kind", list(RULES))
def test_a_failed_probe_opens_again_at_once_and_is_no_news(world: World, kind: FailureKind) -> None:
    world.opened(kind)
    world.now += 1000
    assert world.said(kind) == ()
    assert world.is_open()
    world.now += RULES[kind].opens_s
    assert not world.is_open()


def test_a_success_at_the_end_of_a_route_closes_too(world: World) -> None:
    world.opened(FailureKind.MISCONFIGURED)
    world.now += 1
    world.said(Accepted("h"))
    assert not world.is_open()


def test_an_answer_to_what_was_asked_before_it_opened_changes_nothing(world: World) -> None:
    """Two hundred sends that hang end one after the other: the last of them is no news of the first."""
    world.opened(FailureKind.TIMEOUT)
    world.now += 1
    assert world.said(Accepted("h"), took=2) == ()
    assert world.is_open()
    world.now += 28
    for _ in range(20):
        world.said(FailureKind.TIMEOUT, took=30)
    world.now += 1
    assert not world.is_open()


def test_another_kind_is_news_although_it_is_open(world: World) -> None:
    world.opened(FailureKind.TRANSIENT)
    world.now += 1
    assert world.said(FailureKind.TRANSIENT) == ()
    (change,) = world.said(FailureKind.DESTINATION_BLOCKED)
    assert change.kind is FailureKind.DESTINATION_BLOCKED


def test_one_unknown_answer_prolongs_no_short_opening(world: World) -> None:
    world.opened(FailureKind.TRANSIENT)
    world.now += 1
    assert world.said(FailureKind.TIMEOUT) == ()
    world.now += 4
    assert not world.is_open()


# --- deadlines and checks ----------------------------------------------------------------------


def test_an_answer_long_after_its_deadline_is_an_unknown_one(world: World) -> None:
    for _ in range(UNKNOWNS):
        world.said(Accepted("h"), took=TIMEOUT_S + 0.5)
    assert not world.is_open()
    for _ in range(UNKNOWNS):
        world.said(Accepted("h"), took=TIMEOUT_S + 5)
    assert world.is_open()


def test_checks_that_are_not_answered_spare_the_provider_for_sends(world: World) -> None:
    for _ in range(UNKNOWNS - 1):
        assert world.checked(CheckVerdict.UNKNOWN) == ()
    (change,) = world.checked(CheckVerdict.UNKNOWN)
    assert (change.channel, change.region, change.kind) == ("*", "*", FailureKind.TIMEOUT)
    assert world.is_open(region="US", channel="call")
    world.checked(CheckVerdict.APPROVED)
    assert world.is_open()


def test_checks_that_are_answered_close_nothing_and_count(world: World) -> None:
    world.opened(FailureKind.QUOTA_EXHAUSTED)
    for _ in range(50):
        assert world.checked(CheckVerdict.APPROVED) == ()
    assert world.is_open()
    fresh = World()
    for verdict in (CheckVerdict.WRONG, CheckVerdict.UNKNOWN, CheckVerdict.APPROVED) * 20:
        fresh.checked(verdict)
    assert not fresh.is_open()


@pytest.mark.parametrize("verdict", set(CheckVerdict) - {CheckVerdict.UNKNOWN})
def test_no_other_answer_to_a_check_opens_anything(world: World, verdict: CheckVerdict) -> None:
    for _ in range(50):
        assert world.checked(verdict) == ()
    assert not world.is_open()


# --- bounds ------------------------------------------------------------------------------------


def test_what_is_kept_is_bounded_and_what_is_over_first_is_dropped(world: World) -> None:
    world.opened(FailureKind.QUOTA_EXHAUSTED)
    for number in range(MOST + 100):
        world.said(FailureKind.TRANSIENT, region=f"{number}")
    known: dict[Any, Any] = vars(world.breakers)["_known"]
    assert len(known) == MOST
    assert world.is_open()


def test_what_goes_well_again_is_forgotten(world: World) -> None:
    for kind in FailureKind:
        for region in ("CM", "US", ""):
            world.said(kind, region=region)
            world.now += 1
            world.said(Accepted(None), region=region)
    world.now += breaking.WINDOW_S
    for region in ("CM", "US", ""):
        world.said(Accepted(None), region=region)
    assert not vars(world.breakers)["_known"]


def child(answers: Any, world: World) -> None:
    answers.put("open" if world.is_open() else "closed")


def test_a_forked_child_knows_nothing_and_waits_for_nobody(world: World) -> None:
    world.opened(FailureKind.QUOTA_EXHAUSTED)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=child, args=(answers, world))
    lock: threading.Lock = vars(world.breakers)["_lock"]
    with lock:  # as another thread would hold it
        process.start()
    process.join(30)
    assert process.exitcode == 0
    assert answers.get() == "closed"
    assert world.is_open()
