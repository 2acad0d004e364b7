"""Quirks of the wire that captures show and the specification's examples do not; and the bodies of errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from otpcore_twilio.emulator import Options
from otpcore_twilio.emulator.catalogue import ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.emulator.conftest import Bench

SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MILLISECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_verification_has_the_keys_of_the_captures_in_their_order(bench: Bench) -> None:
    bench.send()
    assert list(bench.body) == [
        "status", "payee", "date_updated", "send_code_attempts", "account_sid", "to", "amount", "valid", "lookup",
        "url", "sid", "date_created", "service_sid", "channel",
    ]  # fmt: skip


def test_a_check_has_the_keys_of_the_captures_in_their_order(bench: Bench) -> None:
    bench.send()
    bench.check(bench.right())
    assert list(bench.body) == [
        "status", "payee", "date_updated", "account_sid", "to", "amount", "valid", "sid", "date_created",
        "service_sid", "channel",
    ]  # fmt: skip


def test_times_are_iso_8601_and_sids_lower_case_hexadecimal(bench: Bench) -> None:
    bench.send()
    body = bench.body
    assert SECOND.fullmatch(body["date_created"])
    assert SECOND.fullmatch(body["date_updated"])
    for key, prefix in (("sid", "VE"), ("service_sid", "VA"), ("account_sid", "AC")):
        assert re.fullmatch(prefix + "[0-9a-f]{32}", body[key])


def test_only_the_newest_attempt_has_milliseconds_and_channels_are_lower_case(
    bench_of: Callable[..., Bench], at_half_a_second: Callable[[], datetime]
) -> None:
    bench = bench_of(clock=at_half_a_second)
    bench.send()
    bench.send()
    attempts = bench.body["send_code_attempts"]
    assert [attempt["time"][-5:] for attempt in attempts] == [".000Z", ".512Z"]
    assert all(MILLISECOND.fullmatch(attempt["time"]) for attempt in attempts)
    assert [list(attempt) for attempt in attempts] == [["attempt_sid", "channel", "time"]] * 2
    assert {attempt["channel"] for attempt in attempts} == {"sms"}


def test_a_lookup_that_was_not_made_has_a_null_carrier(bench: Bench) -> None:
    bench.send()
    assert bench.body["lookup"] == {"carrier": None}


def test_the_url_of_a_resource_leads_back_to_the_emulator(bench: Bench) -> None:
    sent = bench.send()
    assert sent.url == f"{bench.emulator.url}/v2/Services/{bench.emulator.service_sid}/Verifications/{sent.sid}"


def test_a_401_has_an_empty_detail_and_names_the_scheme(bench: Bench) -> None:
    bench.client.auth = (bench.emulator.account_sid, "")
    bench.refused(bench.send)
    assert list(bench.body.items()) == [
        ("code", 20003),
        ("detail", ""),
        ("message", "Authenticate"),
        ("more_info", "https://www.twilio.com/docs/errors/20003"),
        ("status", 401),
    ]
    assert bench.http.answers[-1].headers["WWW-Authenticate"].startswith("Basic ")


def test_an_api_key_is_accepted_in_place_of_the_token(bench: Bench) -> None:
    made = bench.emulator.account.credentials
    bench.client.auth = (made.api_key_sid, made.api_key_secret)
    assert bench.send().status == "pending"


def test_an_error_names_code_message_page_and_status(bench: Bench) -> None:
    bench.refused(bench.send, "nobody")
    assert list(bench.body.items()) == [
        ("code", 60200),
        ("message", "Invalid parameter `To`: nobody"),
        ("more_info", "https://www.twilio.com/docs/errors/60200"),
        ("status", 400),
    ]


def test_messages_can_be_worded_as_they_were_years_ago(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(message_wording="early"))
    assert bench.refused(bench.send, "nobody") == (400, 60200)
    assert bench.body["message"] == "Invalid parameter: To"
    assert bench.refused(bench.check, "123456") == (404, 20404)
    path = f"/Services/{bench.emulator.service_sid}/VerificationCheck"
    assert bench.body["message"] == f"The requested resource {path} was not found"


def test_a_404_names_the_path(bench: Bench) -> None:
    bench.refused(bench.check, "123456")
    path = f"/v2/Services/{bench.emulator.service_sid}/VerificationCheck"
    assert bench.body["message"] == f"The requested resource {path} was not found"


def test_a_poll_limit_without_a_code_reaches_the_sdk_as_429(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(poll_code=None))
    fetch = bench.service.verifications(bench.send().sid).fetch
    for _ in range(60):
        fetch()
    assert bench.refused(fetch) == (429, None)


def test_no_error_repeats_a_code_that_somebody_typed(bench: Bench) -> None:
    bench.send()
    bench.refused(bench.check, "98765432100")
    assert "98765432100" not in bench.http.answers[-1].text


@pytest.mark.parametrize("path", ["/v2/Nothing", "/v2/Services/VA0/Nothing"])
def test_an_unknown_path_is_refused_in_twilios_words(bench: Bench, path: str) -> None:
    bench.client.request("GET", bench.emulator.url + path)
    assert bench.last == (404, 20404)


def test_an_unknown_method_is_refused_in_twilios_words(bench: Bench) -> None:
    bench.client.request("DELETE", f"{bench.emulator.url}/v2/Services")
    assert bench.last == (405, 20004)


def test_every_error_code_has_five_digits_and_an_error_status() -> None:
    assert all(10_000 <= code <= 99_999 and 400 <= kind.status <= 599 for code, kind in ERRORS.items())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (401, 20003)),
        ("Bearer x", (401, 20003)),
        ("Basic", (401, 20003)),
        ("Basic !!!", (401, 20003)),
        ("Basic /w==", (401, 20003)),
        ("Basic OnBhc3M=", (401, 20003)),
        ("Basic \xe4", (401, 20003)),
    ],
)
def test_a_header_that_is_no_valid_pair_is_refused(bench: Bench, header: str | None, expected: tuple[int, int]) -> None:
    headers = {} if header is None else {"Authorization": header}
    bench.http.request("GET", f"{bench.emulator.url}/v2/Services", headers=headers)
    assert bench.last == expected
