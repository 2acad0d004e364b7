"""What each channel does on the wire: silent network authentication, auto, e-mail, and lookups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import requests

from otpcore_twilio.emulator import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

TO = "+12025550123"
SILENT = Options(channels=frozenset({"sms", "sna"}))
CARRIER = {
    "carrier": {
        "mobile_country_code": "001",
        "type": "mobile",
        "error_code": None,
        "mobile_network_code": "01",
        "name": "Test network",
    }
}


def opened(url: str, **query: str) -> dict[str, str]:
    """What the phone reads at the URL."""
    answer = requests.get(url, params=query, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return dict(parse_qsl(answer.text))


@pytest.fixture
def silent(bench_of: Callable[..., Bench]) -> Bench:
    return bench_of(SILENT)


def ask(bench: Bench, **more: Any) -> Any:
    return bench.service.verification_checks.create(to=TO, **more)


# -- silent network authentication


def test_a_silent_verification_is_approved_once_the_phone_has_opened_its_url(silent: Bench) -> None:
    sent = silent.send(channel="sna")
    assert (sent.channel, sent.status, sent.lookup) == ("sna", "pending", CARRIER)
    assert list(silent.body)[-2:] == ["channel", "sna"]
    assert silent.emulator.inbox() == ()
    attempt = sent.send_code_attempts[0]["attempt_sid"]
    waiting = ask(silent)
    assert (waiting.status, waiting.valid) == ("pending", False)
    assert waiting.sna_attempts_error_codes == [{"attempt_sid": attempt, "code": 60519}]
    assert opened(sent.sna["url"]) == {
        "ErrorCode": "0",
        "ErrorDescription": "Success",
        "Carrier": "Test network",
    }
    checked = ask(silent)
    assert (checked.status, checked.valid, checked.channel) == ("approved", True, "sna")
    assert checked.sna_attempts_error_codes == []
    assert silent.refused(ask, silent) == (404, 20404)


def test_a_carrier_that_says_no_is_played_by_the_code(silent: Bench) -> None:
    sent = silent.send(channel="sna")
    opened(sent.sna["url"], code="60500")
    checked = ask(silent)
    attempt = sent.send_code_attempts[0]["attempt_sid"]
    assert (checked.status, checked.sna_attempts_error_codes) == (
        "pending",
        [{"attempt_sid": attempt, "code": 60500}],
    )


def test_a_url_works_once_and_only_while_it_can_help(silent: Bench) -> None:
    url = silent.send(channel="sna").sna["url"]
    opened(url, code="60500")
    assert opened(url)["ErrorCode"] == "-10"
    assert ask(silent).status == "pending"
    assert opened(url[:-1])["ErrorCode"] == "-10"
    late = silent.send(channel="sna").sna["url"]
    silent.emulator.advance(600)
    assert opened(late)["ErrorCode"] == "-10"


@pytest.mark.parametrize("code", ["0", "x", "60200", "20404"])
def test_a_code_that_no_carrier_gives_is_refused(silent: Bench, code: str) -> None:
    url = silent.send(channel="sna").sna["url"]
    assert requests.get(url, params={"code": code}, timeout=10).status_code == 400
    assert opened(url)["ErrorCode"] == "0"


def test_the_url_is_opened_by_post_too(silent: Bench) -> None:
    sent = silent.send(channel="sna")
    assert requests.post(sent.sna["url"], timeout=10).status_code == 200
    assert ask(silent).valid


def test_a_token_is_handed_to_the_phone_and_wanted_back_where_it_was_asked_for(silent: Bench) -> None:
    sent = silent.send(channel="sna", enable_sna_client_token=True)
    token = opened(sent.sna["url"])["SnaClientToken"]
    for given in ({}, {"sna_client_token": "0" * 32}):
        assert ask(silent, **given).status == "pending"
    assert ask(silent, sna_client_token=token).status == "approved"


def test_asking_uses_up_no_try(silent: Bench) -> None:
    sent = silent.send(channel="sna")
    for _ in range(7):
        assert ask(silent).status == "pending"
    opened(sent.sna["url"])
    assert ask(silent).valid


def test_every_silent_attempt_is_listed_and_the_newest_decides(silent: Bench) -> None:
    first, second = silent.send(channel="sna"), silent.send(channel="sna")
    assert first.sid == second.sid
    assert first.sna["url"] != second.sna["url"]
    opened(first.sna["url"])
    checked = ask(silent)
    newest = second.send_code_attempts[-1]["attempt_sid"]
    assert (checked.status, checked.sna_attempts_error_codes) == ("pending", [{"attempt_sid": newest, "code": 60519}])


def test_a_code_by_sms_takes_over_from_a_silent_verification(silent: Bench) -> None:
    first = silent.send(channel="sna")
    opened(first.sna["url"], code="60531")
    second = silent.send()
    assert (second.sid, second.channel) == (first.sid, "sms")
    assert "sna" not in silent.body
    assert silent.refused(ask, silent) == (400, 60200)  # a code is wanted again
    assert silent.check(silent.right()).valid


def test_a_check_without_a_code_is_only_for_a_silent_one(bench: Bench) -> None:
    bench.send()
    assert bench.refused(ask, bench) == (400, 60200)
    assert bench.check(bench.right()).valid


def test_what_a_message_would_say_means_nothing_to_a_silent_verification(silent: Bench) -> None:
    assert silent.send(channel="sna", template_sid="HJ" + "f" * 32, app_hash="none").status == "pending"


# -- auto


@pytest.mark.parametrize(
    ("channels", "chosen"), [({"auto", "sms", "sna"}, "sna"), ({"auto", "sms"}, "sms"), ({"auto", "sna"}, "sna")]
)
def test_auto_prefers_the_silent_channel(bench_of: Callable[..., Bench], channels: set[str], chosen: str) -> None:
    bench = bench_of(Options(channels=frozenset(channels)))
    assert bench.send(channel="auto", device_ip="192.0.2.7").channel == chosen


def test_auto_that_finds_no_channel_says_so(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(channels=frozenset({"auto", "call"})))
    assert bench.refused(bench.send, channel="auto") == (400, 60550)


# -- e-mail


def test_a_service_with_a_mailer_sends_e_mail(bench: Bench) -> None:
    address = "ada@example.org"
    assert bench.refused(bench.send, address, "email") == (400, 60217)
    bench.client.request(
        "POST",
        f"{bench.emulator.url}/v2/Services/{bench.emulator.service_sid}",
        data={"MailerSid": "MD" + "0" * 32},
    )
    sent = bench.send(address, "email", channel_configuration={"from": "shop@example.org", "from_name": "Shop"})
    assert (sent.channel, sent.to, sent.send_code_attempts[0]["channel"]) == ("email", address, "email")
    assert bench.check(bench.right(address), address).channel == "email"


# -- lookups


def test_a_service_that_looks_numbers_up_shows_the_carrier(bench: Bench) -> None:
    bench.service.update(lookup_enabled=True)
    sent = bench.send()
    assert sent.lookup == CARRIER
    assert bench.service.verifications(sent.sid).fetch().lookup == CARRIER
