"""The file of routes: what it says, and what is said of one that cannot be read."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from otpcore.contract import Money
from otpcore.errors import ConfigurationError
from otpcore.route_file import read_routes
from otpcore.routing import Leg, Routing, Rule, Strategy
from otpcore.settings import load_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "routes.toml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        read_routes(written(folder, text))
    return str(error.value)


def test_everything_that_a_rule_may_say_is_read(tmp_path: Path) -> None:
    text = """
    [prices.aws]
    "*" = "0.05 EUR"
    CM = "1 EUR"

    [[rules]]
    legs = ["aws", { provider = "twilio", channel = "call", weight = 3 }]
    strategy = "weighted"
    regions = ["CM", "NG"]
    channels = ["sms"]
    purposes = ["login"]
    max_legs = 2
    failover_on_unknown = true
    failover_on_undelivered_s = 90

    [[rules]]
    legs = ["aws"]
    """
    first = Rule(
        legs=(Leg("aws"), Leg("twilio", "call", 3)),
        strategy=Strategy.WEIGHTED,
        regions=frozenset({"CM", "NG"}),
        channels=frozenset({"sms"}),
        purposes=frozenset({"login"}),
        max_legs=2,
        failover_on_unknown=True,
        failover_on_undelivered=timedelta(seconds=90),
    )
    prices = {"aws": {"*": Money(Decimal("0.05"), "EUR"), "CM": Money(Decimal(1), "EUR")}}
    assert read_routes(written(tmp_path, text)) == Routing((first, Rule(legs=(Leg("aws"),))), prices)


def test_an_empty_file_has_no_rules(tmp_path: Path) -> None:
    assert read_routes(written(tmp_path, "")).rules == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules = 1", "rules is a list: begin each with [[rules]]"),
        ("[[rules]]\nlegs = ['a']\n[[rules]]\nlegs = 'a'", "rule 2, legs: Expected `array`, got `str`"),
        ("[[rules]]\nlegs = ['a']\nstrategy = 'best'", "rule 1, strategy: Invalid enum value"),
        ("[[rules]]\nlegs = ['a']\nfailover_on_undelivered_s = 0", "rule 1, failover_on_undelivered_s: Expected"),
        ("[[rules]]\nlegs = ['a']\nmax_legs = 'two'", "rule 1, max_legs: Expected `int`, got `str`"),
        ("[[rules]]\nlegs = ['a']\nregion = ['CM']", "rule 1: Object contains unknown field `region`"),
        ("[[rules]]\nregions = ['CM']", "rule 1: Object missing required field `legs`"),
        ("[[rules]]\nlegs = [{channel = 'sms'}]", "rule 1, legs[0]: Object missing required field `provider`"),
        ("[[rules]]\nlegs = ['a'", "it is no TOML"),
        ("rule = []", "there is no part 'rule'; there are rules and prices"),
        ("prices = 3", "prices are tables"),
        ("[prices.a]\nCM = 0.04", "prices are tables"),
        ("[prices.a]\nCM = '0,04 EUR'", "the price of a in CM is an amount and a currency"),
        ("[prices.a]\nCM = '-1 EUR'", "the price of a in CM is an amount and a currency"),
    ],
)
def test_what_is_misshapen_is_named_with_rule_and_field(text: str, said: str, tmp_path: Path) -> None:
    told = refusal(tmp_path, text)
    assert told.startswith("The routes of OTPCORE_ROUTES cannot be used: ")
    assert said in told


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_routes(tmp_path / "nowhere.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_routes(tmp_path / "binary")


# --- the settings that name it -------------------------------------------------------------------


def test_without_a_file_there_are_no_rules() -> None:
    assert load_settings().routing() is None


def test_the_settings_name_the_file_and_the_providers(tmp_path: Path) -> None:
    file = written(tmp_path, "[[rules]]\nlegs = ['second']")
    settings = load_settings(routes=file, providers="first=fake, second=fake,console")
    assert settings.routing() == Routing((Rule(legs=(Leg("second"),)),))
    assert settings.instances() == {"first": "fake", "second": "fake", "console": "console"}
    assert list(settings.instances()) == ["first", "second", "console"]


def test_one_provider_is_named_as_before() -> None:
    assert load_settings(provider="fake").instances() == {"fake": "fake"}


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("fake,fake", "a name is listed twice"),
        ("a=fake,a=console", "a name is listed twice"),
        ("a=", "each is a type, or name=type"),
        ("Fake", "each is a type, or name=type"),
        ("a=b=c", "each is a type, or name=type"),
    ],
)
def test_names_of_providers_are_plain_and_each_its_own(given: str, rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        load_settings(providers=given)
