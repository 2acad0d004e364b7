"""Which provider a send goes through, and what follows when it does not accept: rules and a table, as data.

    Routing ── rules ── Rule ── legs ── Leg      the operator's, first match counts
    plan()                                       the legs of one send, in their order
    FAILOVER                                     kind x scope x effect of a failure -> Consequence for that send
    STOPS                                        kind of a failure -> how long nobody else is asked for its recipient

Rules of this file: the table is the specification, and `docs/concepts/routing.md` is drawn from it. A choice is a pure
function of rules, capabilities and a drawn number. Whether a leg may follow another as the record stands (whose code it
is, what may be on its way) is `otpcore.flows`; for how long later sends spare a provider is `otpcore.engine.breaking`;
whether rules can be kept at all is `otpcore.engine.routes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from types import MappingProxyType
from typing import Final

import msgspec

from otpcore.contract import Failure, FailureKind, FailureScope, Money, SendEffect

__all__ = [
    "ANYWHERE",
    "FAILOVER",
    "MOST_LEGS",
    "STOPS",
    "Consequence",
    "Leg",
    "Move",
    "Plan",
    "Routing",
    "Rule",
    "Strategy",
    "consequence_of",
    "plan",
    "providers_of",
    "ranked",
    "stopped_until",
]

MOST_LEGS: Final = 3
"""Providers asked for one send unless a rule says otherwise: each may take its whole deadline while a person waits."""

ANYWHERE: Final = "*"
"""In a price list: every region that has no price of its own."""


class Strategy(StrEnum):
    """How the legs of a rule are put in order; the channels keep the order in which the rule first names them."""

    ORDERED = "ordered"  # as they are listed
    WEIGHTED = "weighted"  # drawn for each send, as often as their weights say
    CHEAPEST = "cheapest"  # by the price list, for the region of the number


class Leg(msgspec.Struct, frozen=True):
    """One way to send.

    Attributes:
        provider: name of a configured provider.
        channel: on which channel; "" in a rule: the one that was asked for.
        weight: how often it is drawn against the others of its rule, 1 or more; only for `Strategy.WEIGHTED`.
    """

    provider: str
    channel: str = ""
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """For some sends, the ways to make them.

    Attributes:
        legs: at least one, each another provider or channel.
        strategy: how they are put in order.
        regions: ISO 3166-1 alpha-2 of the numbers that it is for; empty: all.
        channels: the channels asked for that it is for; empty: all.
        purposes: likewise.
        failover_on_unknown: a send whose answer was lost goes on to the next leg, with the same code: there may be two
            messages, and both count. Only where every leg's code is the core's.
        max_legs: how many are tried for one send, 1 or more.
        failover_on_undelivered: a message of which the vendor says so soon that it did not arrive is followed by a new
            code through the next leg. Only where every leg's code is the core's, and the engine keeps the number.
    """

    legs: tuple[Leg, ...]
    strategy: Strategy = Strategy.ORDERED
    regions: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    failover_on_unknown: bool = False
    max_legs: int = MOST_LEGS
    failover_on_undelivered: timedelta | None = None

    @property
    def most_legs(self) -> int:
        """How many can be tried for one send."""
        return min(self.max_legs, len(self.legs))

    def is_for(self, region: str, channel: str, purpose: str) -> bool:
        """Whether a send is one of those that it is for."""
        asked = ((self.regions, region), (self.channels, channel), (self.purposes, purpose))
        return all(not named or word in named for named, word in asked)


_NO_PRICES: Final[Mapping[str, Mapping[str, Money]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Routing:
    """The operator's rules. Without any: every provider that serves the channel, in configured order.

    Attributes:
        rules: the first one that is for a send, and has a leg that serves it, counts; after the last one comes what
            is without rules.
        prices: by provider and region, or `ANYWHERE`; all in one currency.
    """

    rules: tuple[Rule, ...] = ()
    prices: Mapping[str, Mapping[str, Money]] = field(default_factory=lambda: _NO_PRICES)

    def price(self, provider: str, region: str) -> Money | None:
        """What a message there costs by the price list; None where it says nothing."""
        listed = self.prices.get(provider)
        return None if listed is None else listed.get(region, listed.get(ANYWHERE))


class Plan(msgspec.Struct, frozen=True):
    """The ways of one send.

    Attributes:
        legs: in the order in which they are tried; empty where nobody serves the channel.
        rule: number of the rule, from 1 on; 0: no rule was for it.
        strategy, failover_on_unknown, max_legs, failover_on_undelivered: of the rule.
    """

    legs: tuple[Leg, ...]
    rule: int = 0
    strategy: Strategy = Strategy.ORDERED
    failover_on_unknown: bool = False
    max_legs: int = MOST_LEGS
    failover_on_undelivered: timedelta | None = None


def plan(
    routing: Routing,
    served: Mapping[str, frozenset[str]],
    *,
    region: str,
    channel: str,
    purpose: str,
    draw: int,
) -> Plan:
    """The ways of one send.

    Args:
        routing: the rules in force.
        served: the channels of each configured provider, in the order of preference.
        region: of the number, ISO 3166-1 alpha-2; "001" where it belongs to none.
        channel: that was asked for.
        purpose: what is being confirmed.
        draw: a random number of 64 bits or more, for `Strategy.WEIGHTED`.
    """
    for number, rule in enumerate(routing.rules, 1):
        if not rule.is_for(region, channel, purpose):
            continue
        legs = [Leg(leg.provider, leg.channel or channel, leg.weight) for leg in rule.legs]
        legs = [leg for leg in legs if leg.channel in served.get(leg.provider, ())]
        if legs:
            ordered = _ordered(rule.strategy, legs, routing, region, draw)
            terms = rule.failover_on_unknown, rule.max_legs, rule.failover_on_undelivered
            return Plan(tuple(ordered), number, rule.strategy, *terms)
    return Plan(tuple([Leg(name, channel) for name, channels in served.items() if channel in channels]))


def _ordered(strategy: Strategy, legs: list[Leg], routing: Routing, region: str, draw: int) -> Sequence[Leg]:
    if strategy is Strategy.ORDERED:
        return legs
    by_channel: dict[str, list[Leg]] = {}
    for leg in legs:
        by_channel.setdefault(leg.channel, []).append(leg)
    groups: list[list[Leg]] = []
    for group in by_channel.values():
        if strategy is Strategy.WEIGHTED:
            drawn, draw = _drawn(group, draw)
            groups.append(drawn)
        else:
            groups.append(sorted(group, key=lambda leg: _dearness(routing.price(leg.provider, region))))
    return list(chain.from_iterable(groups))


def _dearness(price: Money | None) -> tuple[bool, object]:
    """What has no price comes last, in the listed order."""
    return (True, 0) if price is None else (False, price.amount)


def _drawn(legs: list[Leg], draw: int) -> tuple[list[Leg], int]:
    """The legs as they are drawn one after the other, and what is left of the number."""
    left, drawn = list(legs), list[Leg]()
    while left:
        draw, place = divmod(draw, sum(leg.weight for leg in left))
        for leg in left:
            place -= leg.weight
            if place < 0:
                drawn.append(leg)
                left.remove(leg)
                break
    return drawn, draw


def providers_of(legs: Sequence[Leg]) -> Sequence[str]:
    """Whose legs they are, each once, in their order."""
    return list(dict.fromkeys(leg.provider for leg in legs))


def ranked(legs: Sequence[Leg], providers: Sequence[str]) -> Sequence[Leg]:
    """The legs in this order of their providers; as they were where that is the order they have, and none of others."""
    if list(providers) == providers_of(legs):
        return legs
    places = {name: place for place, name in enumerate(providers)}
    return sorted([leg for leg in legs if leg.provider in places], key=lambda leg: places[leg.provider])


# --- what follows a failure ------------------------------------------------------------------


class Move(StrEnum):
    """What becomes of a send whose leg did not accept."""

    STOP = "stop"  # no other leg, on no terms
    NEXT_CHANNEL = "next channel"  # the next leg on a channel that was not found unreachable
    NEXT_PROVIDER = "next provider"  # the next leg of a provider that was not tried
    HOLD = "hold"  # the message may be on its way; only `failover_on_unknown` goes on, as NEXT_PROVIDER


class Consequence(msgspec.Struct, frozen=True):
    """What follows a failure.

    Attributes:
        move: of this send.
        alert: an operator has to do something: an event `route.alert`.
    """

    move: Move
    alert: bool = False


_STOP: Final = Consequence(Move.STOP)
_NEXT: Final = Consequence(Move.NEXT_PROVIDER)
_ALERT: Final = Consequence(Move.NEXT_PROVIDER, alert=True)

_REFUSED: Final[Mapping[FailureKind, Consequence]] = {
    FailureKind.INVALID_RECIPIENT: _STOP,
    FailureKind.OPTED_OUT: _STOP,
    FailureKind.CHANNEL_UNREACHABLE: Consequence(Move.NEXT_CHANNEL),
    FailureKind.DESTINATION_BLOCKED: _NEXT,
    FailureKind.FRAUD_SUSPECTED: _STOP,  # to fail over would be the attacker's bypass
    FailureKind.RATE_LIMITED: _NEXT,
    FailureKind.TRANSIENT: _NEXT,
    FailureKind.MISCONFIGURED: _ALERT,
    FailureKind.QUOTA_EXHAUSTED: _ALERT,
    FailureKind.CONTENT_REJECTED: _ALERT,
    FailureKind.TIMEOUT: _NEXT,
    FailureKind.INTERNAL: _NEXT,
}
"""Where the provider is certain not to have sent; a limit is the account's."""


def _follows(kind: FailureKind, scope: FailureScope, effect: SendEffect) -> Consequence:
    refused = _REFUSED[kind]
    if kind is FailureKind.RATE_LIMITED and scope is FailureScope.RECIPIENT:
        refused = _STOP  # else the limits of several providers would add up
    if effect is SendEffect.NOT_SENT or refused.move is Move.STOP:
        return refused
    return Consequence(Move.HOLD, refused.alert)


FAILOVER: Final[Mapping[tuple[FailureKind, FailureScope, SendEffect], Consequence]] = MappingProxyType(
    {
        (kind, scope, effect): _follows(kind, scope, effect)
        for kind in FailureKind
        for scope in FailureScope
        for effect in SendEffect
    }
)
"""Total: every failure that a provider can answer with has its row."""


def consequence_of(failure: Failure) -> Consequence:
    """What follows a failure."""
    return FAILOVER[failure.kind, failure.scope, failure.effect]


LONGEST_STOP: Final = timedelta(hours=24)

STOPS: Final[Mapping[FailureKind, timedelta]] = MappingProxyType(
    {
        FailureKind.FRAUD_SUSPECTED: LONGEST_STOP,
        FailureKind.OPTED_OUT: LONGEST_STOP,
        FailureKind.RATE_LIMITED: timedelta(minutes=10),  # of the recipient, where the provider does not say
    }
)
"""So long no other provider is asked for the same recipient: else the next start would be the way around a `STOP`.

An invalid recipient is left out: what one vendor does not know, another may.
"""


def stopped_until(failure: Failure, now: datetime) -> datetime | None:
    """Until when nobody but the provider that failed so is asked for this recipient; None: it stops no other send."""
    lasts = STOPS.get(failure.kind)
    if lasts is None or consequence_of(failure).move is not Move.STOP:
        return None
    if failure.kind is FailureKind.RATE_LIMITED and failure.retry_after is not None:
        lasts = min(max(failure.retry_after, timedelta(0)), LONGEST_STOP)
    return now + lasts
