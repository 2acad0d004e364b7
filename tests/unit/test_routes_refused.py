"""Rules that cannot be kept are refused before anything is sent, with the reason and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from otpcore.contract import CodeOwner, Money, ProviderCapabilities, ProviderLimit
from otpcore.engine import AsyncEngine, Engine
from otpcore.engine.routes import check_routing, check_windows, most_sends
from otpcore.errors import ConfigurationError
from otpcore.flows import ProviderTerms
from otpcore.policy import DEFAULT, DEMO, PROFILES, SIGNAL, TWILIO, Profile
from otpcore.providers.fake import Exchange, FakeProvider
from otpcore.routing import Leg, Routing, Rule, Strategy
from otpcore.stores.memory import MemoryStore

MINUTE = timedelta(minutes=1)
TEN_MINUTES = 10 * MINUTE
PURPOSES = frozenset({"login", "payment"})
OWNERS = pytest.mark.parametrize("owner", list(CodeOwner))


def terms(name: str, owner: CodeOwner = CodeOwner.CORE, *channels: str) -> ProviderTerms:
    can = ProviderCapabilities(frozenset({owner}), frozenset(channels or ("sms", "call")))
    return ProviderTerms(name, can, owner)


def faults(*rules: Rule, profile: Profile = DEFAULT, prices: Any = None, **providers: ProviderTerms) -> str:
    given = {"a": terms("a"), "b": terms("b"), "v": terms("v", CodeOwner.PROVIDER)} | providers
    given["r"] = replace(terms("r"), reads_receipts=True)
    routing = Routing(rules, prices) if prices is not None else Routing(rules)
    try:
        check_routing(routing, given, profile, PURPOSES)
    except ConfigurationError as error:
        return str(error)
    return ""


def rule(*legs: str | Leg, **more: Any) -> Rule:
    return Rule(legs=tuple(Leg(leg) if isinstance(leg, str) else leg for leg in legs), **more)


CHEAP = {"a": {"*": Money(Decimal(1), "EUR")}, "b": {"CM": Money(Decimal(1), "EUR")}}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([rule("a"), rule("x", regions=frozenset({"CM"}))], "rule 2 names provider 'x'; there are a, b, r, v"),
        ([rule()], "rule 1 has no legs"),
        (
            [rule("a", "r", failover_on_undelivered=MINUTE)],
            "rule 1 has failover_on_undelivered, which needs the number",
        ),
        ([rule("r", "v", failover_on_undelivered=MINUTE)], "undelivered, and 'v' makes its own codes"),
        ([rule("r", failover_on_undelivered=2 * TEN_MINUTES)], "of 1200 s; it is more than 0 and at most 600 s"),
        ([rule("r", failover_on_undelivered=MINUTE * 0)], "undelivered of 0 s; it is more than 0 and at most 600 s"),
        ([rule("a", failover_on_undelivered=MINUTE)], "undelivered, and none of its providers reads receipts"),
        ([rule("a", max_legs=0)], "rule 1 has max_legs below 1"),
        ([rule("a", "a")], "rule 1 names the same provider and channel twice"),
        ([rule("a", purposes=frozenset({"gift"}))], "rule 1 is for purpose 'gift'; there are login, payment"),
        ([rule("a", regions=frozenset({"XX"}))], "rule 1 is for regions that are none"),
        ([rule(Leg("a", "fax"))], "rule 1 sends through 'a' on fax, which it does not serve; it serves call, sms"),
        ([rule("a", channels=frozenset({"fax"}))], "rule 1 is for channel 'fax', which none of its providers serves"),
        ([rule(Leg("a", weight=0))], "rule 1 gives 'a' the weight 0"),
        ([rule("a", "v", failover_on_unknown=True)], "rule 1 has failover_on_unknown, and 'v' makes its own codes"),
        ([rule("a"), rule("b")], "rule 2 is never reached, because rule 1 is for all of its sends"),
        (
            [rule("a", regions=frozenset({"CM", "US"})), rule("b", regions=frozenset({"US"}))],
            "rule 2 is never reached",
        ),
        ([rule("a", purposes=PURPOSES), rule("b", purposes=frozenset({"login"}))], "rule 2 is never reached"),
        ([rule("a", "b", strategy=Strategy.CHEAPEST)], "rule 1 takes the cheapest, and there is no price of 'a', 'b'"),
    ],
)
def test_each_fault_is_told_with_its_rule(rules: list[Rule], said: str) -> None:
    assert said in faults(*rules)


def test_prices_are_of_providers_that_are_there_and_can_be_compared() -> None:
    euro, dollar = Money(Decimal(1), "EUR"), Money(Decimal(1), "USD")
    assert "the prices name provider 'x'" in faults(prices={"x": {"*": euro}})
    assert "EUR and USD, which cannot be compared" in faults(prices={"a": {"*": euro, "CM": dollar}})
    cheapest = rule("a", "b", strategy=Strategy.CHEAPEST, regions=frozenset({"CM", "US"}))
    assert "there is no price of 'b' in US" in faults(cheapest, prices=CHEAP)
    assert faults(replace(cheapest, regions=frozenset({"CM"})), prices=CHEAP) == ""


@pytest.mark.parametrize("region", ["UK", "cm", "", "Cameroon"])
def test_a_price_is_for_a_region_that_there_is(region: str) -> None:
    told = faults(prices={"a": {"*": Money(Decimal(2), "EUR"), region: Money(Decimal(1), "EUR")}})
    assert f"the prices of 'a' are for regions that are none: No such region: {region}. " in told
    assert "Write ISO 3166-1 alpha-2 in capitals (GB, CM), or " in told
    assert told.endswith(', or "*" for every region without a price of its own.')


@pytest.mark.parametrize("region", ["CM", "001", "*"])
def test_regions_that_there_are_may_have_a_price(region: str) -> None:
    assert faults(prices={"a": {region: Money(Decimal(0), "EUR")}}) == ""


@pytest.mark.parametrize("amount", ["-1", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_price_is_a_number_of_0_or_more(amount: str) -> None:
    told = faults(prices={"a": {"CM": Money(Decimal(amount), "EUR")}})
    assert f"the price of 'a' in CM is {amount}; write an amount of 0 or more, such as 0.04" in told


@pytest.mark.parametrize("amount", [0.04, "0.04", None])
def test_a_price_is_a_decimal(amount: Any) -> None:
    told = faults(prices={"a": {"CM": Money(amount, "EUR")}})
    assert f"the price of 'a' in CM is {amount!r}, which is no Decimal; write Decimal(\"0.04\")" in told


def test_all_faults_are_told_at_once() -> None:
    told = faults(rule("x"), rule("a", max_legs=0, regions=frozenset({"XX"})))
    assert all(f"rule {number} " in told for number in (1, 2))
    assert told.count(";") >= 3


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [rule("a", "b", failover_on_unknown=True)],
        [rule("v", "a")],
        [rule("a", regions=frozenset({"CM"})), rule("b")],
        [rule("a", channels=frozenset({"call"})), rule("b")],
        [rule("a", purposes=frozenset({"payment"})), rule("b")],
        [rule("a", purposes=frozenset({"payment"})), rule("b", purposes=PURPOSES)],
        [rule("s"), rule("a", channels=frozenset({"call"}))],
        [rule(Leg("s"), Leg("a", "call"), channels=frozenset({"sms"}))],
    ],
)
def test_what_can_be_kept_is_accepted(rules: list[Rule]) -> None:
    assert faults(*rules, s=terms("s", CodeOwner.CORE, "sms")) == ""


def test_a_new_code_for_a_lost_message_needs_the_number_and_then_is_accepted() -> None:
    """The one without the other is refused with the reason, by both engines; the number alone is kept for nothing."""
    routing = Routing((rule("a", "b", failover_on_undelivered=MINUTE),))
    vendors = {name: FakeProvider(owner=CodeOwner.CORE) for name in "ab"}
    for engine in (Engine, AsyncEngine):
        with pytest.raises(ConfigurationError, match="OTPCORE_KEEP_NUMBER=true"):
            engine(MemoryStore(), vendors, routing=routing)
        engine(MemoryStore(), vendors, routing=routing, keep_number=True)
        engine(MemoryStore(), vendors, keep_number=True)


def test_a_rule_that_serves_one_channel_leaves_the_others_to_the_next() -> None:
    only = terms("s", CodeOwner.CORE, "sms")
    later = rule("a", channels=frozenset({"sms"}))
    assert "rule 2 is never reached" in faults(rule("s"), later, s=only)


# --- the ladder and the providers' windows -------------------------------------------------------


@pytest.mark.parametrize(("profile", "sends"), [(DEFAULT, 3), (TWILIO, 5), (SIGNAL, 4), (DEMO, 10)])
def test_as_many_sends_as_the_ladder_brings_in_ten_minutes(profile: Profile, sends: int) -> None:
    assert most_sends(profile, TEN_MINUTES) == sends


def test_a_ladder_without_waits_brings_the_daily_cap() -> None:
    assert most_sends(replace(DEFAULT, ladder=()), TEN_MINUTES) == DEFAULT.daily_cap


def windows(profile: Profile = DEFAULT, owner: CodeOwner = CodeOwner.PROVIDER, sends: int = 5) -> str:
    """What is said against a ladder beside a provider that accepts so many sends in ten minutes."""
    limit = ProviderLimit(sends, TEN_MINUTES)
    can = ProviderCapabilities(frozenset({owner}), frozenset({"sms"}), limit=limit)
    try:
        check_windows({"a": terms("a"), "v": ProviderTerms("v", can, owner)}, profile)
    except ConfigurationError as error:
        return str(error)
    return ""


HASTY = replace(DEFAULT, name="hasty", ladder=(timedelta(minutes=1),))


@OWNERS
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_shipped_profile_goes_with_five_sends_in_ten_minutes(profile: Profile, owner: CodeOwner) -> None:
    """Twilio's limit."""
    assert windows(profile, owner) == ""


@OWNERS
def test_a_ladder_that_brings_more_than_a_provider_accepts_is_refused(owner: CodeOwner) -> None:
    told = windows(HASTY, owner)
    assert "profile 'hasty' allows 10 sends in 10 min" in told
    assert "provider 'v' accepts 5" in told
    assert "OTPCORE_PROFILE=default or OTPCORE_PROFILE=twilio or OTPCORE_PROFILE=signal" in told
    assert windows(SIGNAL, owner, sends=3).count("OTPCORE_PROFILE=") == 1
    assert "allows 3 sends in 10 min" in windows(owner=owner, sends=2)
    assert "give a profile of longer waits" in windows(owner=owner, sends=2)


@OWNERS
@pytest.mark.parametrize("profile", [DEMO, replace(DEFAULT, ladder=())], ids=["demo", "no waits"])
def test_what_has_no_ladder_to_judge_waits_when_it_comes_to_it(profile: Profile, owner: CodeOwner) -> None:
    """The legacy facade's explicit sends have no waits."""
    assert windows(profile, owner) == ""


@pytest.mark.parametrize("routing", [None, Routing(), Routing((rule("v"),))], ids=["no rules", "empty", "rules"])
@pytest.mark.parametrize("kind", [Engine, AsyncEngine])
def test_the_ladder_is_judged_with_rules_or_without(kind: type[Engine | AsyncEngine], routing: Routing | None) -> None:
    with pytest.raises(ConfigurationError, match="profile 'hasty' allows 10 sends"):
        kind(MemoryStore(), {"v": FakeProvider()}, profile=HASTY, routing=routing)
    kind(MemoryStore(), {"v": FakeProvider()}, routing=routing)
    kind(MemoryStore(), {"v": FakeProvider(owner=CodeOwner.CORE)}, profile=HASTY, routing=routing)  # it declares none


@pytest.mark.parametrize("kind", [Engine, AsyncEngine])
def test_an_engine_is_not_built_with_rules_that_it_cannot_keep(kind: type[Engine | AsyncEngine]) -> None:
    with pytest.raises(ConfigurationError, match="names provider 'x'"):
        kind(MemoryStore(), FakeProvider(), routing=Routing((rule("x"),)))
    kind(MemoryStore(), FakeProvider(), routing=Routing((rule("default"),)))


def test_a_provider_that_may_add_more_than_a_day_allows_is_refused() -> None:
    exchange = Exchange()
    exchange.capabilities = replace(exchange.capabilities, extra_sends=10)
    with pytest.raises(ConfigurationError, match="may bring 11 messages"):
        Engine(MemoryStore(), FakeProvider(exchange=exchange))
