"""What a call says, and what the settings say in its place, is what the person reads and what Twilio counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from otpcore import Refused, Sent
from otpcore.results import Refusal
from otpcore_twilio import TwilioProvider
from otpcore_twilio.emulator import Emulator

PHONE, OTHER, THIRD = "+12025550123", "+12025550124", "+12025550125"
NAMELESS = "HJ" + "0" * 31 + "1"
CONTACT = "HJ" + "0" * 31 + "2"
FRAUD = "+15005550410"
Desks = Callable[..., Any]


def read(emulator: Emulator, to: str = PHONE) -> str:
    """The newest message, with `code` for its code."""
    message = emulator.inbox(to)[-1]
    return message.text.replace(message.code, "code")


def code_of(refused: Refused) -> str | None:
    """Twilio's, in its answer."""
    return None if refused.cause is None else refused.cause.provider_code


def test_the_settings_choose_template_and_language_and_the_call_another(desk: Desks, emulator: Emulator) -> None:
    here = desk(template_sid=NAMELESS, locale="fr")
    here.start(PHONE)
    assert read(emulator) == "code est votre code. Ne le communiquez à personne."
    here.start(OTHER, locale="en")
    assert read(emulator, OTHER) == "code is your code. Do not share it."
    given = {"TemplateSid": CONTACT, "TemplateCustomSubstitutions": json.dumps({"contact": "us"})}
    here.start(THIRD, locale="en", extra=given)
    assert read(emulator, THIRD) == "Your otpcore code is code. Not you? Call us."


def test_the_first_template_that_fits_is_sent(desk: Desks, emulator: Emulator) -> None:
    here = desk(template_sid=CONTACT)
    several = json.dumps([{"sid": "HJ" + "9" * 32}, {"sid": NAMELESS}])
    here.start(PHONE, extra={"Templates": several})
    assert read(emulator) == "code is your code. Do not share it."


def test_a_name_and_an_app_hash_are_in_the_message(desk: Desks, emulator: Emulator) -> None:
    here = desk(friendly_name="Café Söhne")
    here.start(PHONE, extra={"AppHash": "He42w354ol9"})
    assert "Café Söhne" in read(emulator)
    assert read(emulator).endswith("He42w354ol9")
    here.start(OTHER, extra={"CustomFriendlyName": "Other"})
    assert "Other" in read(emulator, OTHER)


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"TemplateSid": "HJ" + "9" * 32}, "60228"),
        ({"TemplateSid": CONTACT}, "60224"),
        ({"Templates": json.dumps([{"sid": "HJ" + "9" * 32}])}, "60252"),
    ],
)
def test_a_template_that_cannot_be_sent_is_a_misconfiguration(desk: Desks, extra: dict[str, str], code: str) -> None:
    refused = desk().start(PHONE, extra=extra)
    assert isinstance(refused, Refused)
    assert (refused.kind, code_of(refused)) == (Refusal.MISCONFIGURED, code)


def test_fraud_guard_is_passed_by_only_where_somebody_says_so(desk: Desks) -> None:
    assert isinstance(desk().start(FRAUD), Refused)
    assert isinstance(desk().start(FRAUD, extra={"RiskCheck": "disable"}), Sent)
    assert isinstance(desk(risk_check="disable").start(FRAUD), Sent)
    assert isinstance(desk(risk_check="disable").start(FRAUD, extra={"RiskCheck": "enable"}), Refused)


def test_a_rate_limit_of_the_service_counts_by_the_sources_pseudonym(desk: Desks, emulator: Emulator) -> None:
    here = desk(rate_limits=("by_source",))
    owner = TwilioProvider(here.settings)
    limits = owner.native_client.verify.v2.services(emulator.service_sid).rate_limits
    limits(limits.create("by_source").sid).buckets.create(max=2, interval=60)
    owner.close()
    assert isinstance(here.start(PHONE, source="192.0.2.1"), Sent)
    assert isinstance(here.start(OTHER, source="192.0.2.1"), Sent)
    refused = here.start(THIRD, source="192.0.2.1")
    assert isinstance(refused, Refused)
    assert (refused.kind, code_of(refused)) == (Refusal.RATE_LIMITED, "20429")
    assert isinstance(here.start(THIRD, source="192.0.2.2"), Sent)
    with emulator.account.lock:
        (limit,) = emulator.account.world.held.rate_limits.values()
        keys = set(limit.uses)
    assert len(keys) == 2
    assert not any("192.0.2" in key for key in keys)
