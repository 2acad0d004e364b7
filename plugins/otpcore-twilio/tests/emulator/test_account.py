"""The safe list, messaging configurations, and what the emulator does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]  # the SDK carries no types

if TYPE_CHECKING:
    from tests.emulator.conftest import Bench

FRAUD = "+15005550410"
GEO = "+15005550605"
MG = "MG" + "0" * 32


# -- the safe list


def test_a_number_is_put_on_the_safe_list_found_and_taken_off(bench: Bench) -> None:
    safe = bench.v2.safelist
    made = safe.create("+18001234567")
    assert (made.sid[:2], made.phone_number) == ("GN", "+18001234567")
    assert safe.create("+18001234567").sid == made.sid
    assert safe("+18001234567").fetch().sid == made.sid
    assert safe("+18001234567").delete()
    assert bench.refused(safe("+18001234567").fetch) == (404, 20404)
    assert bench.refused(safe("+18001234567").delete) == (404, 20404)
    for wrong in ("18001234567", "ada@example.org", ""):
        assert bench.refused(safe.create, wrong) == (400, 60200)


@pytest.mark.parametrize(("number", "code"), [(FRAUD, 60410), (GEO, 60605)])
@pytest.mark.parametrize("channel", ["sms", "call"])
def test_a_safe_number_is_held_up_by_no_check_of_risk(bench: Bench, number: str, code: int, channel: str) -> None:
    assert bench.refused(bench.send, number, channel) == (403, code)
    bench.v2.safelist.create(number)
    assert bench.send(number, channel).status == "pending"
    bench.v2.safelist(number).delete()
    assert bench.refused(bench.send, number, channel) == (403, code)


@pytest.mark.parametrize(("number", "code"), [(FRAUD, 60410), (GEO, 60605)])
def test_a_request_can_do_without_the_check_of_risk_for_an_sms(bench: Bench, number: str, code: int) -> None:
    assert bench.refused(bench.send, number, risk_check="enable") == (403, code)
    assert bench.refused(bench.send, number, "call", risk_check="disable") == (403, code)
    assert bench.send(number, risk_check="disable").status == "pending"


def test_other_refusals_hold_for_a_safe_number_too(bench: Bench) -> None:
    bench.v2.safelist.create("+15005550205")
    assert bench.refused(bench.send, "+15005550205", risk_check="disable") == (403, 60205)


# -- messaging configurations


def test_a_configuration_is_made_shown_changed_listed_and_deleted(bench: Bench) -> None:
    configurations = bench.service.messaging_configurations
    made = configurations.create("CA", MG)
    assert (made.country, made.messaging_service_sid) == ("CA", MG)
    assert bench.refused(configurations.create, "CA", MG) == (400, 60213)
    configurations.create("US", MG)
    other = "MG" + "1" * 32
    assert configurations("CA").update(other).messaging_service_sid == other
    assert configurations("CA").fetch().messaging_service_sid == other
    assert [one.country for one in configurations.list(page_size=1)] == ["CA", "US"]
    assert configurations("CA").delete()
    assert bench.refused(configurations("CA").fetch) == (404, 20404)
    for wrong in (("ca", MG), ("CAN", MG), ("FR", "MG1")):
        assert bench.refused(configurations.create, *wrong) == (400, 60200)


def test_a_configuration_belongs_to_its_service(bench: Bench) -> None:
    bench.service.messaging_configurations.create("CA", MG)
    other = bench.v2.services(bench.v2.services.create(friendly_name="Other").sid)
    assert bench.refused(other.messaging_configurations("CA").fetch) == (404, 20404)
    assert other.messaging_configurations.create("CA", MG).country == "CA"
    assert len(bench.service.messaging_configurations.list()) == 1


# -- what is not here


def test_push_totp_and_passkeys_say_that_they_are_not_emulated(bench: Bench) -> None:
    entity = bench.service.entities("somebody")
    for call in (
        lambda: bench.service.entities.create(identity="somebody"),
        entity.fetch,
        entity.delete,
        entity.factors("YF" + "0" * 32).fetch,
        lambda: entity.new_factors.create(friendly_name="phone", factor_type="totp"),
        lambda: entity.challenges.create(factor_sid="YF" + "0" * 32),
        lambda: bench.service.access_tokens.create(identity="somebody", factor_type="push"),
        lambda: bench.service.webhooks.create("hook", ["*"], "https://example.org"),
        bench.v2.forms("form-push").fetch,
    ):
        with pytest.raises(TwilioRestException) as caught:
            call()
        assert (caught.value.status, caught.value.code) == (501, 501)  # Twilio's code would have five digits
        assert "Not emulated: push, TOTP and passkeys" in caught.value.msg


def test_their_settings_are_kept_with_the_service_and_shown(bench: Bench) -> None:
    bench.service.update(
        push_include_date=True, totp_issuer="Shop", totp_code_length=8, passkeys_relying_party_origins="a.test,b.test"
    )
    found = bench.service.fetch()
    assert (found.push["include_date"], found.push["apn_credential_sid"]) == (True, None)
    assert (found.totp["issuer"], found.totp["code_length"], found.totp["skew"]) == ("Shop", 8, None)
    assert found.passkeys["relying_party"] == {"id": None, "name": None, "origins": ["a.test", "b.test"]}
    assert found.whatsapp == {"msg_service_sid": None, "from": None}


def test_what_is_not_emulated_asks_for_credentials_all_the_same(bench: Bench) -> None:
    bench.client.auth = (bench.emulator.account_sid, "wrong")
    assert bench.refused(bench.service.entities("somebody").fetch) == (401, 20003)
