"""What an operator says of routes: the names of the providers, and the file of rules; text to values.

    [prices.aws]
    "*" = "0.05 EUR"
    CM = "0.04 EUR"

    [[rules]]
    regions = ["CM"]
    strategy = "cheapest"
    legs = ["aws", "smpp", { provider = "twilio", channel = "call" }]

Rules of this file: it judges the shape; whether the routes can be kept is `otpcore.engine.routes`. A refusal names the
rule and the field.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, cast

import msgspec

from otpcore.contract import Money
from otpcore.errors import ConfigurationError
from otpcore.routing import MOST_LEGS, Leg, Routing, Rule, Strategy

__all__ = ["named_types", "read_routes"]

_PRICE: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ([A-Z]{3})")
_PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`$")


_INSTANCE: Final = re.compile(r"[a-z0-9-]+(=[a-z0-9-]+)?")


class _Leg(msgspec.Struct, forbid_unknown_fields=True):
    provider: str
    channel: str = ""
    weight: int = 1


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    legs: list[_Leg | str]
    strategy: Strategy = Strategy.ORDERED
    regions: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    failover_on_unknown: bool = False
    max_legs: int = MOST_LEGS
    failover_on_undelivered_s: Annotated[float, msgspec.Meta(gt=0, le=600)] | None = None


def named_types(given: tuple[str, ...]) -> dict[str, str]:
    """The types of providers by the names of their instances, in the given order.

    Raises:
        ValueError: what is given is not each a type, or name=type, with a name of its own.
    """
    if not all(_INSTANCE.fullmatch(each) for each in given):
        raise ValueError("each is a type, or name=type, of lower-case letters, digits and hyphens")
    named = {name: kind or name for name, _, kind in [each.partition("=") for each in given]}
    if len(named) < len(given):
        raise ValueError("a name is listed twice; give one of them another: name=type")
    return named


def read_routes(path: Path) -> Routing:
    """The routes that a file describes.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or a rule or price is misshapen; with its number and field.
    """
    try:
        told = tomllib.loads(path.expanduser().read_text("utf-8"))
    except (OSError, UnicodeError) as error:
        raise _refusal(f"it cannot be read ({type(error).__name__})") from None
    except tomllib.TOMLDecodeError as error:
        raise _refusal(f"it is no TOML: {error}") from None
    strange = sorted(told.keys() - {"rules", "prices"})
    if strange:
        raise _refusal(f"there is no part {', '.join(map(repr, strange))}; there are rules and prices")
    rules: Any = told.get("rules", [])
    if not isinstance(rules, list):
        raise _refusal("rules is a list: begin each with [[rules]]")
    numbered = enumerate(cast("list[object]", rules), 1)
    return Routing(tuple([_rule(number, each) for number, each in numbered]), _prices(told.get("prices", {})))


def _refusal(why: str) -> ConfigurationError:
    return ConfigurationError(f"The routes of OTPCORE_ROUTES cannot be used: {why.rstrip('.')}.")


def _rule(number: int, told: object) -> Rule:
    try:
        rule = msgspec.convert(told, _Rule)
    except msgspec.ValidationError as error:
        text = str(error)
        field = _PLACE.search(text)
        where = f"rule {number}, {field[1]}" if field and field[1] else f"rule {number}"
        raise _refusal(f"{where}: {_PLACE.sub('', text)}") from None
    legs = [Leg(leg) if isinstance(leg, str) else Leg(leg.provider, leg.channel, leg.weight) for leg in rule.legs]
    within_s = rule.failover_on_undelivered_s
    return Rule(
        legs=tuple(legs),
        strategy=rule.strategy,
        regions=rule.regions,
        channels=rule.channels,
        purposes=rule.purposes,
        failover_on_unknown=rule.failover_on_unknown,
        max_legs=rule.max_legs,
        failover_on_undelivered=None if within_s is None else timedelta(seconds=within_s),
    )


def _prices(told: object) -> Mapping[str, Mapping[str, Money]]:
    try:
        listed = msgspec.convert(told, dict[str, dict[str, str]])
    except msgspec.ValidationError:
        raise _refusal('prices are tables: [prices.NAME] with lines like CM = "0.04 EUR"') from None
    return {
        name: {region: _price(name, region, text) for region, text in prices.items()} for name, prices in listed.items()
    }


def _price(name: str, region: str, text: str) -> Money:
    found = _PRICE.fullmatch(text)
    if found is None:
        raise _refusal(f'the price of {name} in {region} is an amount and a currency, such as "0.04 EUR"')
    return Money(Decimal(found[1]), found[2])
