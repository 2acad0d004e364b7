"""What a provider is given for a code of the core, by either engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otpcore.contract import CodeOwner, MessageText, SendRequest
from otpcore.errors import ConfigurationError
from otpcore.messages import DEFAULT_TEMPLATES, Template, Templates, render
from otpcore.policy import DEFAULT
from otpcore.providers.fake import Exchange, FakeProvider
from otpcore.results import Sent
from tests.engine.colours import COLOURS, NUMBER, Driven, driven
from tests.messages.hostile import HOSTILE, bound

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Listening(FakeProvider):
    """Keeps the requests."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.requests: list[SendRequest] = []
        self.before_send = self.requests.append


def world(colour: str, owner: CodeOwner = CodeOwner.CORE, **given: Any) -> Driven:
    return driven(colour, Exchange(owner=owner, clock=lambda: NOW), clock=lambda: NOW, **given)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("locale", ["fr-CM", None, "ar"])
def test_the_provider_is_given_the_text_that_the_template_makes(colour: str, locale: str | None) -> None:
    templates = DEFAULT_TEMPLATES.ending(webotp_domain="example.com")
    each = world(colour, templates=templates, brand="Shop")
    sent = each.call("start", NUMBER, locale=locale)
    assert isinstance(sent, Sent)
    left = each.vendor.outbox[0]
    template = templates.find(locale=locale, brand="Shop")
    assert left.text == render(template, left.code, 10, "Shop").text
    assert bound(left.text) == ("example.com", left.code)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_resend_has_the_words_of_its_own_call(colour: str) -> None:
    now = [NOW]
    each = driven(colour, Exchange(owner=CodeOwner.CORE, clock=lambda: now[0]), clock=lambda: now[0])
    sent = each.call("start", NUMBER)
    now[0] += timedelta(minutes=3)
    each.call("resend", sent.session.token, NUMBER, locale="sw")
    first, second = each.vendor.outbox
    assert (first.text.split()[0], second.text.split()[0]) == ("Your", "Namba")
    assert second.code in second.text


@pytest.mark.parametrize("colour", COLOURS)
def test_a_code_of_the_providers_own_has_no_words_of_ours(colour: str) -> None:
    each = world(colour, CodeOwner.PROVIDER)
    each.call("start", NUMBER)
    assert each.vendor.outbox[0].text is None


def nothing_of_a_call_reaches_the_text() -> None:
    """P5: 0 of the hostile texts that a call can bring reach the provider."""
    for colour in ("blocking", "awaiting a blocking provider"):
        vendor = Listening(owner=CodeOwner.CORE, clock=lambda: NOW)
        each = world(colour, vendor=vendor)
        for place, hostile in enumerate(HOSTILE):
            number = f"+12025550{100 + place:03}"
            given = {"locale": hostile, "source": f"s{hostile}", "extra": {"text": hostile, "brand": hostile}}
            assert isinstance(each.call("start", number, **given), Sent)
        for request in vendor.requests:
            message = request.message
            assert isinstance(message, MessageText)
            assert request.locale is None
            assert message.text == f"Your code is {request.code}. It expires in 10 min. Do not share it."


def test_nothing_of_a_call_reaches_the_text() -> None:
    nothing_of_a_call_reaches_the_text()


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_a_language_that_is_none_keeps_nobody_out_where_the_provider_makes_the_words(colour: str) -> None:
    assert isinstance(world(colour, CodeOwner.PROVIDER).call("start", NUMBER, locale="de;q=0.8\r\n"), Sent)


def minutes_are_not_promised_twice() -> None:
    """Whole minutes, rounded down; one at the least."""
    for seconds, minutes in ((600, 10), (599, 9), (61, 1), (60, 1), (5, 1)):
        vendor = Listening(owner=CodeOwner.CORE, clock=lambda: NOW)
        profile = replace(DEFAULT, code_lifetime=timedelta(seconds=seconds))
        world("blocking", vendor=vendor, profile=profile).call("start", NUMBER)
        assert f"expires in {minutes} min" in (vendor.outbox[0].text or "")


def test_minutes_are_whole_and_never_more_than_there_are() -> None:
    minutes_are_not_promised_twice()


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_an_engine_refuses_words_that_do_not_fit(colour: str) -> None:
    for brand in ("a\r\nb", "Ćevapi"):
        with pytest.raises(ConfigurationError):
            world(colour, brand=brand)
    branded = Templates((Template(name="a", locale="en", text="{brand}: {code}"),))
    with pytest.raises(ConfigurationError, match="OTPCORE_BRAND"):
        world(colour, templates=branded)
