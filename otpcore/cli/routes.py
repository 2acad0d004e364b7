"""`route explain`: which provider a number's code would go through, why, and what would follow each failure.

Rules of this file: presentation. It builds the providers, which opens nothing, and asks what `start` asks: the flows'
own functions, and through them guards and routes of plugins. No store is opened, nothing is sent, and of the recipient
only the last two characters are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from msgspec import structs
from rich.table import Table

from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, Shell, shell_of
from otpcore.cli.verifying import Number, Region
from otpcore.codes import ENTROPY_BYTES, Entropy
from otpcore.contract import Failure, FailureKind, FailureScope, Money, SendEffect, mask
from otpcore.engine.breaking import Scope, rule_of
from otpcore.flows import Flow, Setup
from otpcore.flows.moving import leg_after
from otpcore.flows.planning import held_by_guards, intent_of, no_way, plan_of, routed
from otpcore.flows.transact import locate
from otpcore.phone import PhoneNumber
from otpcore.recipients import Recipient, canonical, wrong_kind
from otpcore.results import Wait
from otpcore.routing import FAILOVER, Consequence, Leg, Plan, Strategy

if TYPE_CHECKING:
    from otpcore.engine.driving import Driver
    from otpcore.engine.opening import Parts

__all__ = ["explain"]

UNDRAWN: Final = Entropy.split(bytes(ENTROPY_BYTES))
"""With it, weighted legs come as they are listed."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Of a start for somebody of whom nothing is recorded.

    Attributes:
        plan: of the rules; its legs as plugins leave them.
        is_changed: a plugin has given the legs another order, or left some out.
        denied: why nothing would be sent; None: it would.
    """

    plan: Plan
    is_changed: bool = False
    denied: str | None = None


Row = tuple[FailureKind, FailureScope, SendEffect, Consequence, Leg | None]
"""A failure of the first leg, what the table says of it, and the leg that would follow."""


def explain(
    context: typer.Context,
    number: Number,
    purpose: Annotated[str, typer.Option(help="What is being confirmed, one of OTPCORE_PURPOSES.")] = "login",
    channel: Annotated[str, typer.Option(help="The one that is asked for.")] = "sms",
    region: Region = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Say which provider a code would go through. And why, and what would follow each failure. Nothing is sent."""
    from otpcore.engine.opening import prepare  # noqa: PLC0415  # settings cost a quarter of a second

    shell = shell_of(context)
    to = canonical(number, region)
    parts = prepare(None, None, shell.env_file, None, None, {})
    with ExitStack() as closing:
        setup, driver = _opened(parts, closing)
        setup.check_purpose(purpose)
        ways = driver.drive(_ways(setup, to, purpose, channel))
        rows = list(_rows(setup, ways.plan, shell.now)) if ways.denied is None else []
    if as_json:
        shell.give(_machine(setup, to, ways, rows))
    else:
        _say(shell, setup, to, ways, rows)
    return Exit.OK if ways.denied is None else Exit.REFUSED


def _opened(parts: Parts, closing: ExitStack) -> tuple[Setup, Driver]:
    """What an engine over these providers and plugins would work with; of its pepper nothing is made."""
    from otpcore.engine import Engine  # noqa: PLC0415  # with the settings
    from otpcore.engine.accepting import check_production  # noqa: PLC0415  # likewise
    from otpcore.stores.memory import MemoryStore  # noqa: PLC0415  # likewise

    providers = {each.name: each.build() for each in parts.providers}
    for provider in providers.values():
        closing.callback(provider.close)
    check_production(parts.settings, {name: one.capabilities for name, one in providers.items()})
    engine = Engine(MemoryStore(), providers, pepper=bytes(range(32)), plugins=parts.plugins, **parts.terms)
    return engine._setup, engine._driver  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # those of `start`


def _ways(setup: Setup, to: Recipient, purpose: str, channel: str) -> Flow[Ways]:
    """As `start` comes to them."""
    planned = plan_of(setup, UNDRAWN, to, purpose, channel)
    if (unfit := wrong_kind(to, channel)) is not None:
        return Ways(planned, denied=unfit)
    if (hopeless := no_way(setup, to, channel, planned.legs)) is not None:
        return Ways(planned, denied=hopeless.detail)
    known = yield from locate(setup, to)
    intent = intent_of(setup, to, purpose, channel, known.key, "")
    held = yield from held_by_guards(intent)
    if isinstance(held, Wait):
        return Ways(planned, denied=f"A guard of a plugin holds it until {held.until:%Y-%m-%d %H:%M:%S %Z}.")
    if held is not None:
        return Ways(planned, denied=f"A guard of a plugin denies it: {held.detail or 'it gives no reason'}")
    legs = yield from routed(intent, planned.legs)
    return Ways(structs.replace(planned, legs=legs), is_changed=legs != planned.legs)


def _rows(setup: Setup, planned: Plan, now: datetime) -> Iterator[Row]:
    for (kind, scope, effect), consequence in FAILOVER.items():
        if scope is FailureScope.RECIPIENT and kind is not FailureKind.RATE_LIMITED:
            continue  # only a limit goes another way
        failure = Failure(kind, effect, scope=scope)
        yield kind, scope, effect, consequence, leg_after(setup, planned, planned.legs[0], failure, now)


def _say(shell: Shell, setup: Setup, to: Recipient, ways: Ways, rows: list[Row]) -> None:
    if isinstance(to, PhoneNumber):
        shell.say(f"A number ending in {mask(to.address)}: region {to.region}, {to.line_type}.")
    else:
        shell.say(f"An e-mail address ending in {mask(to.address)}.")
    if ways.denied is not None:
        shell.say(f"Nothing would be sent. {ways.denied}")
        return
    planned = ways.plan
    shell.say(_why(ways), "")
    table = Table.grid(padding=(0, 2))
    for number, leg in enumerate(planned.legs, 1):
        terms = setup.providers[leg.provider]
        table.add_row(f"{number}.", leg.provider, leg.channel, f"code by {terms.owner}", _about(setup, to, ways, leg))
    shell.say(table, "", f"At most {min(planned.max_legs, len(planned.legs))} of them are tried for one send.", "")
    shell.say(f"If {planned.legs[0].provider} does not accept:", "")
    follows = Table.grid(padding=(0, 2))
    for kind, scope, effect, consequence, after in rows:
        if effect is SendEffect.NOT_SENT:
            follows.add_row(_named(kind, scope), _then(consequence, after), _besides(kind, scope, consequence))
    shell.say(follows, "")
    lost = next(
        then for kind, _, effect, _, then in rows if (kind, effect) == (FailureKind.TIMEOUT, SendEffect.UNKNOWN)
    )
    goes_on = (
        f"{lost.provider} on {lost.channel}, with the same code"
        if lost is not None
        else "hold; a resend may take another way"
    )
    shell.say(f"If its answer is lost, so that a message may be on its way: {goes_on}.")


def _why(ways: Ways) -> str:
    planned = ways.plan
    how = {
        Strategy.ORDERED: "as they are listed",
        Strategy.WEIGHTED: "drawn for each send by their weights",
        Strategy.CHEAPEST: "the cheapest first",
    }
    why = (
        f"Rule {planned.rule}, {planned.strategy}: {how[planned.strategy]}."
        if planned.rule
        else "No rule is for it: the providers that serve the channel, in configured order."
    )
    return f"{why} Then a plugin has given another order, or left some out." if ways.is_changed else why


def _about(setup: Setup, to: Recipient, ways: Ways, leg: Leg) -> str:
    price = setup.routing.price(leg.provider, to.region)
    told = [f"{price.amount} {price.currency}"] if price is not None else []
    if ways.plan.strategy is Strategy.WEIGHTED and not ways.is_changed:
        told.append(f"first in {_share(ways.plan, leg):.0%}")
    return ", ".join(told)


def _share(planned: Plan, leg: Leg) -> float:
    """How often a leg is the first of its channel."""
    return leg.weight / sum(one.weight for one in planned.legs if one.channel == leg.channel)


def _named(kind: FailureKind, scope: FailureScope) -> str:
    return f"{kind} ({scope})" if kind is FailureKind.RATE_LIMITED else str(kind)


def _then(consequence: Consequence, leg: Leg | None) -> str:
    if leg is not None:
        return f"{leg.provider} on {leg.channel}"
    return "stop" if consequence.move.name in {"STOP", "HOLD"} else f"stop: no {consequence.move}"


WHERE = {Scope.PROVIDER: "everywhere", Scope.CHANNEL: "on the channel", Scope.REGION: "in the region"}


def _besides(kind: FailureKind, scope: FailureScope, consequence: Consequence) -> str:
    rule = rule_of(kind, scope)
    often = "" if rule is None or rule.at_once else " if it goes on"
    told = [] if rule is None else [f"spared {rule.opens_s:g} s {WHERE[rule.scope]}{often}"]
    return ", ".join([*told, *(["alert"] if consequence.alert else [])])


def _spared(kind: FailureKind, scope: FailureScope) -> dict[str, Any] | None:
    rule = rule_of(kind, scope)
    return None if rule is None else {"seconds": rule.opens_s, "of": rule.scope.name.lower(), "at_once": rule.at_once}


def _machine(setup: Setup, to: Recipient, ways: Ways, rows: list[Row]) -> dict[str, Any]:
    planned, within = ways.plan, ways.plan.failover_on_undelivered
    return {
        "number": mask(to.address),
        "region": to.region,
        "line_type": str(to.line_type),
        "denied": ways.denied,
        "rule": planned.rule or None,
        "strategy": planned.strategy.value,
        "changed_by_plugin": ways.is_changed,
        "max_legs": planned.max_legs,
        "failover_on_unknown": planned.failover_on_unknown,
        "failover_on_undelivered_s": None if within is None else within.total_seconds(),
        "legs": [_leg(setup, to, planned, leg) for leg in planned.legs],
        "failures": [
            {
                "kind": kind.value,
                "scope": scope.value if kind is FailureKind.RATE_LIMITED else None,
                "effect": effect.value,
                "move": consequence.move.value,
                "next": None if leg is None else {"provider": leg.provider, "channel": leg.channel},
                "breaker": _spared(kind, scope),
                "alert": consequence.alert,
            }
            for kind, scope, effect, consequence, leg in rows
        ],
    }


def _leg(setup: Setup, to: Recipient, planned: Plan, leg: Leg) -> dict[str, Any]:
    price: Money | None = setup.routing.price(leg.provider, to.region)
    return {
        "provider": leg.provider,
        "channel": leg.channel,
        "code_owner": setup.providers[leg.provider].owner.value,
        "price": None if price is None else f"{price.amount} {price.currency}",
        "weight": leg.weight if planned.strategy is Strategy.WEIGHTED else None,
    }
