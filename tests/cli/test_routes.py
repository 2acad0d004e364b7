"""`route explain`, and what `doctor` says of several providers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otpcore import CodeOwner, Engine, Refused, Sent, Wait
from otpcore.cli.exits import Exit
from otpcore.contract import FailureKind
from otpcore.engine.opening import open_engine
from otpcore.providers.fake import FakeProvider
from otpcore.route_file import read_routes
from otpcore.stores.memory import MemoryStore
from tests.cli.running import NUMBER, PEPPER, Cli
from tests.distributions import installing

HERE = "+237671234567"
ROUTES = """
[prices.one]
"*" = "0.05 EUR"
[prices.two]
"*" = "0.04 EUR"

[[rules]]
regions = ["CM"]
strategy = "cheapest"
failover_on_unknown = true
legs = ["one", "two", { provider = "one", channel = "call" }]

[[rules]]
regions = ["US"]
strategy = "weighted"
legs = [{ provider = "one", weight = 3 }, "two"]
"""


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "routes.toml"
    path.write_text(ROUTES)
    for name, value in {
        "PROVIDERS": "one=fake,two=fake",
        "ONE_OWNER": "core",
        "TWO_OWNER": "core",
        "ROUTES": str(path),
    }.items():
        monkeypatch.setenv(f"OTPCORE_{name}", value)
    return path


def test_it_says_which_provider_and_why_and_what_follows(otpcore: Cli) -> None:
    ran = otpcore("route", "explain", HERE)
    assert ran.code is Exit.OK
    assert "ending in …67: region CM, mobile." in ran.out
    assert "Rule 1, cheapest: the cheapest first." in ran.out
    assert re.search(r"1\. +two +sms +code by core +0\.04 EUR", ran.out)
    assert re.search(r"3\. +one +call", ran.out)
    assert re.search(r"fraud_suspected +stop", ran.out)
    assert re.search(r"channel_unreachable +one on call", ran.out)
    assert re.search(r"quota_exhausted +one on sms +spared 900 s everywhere, alert", ran.out)
    assert re.search(r"content_rejected +one on sms +spared 60 s in the region if it", ran.out)
    assert re.search(r"timeout +one on sms +spared 30 s in the region if it goes on\s", ran.out)
    assert re.search(r"rate_limited \(recipient\) +stop *\n", ran.out)
    assert all(kind in ran.out for kind in FailureKind)
    assert "is lost, so that a message may be on its way: one on sms, with the same code." in ran.out
    assert HERE not in ran.out
    assert "71234" not in ran.out


def test_programs_are_told_every_failure(otpcore: Cli) -> None:
    told = otpcore("route", "explain", HERE, "--json").json
    assert (told["number"], told["rule"], told["strategy"], told["denied"]) == ("…67", 1, "cheapest", None)
    assert [(leg["provider"], leg["channel"], leg["price"]) for leg in told["legs"]] == [
        ("two", "sms", "0.04 EUR"),
        ("one", "sms", "0.05 EUR"),
        ("one", "call", "0.05 EUR"),
    ]
    found = {(each["kind"], each["scope"], each["effect"]): each for each in told["failures"]}
    assert len(found) == 2 * (len(FailureKind) + 1)
    assert found["misconfigured", None, "not_sent"]["breaker"] == {"seconds": 60.0, "of": "channel", "at_once": True}
    assert found["rate_limited", "recipient", "not_sent"]["breaker"] is None
    assert found["timeout", None, "unknown"]["next"] == {"provider": "one", "channel": "sms"}
    assert found["rate_limited", "recipient", "not_sent"]["next"] is None
    assert found["misconfigured", None, "not_sent"]["alert"]


def test_weights_are_shown_as_shares(otpcore: Cli) -> None:
    ran = otpcore("route", "explain", NUMBER)
    assert re.search(r"one +sms +code by core +0\.05 EUR, first in 75%", ran.out)
    assert "hold; a resend may take another way" in ran.out


def test_without_a_rule_it_is_the_configured_order(otpcore: Cli) -> None:
    ran = otpcore("route", "explain", "+442079460123")
    assert "No rule is for it" in ran.out
    assert re.search(r"1\. +one +sms", ran.out)


def test_what_would_not_be_sent_is_said(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = otpcore("route", "explain", "+442079460123", "--channel", "pigeon")
    assert ran.code is Exit.REFUSED
    assert "Nothing would be sent. No provider here serves channel 'pigeon'; there are " in ran.out
    monkeypatch.setenv("OTPCORE_DENY_REGIONS", "CM")
    ran = otpcore("route", "explain", HERE, "--json")
    assert ran.code is Exit.REFUSED
    assert ran.json["denied"]
    assert ran.json["failures"] == []


def test_what_is_no_number_and_what_is_no_purpose_are_mistakes(otpcore: Cli) -> None:
    assert otpcore("route", "explain", "12").code is Exit.USAGE
    assert otpcore("route", "explain", HERE, "--purpose", "gift").code is Exit.USAGE
    assert otpcore("route").code is Exit.USAGE


def test_routes_that_cannot_be_used_are_a_fault_of_the_configuration(otpcore: Cli, two: Path) -> None:
    two.write_text('[[rules]]\nlegs = ["three"]\n')
    ran = otpcore("route", "explain", HERE)
    assert ran.code is Exit.CONFIGURATION
    assert "rule 1 names provider 'three'" in ran.err


MIXED = """
[[rules]]
regions = ["CM"]
legs = ["one", { provider = "two", channel = "email" }, { provider = "two", channel = "call" }]

[[rules]]
legs = ["one", "two"]
"""
MAIL = "jo@example.com"
HOOKS = """
from datetime import UTC, datetime
from otpcore.hookspecs import Guard, Verdict, hookimpl

@hookimpl
def {}:
    return {}
"""
DENIES = HOOKS.format("otpcore_guard_send(intent)", 'Verdict(Guard.DENY, "not " + intent.region)')
HOLDS = HOOKS.format("otpcore_guard_send(intent)", "Verdict(Guard.HOLD, until=datetime(2999, 1, 1, tzinfo=UTC))")
TURNS = HOOKS.format("otpcore_route(candidates)", "candidates[::-1]")
DROPS = HOOKS.format("otpcore_route(candidates)", "candidates[:1]")


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Install and allow a plugin of this source."""
    with installing(tmp_path) as make:

        def install(source: str) -> None:
            make("quiet", source, entry="quiet")
            monkeypatch.setenv("OTPCORE_PLUGINS", "quiet")

        yield install


SATELLITE = "+881612345678"
ASKED = [
    *[(to, channel, MIXED, "") for to in (HERE, NUMBER, SATELLITE, MAIL) for channel in ("sms", "email", "pigeon")],
    *[(HERE, "sms", ROUTES, source) for source in (DENIES, HOLDS, TURNS, DROPS)],
]


@pytest.mark.parametrize(("to", "channel", "routes", "source"), ASKED)
def test_it_says_what_a_start_does(
    to: str,
    channel: str,
    routes: str,
    source: str,
    otpcore: Cli,
    two: Path,
    plugin: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two.write_text(routes)
    plugin(source)
    monkeypatch.setenv("OTPCORE_PEPPER", PEPPER)
    ran = otpcore("route", "explain", to, "--channel", channel, "--json")
    with open_engine(store="memory") as engine:
        done = engine.start(to, channel=channel)
    told = ran.json
    match done:
        case Sent(session=session):
            assert ran.code is Exit.OK
            first = told["legs"][0]
            assert (first["provider"], first["channel"]) == (session.provider, session.channel)
        case Wait() | Refused():
            assert ran.code is Exit.REFUSED
            assert (done.detail if isinstance(done, Refused) else "until 2999-01-01") in told["denied"]
            assert told["failures"] == []
        case _:
            raise AssertionError(done)


def test_after_a_landline_comes_a_channel_that_reaches_it_as_is_said(otpcore: Cli, two: Path) -> None:
    two.write_text(MIXED)
    assert re.search(r"channel_unreachable +two on call", otpcore("route", "explain", HERE).out)
    landline = FakeProvider(owner=CodeOwner.CORE, script={HERE: FailureKind.CHANNEL_UNREACHABLE})
    providers = {"one": landline, "two": FakeProvider(owner=CodeOwner.CORE)}
    with Engine(MemoryStore(), providers, routing=read_routes(two)) as engine:
        done = engine.start(HERE)
    assert isinstance(done, Sent)
    assert (done.session.provider, done.session.channel) == ("two", "call")


def test_what_a_plugin_changes_is_said(otpcore: Cli, two: Path, plugin: Callable[[str], None]) -> None:
    plugin(TURNS)
    ran = otpcore("route", "explain", NUMBER)
    assert "by their weights. Then a plugin has given another order, or left some out." in ran.out.replace("\n", " ")
    assert re.search(r"1\. +two +sms", ran.out)
    assert "first in" not in ran.out
    assert otpcore("route", "explain", NUMBER, "--json").json["changed_by_plugin"]


@pytest.mark.parametrize(("source", "said"), [(DENIES, "denies it: not CM"), (HOLDS, "until 2999-01-01 00:00:00 UTC")])
def test_a_guard_has_its_say(source: str, said: str, otpcore: Cli, plugin: Callable[[str], None]) -> None:
    plugin(source)
    ran = otpcore("route", "explain", HERE)
    assert ran.code is Exit.REFUSED
    assert "Nothing would be sent. A guard of a plugin" in ran.out
    assert said in ran.out


def test_an_address_has_its_way_too(otpcore: Cli, two: Path) -> None:
    two.write_text(MIXED)
    ran = otpcore("route", "explain", MAIL, "--channel", "email")
    assert ran.code is Exit.OK
    assert "An e-mail address ending in …om." in ran.out
    assert MAIL not in ran.out


def test_nothing_is_made_or_kept(otpcore: Cli, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    otpcore("route", "explain", HERE)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_doctor_looks_at_each_provider_and_at_the_routes(otpcore: Cli, two: Path) -> None:
    told = otpcore("doctor", "--json").json
    found = [each["text"].partition(":")[0] for each in told["findings"] if each["part"] == "provider"]
    assert found == ["one", "two"]
    assert not [each for each in told["findings"] if each["part"] == "variables"]
    two.write_text('[[rules]]\nlegs = ["three"]\n')
    told = otpcore("doctor", "--json").json
    (engine,) = [each for each in told["findings"] if each["part"] == "engine"]
    assert engine["level"] == "bad"
    assert "rule 1 names provider 'three'" in engine["text"]
