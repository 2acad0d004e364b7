"""What the Messaging provider may be configured with, and what is refused before anything is opened."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otpcore.errors import ConfigurationError
from otpcore_twilio import AsyncTwilioMessagingProvider, TwilioMessagingProvider, TwilioMessagingSettings
from otpcore_twilio.settings import Origin

MESSAGES = "https://api.twilio.com"
SERVICE = "MG" + "1" * 32
MakeSettings = Callable[..., TwilioMessagingSettings]


@pytest.mark.parametrize("sender", ["+12025550100", "12345", "ACME", "A", "Shop 24", "a-b_c&d+e"])
def test_a_sender_is_a_number_a_short_code_or_an_id(messages_at: MakeSettings, sender: str) -> None:
    assert TwilioMessagingProvider(messages_at(MESSAGES, sender=sender)).capabilities.channels == {"sms"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sender": ""}, "TWILIO_MESSAGING_SERVICE_SID.*or sender"),
        ({"messaging_service_sid": "VA" + "1" * 32}, "TWILIO_MESSAGING_SERVICE_SID"),
        ({"sender": "ACME and sons"}, "sender"),
        ({"sender": "+1"}, "sender"),
        ({"sender": "12"}, "sender"),
        ({"sender": "+12025550100\n"}, "sender"),
        ({"account_sid": "AC1"}, "TWILIO_ACCOUNT_SID"),
        ({"auth_token": None}, "TWILIO_AUTH_TOKEN"),
        ({"origin": "http://api.twilio.com"}, "origin"),
        ({"origin": "https://api.twilio.com/2010-04-01"}, "origin"),
        ({"status_callback": "https://otp.example.com"}, "status_callback"),
        ({"status_callback": "/receipts"}, "status_callback"),
        ({"status_callback": "https://otp.example.com/x#rc=3"}, "status_callback"),
        ({"status_callback": "https://my_host.example.com/x"}, "status_callback"),
        ({"status_callback": "https://user@otp.example.com/x"}, "status_callback"),
        ({"status_callback": "http://otp.example.com/x"}, "public_url"),
        ({"status_callback": "https://other.example.com/x", "public_url": "https://otp.example.com"}, "under"),
        ({"public_url": "otp.example.com"}, "public_url"),
    ],
)
@pytest.mark.parametrize("colour", [TwilioMessagingProvider, AsyncTwilioMessagingProvider])
def test_what_is_missing_or_misshapen_is_named_and_not_shown(
    messages_at: MakeSettings,
    colour: type[TwilioMessagingProvider | AsyncTwilioMessagingProvider],
    changes: dict[str, str],
    named: str,
) -> None:
    settings = messages_at(**({"origin": MESSAGES} | changes))
    with pytest.raises(ConfigurationError, match=named) as caught:
        colour(settings)
    assert not any(value in str(caught.value) for value in changes.values() if value and len(value) > 3)


@pytest.mark.parametrize(
    ("callback", "public_url", "expected"),
    [
        ("", "", ""),
        ("", "https://otp.example.com/base/", "https://otp.example.com/base"),
        ("https://otp.example.com/base/twilio?a=1", "", "https://otp.example.com"),
        ("https://otp.example.com/base/twilio?a=1", "https://otp.example.com/base", "https://otp.example.com/base"),
        ("http://127.0.0.1:8080/twilio", "", "http://127.0.0.1:8080"),
    ],
)
def test_receipts_are_judged_under_the_public_url_or_that_of_the_callback(
    messages_at: MakeSettings, callback: str, public_url: str, expected: str
) -> None:
    settings = messages_at(MESSAGES, status_callback=callback, public_url=public_url)
    assert settings.receipts_at() == expected


def test_only_the_products_own_host_is_moved() -> None:
    proxy = Origin.parse("https://twilio.example.com", "api")
    assert (
        proxy.place("https://api.twilio.com/2010-04-01/Accounts/x")
        == "https://twilio.example.com/2010-04-01/Accounts/x"
    )
    assert proxy.place("https://api.dublin.ie1.twilio.com/x") == "https://twilio.example.com/x"
    assert proxy.place("https://verify.twilio.com/v2/x") == "https://verify.twilio.com/v2/x"


def test_an_emulator_is_a_stand_in_and_twilio_is_not(messages_at: MakeSettings) -> None:
    for origin, local in (("http://127.0.0.1:9", True), (MESSAGES, False), ("https://localhost:9", False)):
        capabilities = TwilioMessagingProvider(messages_at(origin)).capabilities
        assert (capabilities.simulated, capabilities.stands_in) == (local, local)


def test_the_environment_that_the_emulator_prints_configures_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWILIO_FROM_NUMBER", "TWILIO_PHONE_NUMBER", "TWILIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    named = TwilioMessagingSettings.model_validate(
        {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t", "TWILIO_MESSAGING_SERVICE_SID": SERVICE}
    )
    assert named.messaging_service_sid == SERVICE
    assert repr(TwilioMessagingProvider(named)) == f"TwilioMessagingProvider({SERVICE})"
