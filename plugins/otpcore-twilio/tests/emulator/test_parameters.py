"""The parameters of a send: what each must be, and that a wrong one sends nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Bench

TO = "+12025550123"


def tags(number: int, length: int = 1) -> str:
    return json.dumps({f"{place:0{length}}": "x" * length for place in range(number)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("risk_check", "maybe"),
        ("risk_check", ""),
        ("send_digits", "1a"),
        ("send_digits", ""),
        ("send_digits", "1" * 33),
        ("device_ip", "192.0.2"),
        ("device_ip", "192.0.2.256"),
        ("device_ip", "192.0.2.7 "),
        ("device_ip", "2001:db8::g"),
        ("device_ip", ""),
        ("channel_configuration", "from=x"),
        ("channel_configuration", "[]"),
        ("channel_configuration", {"from": "nobody"}),
        ("channel_configuration", {"from": 7}),
        ("rate_limits", "ip=1"),
        ("rate_limits", ["ip"]),
        ("rate_limits", {"ip": None}),
        ("rate_limits", {"ip": True}),
        ("rate_limits", {"ip": {}}),
        ("tags", "a=b"),
        ("tags", "[1]"),
        ("tags", tags(11)),
        ("tags", tags(1, 129)),
        ("tags", '{"a": null}'),
        ("tags", '{"a": "\\ud800"}'),
        ("tags", '{"\\udfff": "a"}'),
        ("tags", "[" * 100_000),
        ("template_custom_substitutions", '{"contact": "\\ud800"}'),
        ("template_custom_substitutions", '{"a":' * 100_000),
        ("templates", "[" * 100_000),
        ("templates", '[{"sid": "HJ00000000000000000000000000000001", "substitutions": {"a": "\\ud800"}}]'),
        ("enable_sna_client_token", "perhaps"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_sent(bench: Bench, name: str, value: Any) -> None:
    assert bench.refused(bench.send, **{name: value}) == (400, 60200)
    assert bench.body["message"].startswith(f"Invalid parameter `{name.title().replace('_', '')}`")
    assert bench.emulator.inbox() == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("risk_check", "enable"),
        ("risk_check", "disable"),
        ("send_digits", "ww1*2#W"),
        ("device_ip", "192.0.2.7"),
        ("device_ip", "0.000.00.000"),  # Twilio's own example
        ("device_ip", "2001:db8::7"),
        ("channel_configuration", {"from": "shop@example.org", "substitutions": {"a": "b"}}),
        ("channel_configuration", {}),
        ("rate_limits", {"ip": "192.0.2.7", "n": 7}),
        ("tags", tags(10)),
        ("tags", tags(1, 128)),
        ("custom_message", "no longer used"),
        ("enable_sna_client_token", False),
    ],
)
def test_a_right_value_is_accepted(bench: Bench, name: str, value: Any) -> None:
    assert bench.send(**{name: value}).status == "pending"


def test_tags_are_kept_with_the_attempt(bench: Bench) -> None:
    sent = bench.send(tags='{"tenant": "a", "n": 7}')
    attempt = bench.emulator.account.world.held.attempts[sent.send_code_attempts[0]["attempt_sid"]]
    assert attempt.tags == {"tenant": "a", "n": "7"}


@pytest.mark.parametrize("length", [40, 5_000])
def test_a_number_of_any_length_is_refused_and_the_connection_stays(bench: Bench, length: int) -> None:
    digits = "9" * length
    for _ in range(2):
        assert bench.refused(bench.v2.services.create, friendly_name="Shop", code_length=digits) == (400, 60200)
        assert bench.refused(bench.v2.services.list, page_size=digits) == (400, 60200)


@pytest.mark.parametrize(
    ("path", "form", "absent"),
    [
        ("Services", {}, "FriendlyName"),
        ("Services/{}/Verifications", {"Channel": "sms"}, "To"),
        ("Services/{}/Verifications", {"To": TO}, "Channel"),
        ("Services/{}/Verifications/" + TO, {}, "Status"),
        ("Services/{}/RateLimits", {}, "UniqueName"),
        ("Services/{}/MessagingConfigurations", {"MessagingServiceSid": "MG" + "0" * 32}, "Country"),
        ("Services/{}/MessagingConfigurations", {"Country": "CA"}, "MessagingServiceSid"),
        ("SafeList/Numbers", {}, "PhoneNumber"),
    ],
)
def test_a_parameter_that_must_be_there_is_named(bench: Bench, path: str, form: dict[str, str], absent: str) -> None:
    url = f"{bench.emulator.url}/v2/{path.format(bench.emulator.service_sid)}"
    bench.client.request("POST", url, data=form)
    assert bench.last == (400, 20001)
    assert bench.body["message"] == f"Missing required parameter {absent} in the post body"


@pytest.mark.parametrize("absent", ["Max", "Interval"])
def test_a_bucket_needs_both_its_numbers(bench: Bench, absent: str) -> None:
    limit = bench.service.rate_limits.create(unique_name="ip")
    form = {"Max": "1", "Interval": "1"}
    del form[absent]
    bench.client.request("POST", f"{limit.url}/Buckets", data=form)
    assert bench.last == (400, 20001)


@pytest.mark.parametrize("channel", ["sms", "call", "whatsapp"])
def test_parameters_of_another_channel_do_no_harm(bench: Bench, channel: str) -> None:
    sent = bench.send(
        channel=channel,
        send_digits="1",
        app_hash="He42w354ol9",
        channel_configuration={"from": "shop@example.org"},
        enable_sna_client_token=True,
    )
    assert sent.channel == channel
