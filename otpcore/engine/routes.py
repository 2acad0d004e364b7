"""Whether an operator's rules can be kept: judged against what the providers declare, before anything is sent.

Rules of this file: no I/O; a refusal says which rule, why, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from otpcore.contract import CodeOwner
from otpcore.errors import ConfigurationError
from otpcore.flows import ProviderTerms
from otpcore.phone import RegionPolicy
from otpcore.policy import PROFILES, Profile
from otpcore.routing import ANYWHERE, Routing, Rule, Strategy

__all__ = ["check_routing", "check_windows", "most_sends"]

HEAVIEST: Final = 1000
MOST_IN_A_RULE: Final = 8
"""As many ways as one random number of an operation can put in order, whatever their weights."""


def check_routing(
    routing: Routing,
    providers: Mapping[str, ProviderTerms],
    profile: Profile,
    purposes: frozenset[str],
    *,
    keep_number: bool = False,
) -> None:
    """Refuse rules that name what is not there, or ask for what no provider does.

    Raises:
        ConfigurationError: every fault that was found.
    """
    faults = list(_in_prices(routing, providers))
    for number, rule in enumerate(routing.rules, 1):
        faults += [f"rule {number} {fault}" for fault in _in_rule(rule, routing, providers, purposes)]
        faults += [f"rule {number} {fault}" for fault in _in_following(rule, providers, profile, keep_number)]
        before = [each for each, one in enumerate(routing.rules[: number - 1], 1) if _covers(one, rule, providers)]
        if before:
            faults.append(
                f"rule {number} is never reached, because rule {before[0]} is for all of its sends; put it first"
            )
    if faults:
        raise ConfigurationError(f"These routes cannot be used: {'; '.join(faults)}.")


def _in_rule(
    rule: Rule, routing: Routing, providers: Mapping[str, ProviderTerms], purposes: frozenset[str]
) -> Iterator[str]:
    if not rule.legs:
        yield "has no legs; name at least one provider"
    if len(rule.legs) > MOST_IN_A_RULE:
        yield f"has {len(rule.legs)} legs; {MOST_IN_A_RULE} are the most"
    if rule.max_legs < 1:
        yield "has max_legs below 1"
    if len({(leg.provider, leg.channel) for leg in rule.legs}) < len(rule.legs):
        yield "names the same provider and channel twice"
    if strange := sorted(rule.purposes - purposes):
        yield f"is for purpose {', '.join(map(repr, strange))}; there are {', '.join(sorted(purposes))}"
    try:
        RegionPolicy(deny_regions=rule.regions)
    except ConfigurationError as error:
        yield f"is for regions that are none: {str(error).rstrip('.')}"
    if unknown := sorted({leg.provider for leg in rule.legs} - providers.keys()):
        yield f"names provider {', '.join(map(repr, unknown))}; there are {', '.join(sorted(providers))}"
    else:
        yield from _in_legs(rule, providers)
        yield from _in_strategy(rule, routing, providers)


def _in_legs(rule: Rule, providers: Mapping[str, ProviderTerms]) -> Iterator[str]:
    for leg in rule.legs:
        can = providers[leg.provider].capabilities.channels
        wanted = {leg.channel} if leg.channel else rule.channels
        if wanted and not wanted & can:
            ways = f"on {', '.join(sorted(wanted))}, which it does not serve; it serves {', '.join(sorted(can))}"
            yield f"sends through {leg.provider!r} {ways}"
        if not 1 <= leg.weight <= HEAVIEST:
            yield f"gives {leg.provider!r} the weight {leg.weight}; a weight is 1 to {HEAVIEST}"
    for channel in sorted(rule.channels):
        if not any((leg.channel or channel) in providers[leg.provider].capabilities.channels for leg in rule.legs):
            yield f"is for channel {channel!r}, which none of its providers serves"


def _in_strategy(rule: Rule, routing: Routing, providers: Mapping[str, ProviderTerms]) -> Iterator[str]:
    owning = sorted({leg.provider for leg in rule.legs if providers[leg.provider].owner is CodeOwner.PROVIDER})
    if rule.failover_on_unknown and owning:
        yield (
            f"has failover_on_unknown, and {', '.join(map(repr, owning))} makes its own codes: two could be live; "
            "leave it out, or let the core make them (code_owner=core)"
        )
    if rule.strategy is Strategy.CHEAPEST:
        unpriced = sorted(
            f"{leg.provider!r} in {region}" if region else f"{leg.provider!r}"
            for leg in rule.legs
            for region in (rule.regions or {""})
            if routing.price(leg.provider, region) is None
        )
        if unpriced:
            yield f"takes the cheapest, and there is no price of {', '.join(unpriced)}"


def _in_following(
    rule: Rule, providers: Mapping[str, ProviderTerms], profile: Profile, keep_number: bool
) -> Iterator[str]:
    """What stands against a new code for a message that did not arrive."""
    within = rule.failover_on_undelivered
    if within is None:
        return
    if not keep_number:
        yield (
            "has failover_on_undelivered, which needs the number when nobody is there to give it; let sessions keep "
            "it, sealed (keep_number, settings: OTPCORE_KEEP_NUMBER=true), or leave it out"
        )
    if not timedelta(0) < within <= profile.code_lifetime:
        given, most = within.total_seconds(), profile.code_lifetime.total_seconds()
        yield f"has failover_on_undelivered of {given:g} s; it is more than 0 and at most {most:g} s"
    known = [leg.provider for leg in rule.legs if leg.provider in providers]
    if owning := sorted({name for name in known if providers[name].owner is CodeOwner.PROVIDER}):
        yield (
            f"has failover_on_undelivered, and {', '.join(map(repr, owning))} makes its own codes: two could be live; "
            "leave it out, or let the core make them (code_owner=core)"
        )
    if known and not any(providers[name].reads_receipts for name in known):
        yield "has failover_on_undelivered, and none of its providers reads receipts: nobody would say so"


def _in_prices(routing: Routing, providers: Mapping[str, ProviderTerms]) -> Iterator[str]:
    if unknown := sorted(routing.prices.keys() - providers.keys()):
        yield f"the prices name provider {', '.join(map(repr, unknown))}; there are {', '.join(sorted(providers))}"
    currencies = sorted({price.currency for listed in routing.prices.values() for price in listed.values()})
    if len(currencies) > 1:
        yield f"the prices are in {' and '.join(currencies)}, which cannot be compared; give all in one currency"
    for name, listed in routing.prices.items():
        try:
            RegionPolicy(deny_regions=frozenset(listed.keys() - {ANYWHERE}))
        except ConfigurationError as error:
            all_others = f'or "{ANYWHERE}" for every region without a price of its own'
            yield f"the prices of {name!r} are for regions that are none: {str(error).rstrip('.')}, {all_others}"
        for region, price in listed.items():
            yield from _in_price(f"the price of {name!r} in {region}", price.amount)


def _in_price(about: str, amount: object) -> Iterator[str]:
    if not isinstance(amount, Decimal):  # callers without a type checker
        yield f'{about} is {amount!r}, which is no Decimal; write Decimal("0.04")'
    elif not amount.is_finite() or amount < 0:
        yield f"{about} is {amount}; write an amount of 0 or more, such as 0.04"


def _covers(first: Rule, later: Rule, providers: Mapping[str, ProviderTerms]) -> bool:
    """Whether every send that the later rule is for meets the first one."""
    served = frozenset(
        channel
        for leg in first.legs
        if leg.provider in providers
        for channel in providers[leg.provider].capabilities.channels
        if not leg.channel
    )
    any_channel = not first.channels and any(leg.channel for leg in first.legs)
    channels = later.channels or frozenset(each for one in providers.values() for each in one.capabilities.channels)
    regions = not first.regions or (bool(later.regions) and later.regions <= first.regions)
    purposes = not first.purposes or (bool(later.purposes) and later.purposes <= first.purposes)
    return regions and purposes and (any_channel or channels <= (first.channels or served))


def check_windows(providers: Mapping[str, ProviderTerms], profile: Profile) -> None:
    """Refuse a ladder that would bring more sends in a provider's window than it accepts, whoever makes the codes.

    A profile for demonstrations is let pass, for the window is what is demonstrated; and one without waits, which is no
    ladder: what the provider says then is waited for.

    Raises:
        ConfigurationError: naming every provider, and what to choose.
    """
    faults: list[str] = []
    for name, terms in providers.items():
        limit = terms.capabilities.limit
        if limit is None or profile.simulated_only or not profile.ladder:
            continue
        sends = most_sends(profile, limit.window)
        if sends > limit.sends:
            minutes = limit.window.total_seconds() / 60
            fit = [
                f"OTPCORE_PROFILE={one.name}"
                for one in PROFILES.values()
                if not one.simulated_only and most_sends(one, limit.window) <= limit.sends
            ]
            longer = f"choose longer waits ({' or '.join(fit)})" if fit else "give a profile of longer waits"
            faults.append(
                f"the ladder of profile {profile.name!r} allows {sends} sends in {minutes:g} min, and provider "
                f"{name!r} accepts {limit.sends}; {longer}, or a shorter window where the provider's settings have one"
            )
    if faults:
        raise ConfigurationError(f"This policy cannot be kept: {'; '.join(faults)}.")


def most_sends(profile: Profile, window: timedelta) -> int:
    """As many sends as a ladder allows in a window that opens with one of them, from whichever step on."""
    waits = profile.ladder
    if not waits:
        return profile.daily_cap
    most = 0
    for first in range(len(waits)):
        gone, sends = timedelta(0), 1
        while sends < profile.daily_cap:
            gone += waits[(first + sends - 1) % len(waits)]
            if gone >= window:
                break
            sends += 1
        most = max(most, sends)
    return most
