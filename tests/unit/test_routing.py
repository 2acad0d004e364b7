"""The table of failures and the plans: total, and as the design says; strategies, rules, prices."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.contract import Failure, FailureKind, FailureScope, Money, SendEffect
from otpcore.routing import (
    ANYWHERE,
    FAILOVER,
    Leg,
    Move,
    Plan,
    Routing,
    Rule,
    Strategy,
    consequence_of,
    plan,
    ranked,
)

SERVED = {name: frozenset({"sms", "call"}) for name in "abc"} | {"w": frozenset({"whatsapp"})}
STOPPING = {FailureKind.INVALID_RECIPIENT, FailureKind.OPTED_OUT, FailureKind.FRAUD_SUSPECTED}
NOT_SENT, UNKNOWN = SendEffect.NOT_SENT, SendEffect.UNKNOWN


def planned(
    routing: Routing, *, region: str = "CM", channel: str = "sms", purpose: str = "login", draw: int = 0
) -> Plan:
    return plan(routing, SERVED, region=region, channel=channel, purpose=purpose, draw=draw)


def names(found: Plan) -> list[str]:
    return [leg.provider for leg in found.legs]


# --- the table ---------------------------------------------------------------------------------


def test_every_failure_has_its_row() -> None:
    assert set(FAILOVER) == set(product(FailureKind, FailureScope, SendEffect))
    for kind, scope, effect in FAILOVER:
        assert consequence_of(Failure(kind, effect, scope=scope)) is FAILOVER[kind, scope, effect]


def test_what_is_wrong_with_the_recipient_or_smells_of_fraud_stops_whatever_the_effect() -> None:
    stops = {key for key, follows in FAILOVER.items() if follows.move is Move.STOP}
    expected = {(kind, scope, effect) for kind in STOPPING for scope in FailureScope for effect in SendEffect}
    expected |= {(FailureKind.RATE_LIMITED, FailureScope.RECIPIENT, effect) for effect in SendEffect}
    assert stops == expected


def test_a_lost_answer_never_leads_to_another_by_itself() -> None:
    for (_, _, effect), follows in FAILOVER.items():
        assert (follows.move in {Move.STOP, Move.HOLD}) == (effect is UNKNOWN or follows.move is Move.STOP)


def test_the_rest_is_as_the_design_says() -> None:
    moves = {kind: FAILOVER[kind, FailureScope.ACCOUNT, NOT_SENT] for kind in FailureKind}
    assert moves[FailureKind.CHANNEL_UNREACHABLE].move is Move.NEXT_CHANNEL
    assert {kind for kind, follows in moves.items() if follows.alert} == {
        FailureKind.MISCONFIGURED,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.CONTENT_REJECTED,
    }


# --- plans -------------------------------------------------------------------------------------


def test_without_rules_it_is_every_provider_that_serves_the_channel_in_order() -> None:
    assert planned(Routing()).legs == (Leg("a", "sms"), Leg("b", "sms"), Leg("c", "sms"))
    assert planned(Routing(), channel="whatsapp").legs == (Leg("w", "whatsapp"),)
    assert planned(Routing(), channel="pigeon").legs == ()


def test_the_first_rule_that_is_for_it_counts() -> None:
    routing = Routing(
        (
            Rule(legs=(Leg("c"),), regions=frozenset({"CM"}), purposes=frozenset({"payment"})),
            Rule(legs=(Leg("b"),), regions=frozenset({"CM"})),
            Rule(legs=(Leg("a"),), channels=frozenset({"call"})),
        )
    )
    assert (names(planned(routing, purpose="payment")), planned(routing, purpose="payment").rule) == (["c"], 1)
    assert (names(planned(routing)), planned(routing).rule) == (["b"], 2)
    assert (names(planned(routing, region="US", channel="call")), planned(routing, channel="call").rule) == (["a"], 2)
    assert (names(planned(routing, region="US")), planned(routing, region="US").rule) == (["a", "b", "c"], 0)


def test_a_rule_without_a_leg_that_serves_the_channel_is_passed_over() -> None:
    routing = Routing((Rule(legs=(Leg("w"),)), Rule(legs=(Leg("b"), Leg("w")))))
    assert planned(routing).legs == (Leg("b", "sms"),)
    assert planned(routing).rule == 2


def test_a_leg_may_have_a_channel_of_its_own_and_comes_where_it_is_listed() -> None:
    routing = Routing((Rule(legs=(Leg("w", "whatsapp"), Leg("a"), Leg("a", "call"), Leg("b"))),))
    assert planned(routing).legs == (Leg("w", "whatsapp"), Leg("a", "sms"), Leg("a", "call"), Leg("b", "sms"))


def test_the_cheapest_comes_first_by_region_and_what_has_no_price_last() -> None:
    prices = {
        "a": {ANYWHERE: Money(Decimal("0.05"), "EUR")},
        "b": {ANYWHERE: Money(Decimal("0.06"), "EUR"), "CM": Money(Decimal("0.04"), "EUR")},
    }
    routing = Routing((Rule(legs=(Leg("c"), Leg("a"), Leg("b")), strategy=Strategy.CHEAPEST),), prices)
    assert names(planned(routing)) == ["b", "a", "c"]
    assert names(planned(routing, region="US")) == ["a", "b", "c"]


def test_the_cheapest_leaves_the_channels_in_their_order() -> None:
    prices = {"a": {ANYWHERE: Money(Decimal(2), "EUR")}, "b": {ANYWHERE: Money(Decimal(1), "EUR")}}
    legs = (Leg("a"), Leg("a", "call"), Leg("b"), Leg("b", "call"))
    routing = Routing((Rule(legs=legs, strategy=Strategy.CHEAPEST),), prices)
    assert planned(routing).legs == (Leg("b", "sms"), Leg("a", "sms"), Leg("b", "call"), Leg("a", "call"))


def test_weights_are_kept_and_every_leg_comes_once() -> None:
    """All numbers below the product of the totals are drawn, so the shares are exact."""
    legs = (Leg("a", weight=3), Leg("b", weight=1), Leg("c", weight=2))
    routing = Routing((Rule(legs=legs, strategy=Strategy.WEIGHTED),))
    drawn = Counter(names(planned(routing, draw=draw))[0] for draw in range(600))
    assert drawn == {"a": 300, "b": 100, "c": 200}
    second = Counter(tuple(names(planned(routing, draw=draw))[:2]) for draw in range(6 * 12))
    assert second["a", "c"] == 2 * second["a", "b"]


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=8),
    st.integers(0, 2**136 - 1),
    st.sampled_from(Strategy),
)
def test_a_strategy_loses_no_leg_and_makes_none_up(weights: list[int], draw: int, strategy: Strategy) -> None:
    served = {f"p{n}": frozenset({"sms"}) for n in range(len(weights))}
    rule = Rule(legs=tuple(Leg(f"p{n}", "", weight) for n, weight in enumerate(weights)), strategy=strategy)
    found = plan(Routing((rule,)), served, region="CM", channel="sms", purpose="login", draw=draw)
    assert sorted(leg.provider for leg in found.legs) == sorted(served)
    again = plan(Routing((rule,)), served, region="CM", channel="sms", purpose="login", draw=draw)
    assert again == found


@pytest.mark.parametrize(("max_legs", "legs", "most"), [(3, 2, 2), (3, 5, 3), (1, 5, 1)])
def test_no_more_legs_than_there_are_or_may_be(max_legs: int, legs: int, most: int) -> None:
    assert Rule(legs=tuple(Leg(f"p{n}") for n in range(legs)), max_legs=max_legs).most_legs == most


# --- an order of providers ---------------------------------------------------------------------

MIXED = (Leg("a", "sms"), Leg("b", "sms"), Leg("a", "call"))


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        (["a", "b"], MIXED),
        (["b", "a"], (MIXED[1], MIXED[0], MIXED[2])),
        (["a"], (MIXED[0], MIXED[2])),
        (["c", "b"], (MIXED[1],)),
    ],
)
def test_legs_follow_the_order_of_their_providers(providers: list[str], expected: tuple[Leg, ...]) -> None:
    assert tuple(ranked(MIXED, providers)) == expected
