"""Services: their life, their limits, and what they mean for a verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Bench

UNKNOWN = "VA" + "0" * 32


def test_a_new_service_has_twilios_defaults(bench: Bench) -> None:
    made = bench.v2.services.create(friendly_name="Shop")
    assert bench.last == (201, None)
    assert (made.friendly_name, made.code_length) == ("Shop", 6)
    assert (made.lookup_enabled, made.skip_sms_to_landlines, made.custom_code_enabled) == (False, False, False)
    assert made.dtmf_input_required


def test_a_service_is_fetched_updated_and_deleted(bench: Bench) -> None:
    sid = bench.v2.services.create(friendly_name="Shop", tts_name="alice").sid
    bench.emulator.advance(5)
    updated = bench.v2.services(sid).update(friendly_name="Bazaar", code_length=8, dtmf_input_required=False)
    assert (updated.friendly_name, updated.code_length, updated.dtmf_input_required) == ("Bazaar", 8, False)
    assert updated.date_updated > updated.date_created
    assert bench.v2.services(sid).fetch().tts_name == "alice"
    assert bench.v2.services(sid).delete()
    assert bench.refused(bench.v2.services(sid).fetch) == (404, 20404)


@pytest.mark.parametrize(
    "wrong",
    [
        {"friendly_name": ""},
        {"friendly_name": "x" * 31},
        {"friendly_name": "Shop 12345"},
        {"friendly_name": "Shop", "code_length": 3},
        {"friendly_name": "Shop", "code_length": 11},
        {"friendly_name": "Shop", "code_length": "six"},
        {"friendly_name": "Shop", "lookup_enabled": "perhaps"},
    ],
)
def test_a_wrong_parameter_is_refused_and_changes_nothing(bench: Bench, wrong: dict[str, str]) -> None:
    before = bench.v2.services(bench.emulator.service_sid).fetch().friendly_name
    assert bench.refused(bench.v2.services.create, **wrong) == (400, 60200)
    assert bench.refused(bench.v2.services(bench.emulator.service_sid).update, **wrong) == (400, 60200)
    assert [service.friendly_name for service in bench.v2.services.list()] == [before]


def test_a_service_needs_a_name(bench: Bench) -> None:
    bench.client.request("POST", f"{bench.emulator.url}/v2/Services", data={"CodeLength": 6})
    assert bench.last == (400, 20001)


def test_the_sdk_walks_through_the_pages(bench: Bench) -> None:
    made = [bench.v2.services.create(friendly_name=f"Shop {letter}").sid for letter in "abcd"]
    listed = [service.sid for service in bench.v2.services.list(page_size=2)]
    assert listed == [bench.emulator.service_sid, *made]
    assert bench.body["meta"]["key"] == "services"
    assert bench.body["meta"]["next_page_url"] is None
    assert "Page=1" in bench.body["meta"]["previous_page_url"]


@pytest.mark.parametrize("query", ["PageSize=0", "PageSize=1001", "PageSize=x", "Page=-1"])
def test_a_page_that_cannot_be_is_refused(bench: Bench, query: str) -> None:
    bench.client.request("GET", f"{bench.emulator.url}/v2/Services?{query}")
    assert bench.last == (400, 60200)


def test_an_unknown_service_is_not_found_by_any_operation(bench: Bench) -> None:
    unknown = bench.v2.services(UNKNOWN)
    for call in (
        unknown.fetch,
        unknown.update,
        unknown.delete,
        lambda: unknown.verifications.create(to="+12025550123", channel="sms"),
        lambda: unknown.verifications("VE" + "0" * 32).fetch(),
        lambda: unknown.verifications("VE" + "0" * 32).update(status="canceled"),
        lambda: unknown.verification_checks.create(to="+12025550123", code="123456"),
    ):
        assert bench.refused(call) == (404, 20404)


def test_services_do_not_share_verifications(bench: Bench) -> None:
    other = bench.v2.services(bench.v2.services.create(friendly_name="Other").sid)
    first = bench.send()
    code = bench.right()
    second = other.verifications.create(to="+12025550123", channel="sms")
    assert second.sid != first.sid
    assert bench.refused(other.verifications(first.sid).fetch) == (404, 20404)
    assert bench.refused(other.verification_checks.create, verification_sid=first.sid, code=code) == (404, 20404)


def test_a_deleted_service_takes_its_verifications_along(bench: Bench) -> None:
    bench.send()
    assert bench.service.delete()
    assert bench.refused(bench.check, bench.right()) == (404, 20404)
    assert bench.refused(bench.send) == (404, 20404)


def test_the_length_of_a_code_is_that_of_its_service(bench: Bench) -> None:
    bench.service.update(code_length=4)
    bench.send()
    assert len(bench.right()) == 4
    assert bench.check(bench.right()).valid


def test_a_custom_code_is_sent_where_the_service_allows_it(bench: Bench) -> None:
    bench.service.update(custom_code_enabled=True)
    assert bench.refused(bench.send, custom_code="123") == (400, 60200)
    bench.send(custom_code="87654321")
    assert bench.right() == "87654321"
    assert bench.check("87654321").valid


def test_the_text_names_the_service_or_the_name_that_was_asked_for(bench: Bench) -> None:
    bench.service.update(friendly_name="Shop", do_not_share_warning_enabled=True)
    bench.send()
    bench.send(custom_friendly_name="Bazaar")
    bench.send(channel="call")
    first, second, call = (message.text for message in bench.emulator.inbox())
    code = bench.right()
    assert first.startswith(f"Your Shop verification code is: {code}. Don't share")
    assert second.startswith(f"Your Bazaar verification code is: {code}")
    assert ". ".join(code) in call
