"""Settings are judged before anything is opened, and no message shows a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from otpcore.errors import ConfigurationError
from otpcore.ports import CodeOwner
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings
from otpcore_twilio.settings import Origin
from otpcore_twilio.signature import public_prefix

KEY = {"api_key_sid": "SK" + "2" * 32, "api_key_secret": SecretStr("s" * 32)}
Make = Callable[..., TwilioSettings]
HTTPS = "https://verify.twilio.com"


@pytest.mark.parametrize("provider", [TwilioProvider, AsyncTwilioProvider])
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"account_sid": ""}, ["TWILIO_ACCOUNT_SID"]),
        ({"account_sid": "ACzzzz"}, ["TWILIO_ACCOUNT_SID"]),
        ({"account_sid": "AC" + "0" * 32 + "\n"}, ["TWILIO_ACCOUNT_SID"]),
        ({"service_sid": "VA../../../Accounts"}, ["TWILIO_SERVICE_SID"]),
        ({"auth_token": None}, ["TWILIO_AUTH_TOKEN", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET"]),
        ({"auth_token": SecretStr("")}, ["TWILIO_AUTH_TOKEN"]),
        ({"auth_token": SecretStr("abc\r\nX-Header: 1")}, ["auth_token"]),
        ({"api_key_sid": KEY["api_key_sid"]}, ["TWILIO_API_KEY_SECRET"]),
        ({"api_key_secret": KEY["api_key_secret"]}, ["TWILIO_API_KEY_SID"]),
        ({"account_sid": "", "service_sid": "", "auth_token": None}, ["TWILIO_ACCOUNT_SID", "TWILIO_SERVICE_SID"]),
        ({"origin": "http://verify.twilio.com"}, ["origin"]),
        ({"origin": "https://user:secret@verify.twilio.com"}, ["origin"]),
        ({"origin": "https://verify.twilio.com/v2"}, ["origin"]),
        ({"origin": "https://verify.twilio.com:port"}, ["origin"]),
        ({"origin": "ftp://127.0.0.1"}, ["origin"]),
        ({"origin": "verify.twilio.com"}, ["origin"]),
        ({"origin": ""}, ["origin"]),
    ],
)
def test_what_is_missing_or_misshapen_is_named_and_never_shown(
    settings_for: Make, provider: Callable[[TwilioSettings], object], changes: dict[str, Any], named: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        provider(settings_for(**({"origin": HTTPS} | changes)))
    message = str(caught.value)
    assert all(name in message for name in named)
    shown = [v.get_secret_value() if isinstance(v, SecretStr) else str(v) for v in changes.values() if v]
    assert not any(value and value in message for value in shown)


def test_without_any_setting_the_model_still_builds_and_the_provider_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match=r"TWILIO_ACCOUNT_SID.*TWILIO_SERVICE_SID.*TWILIO_AUTH_TOKEN"):
        TwilioProvider(TwilioSettings())


def test_twilios_own_names_are_understood() -> None:
    settings = TwilioSettings.model_validate(
        {
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": "t" * 32,
            "TWILIO_SERVICE_SID": "VA" + "1" * 32,
        }
    )
    assert settings.credentials().username == "AC" + "0" * 32


def test_an_api_key_is_used_where_one_is_given(settings_for: Make) -> None:
    given = settings_for(HTTPS, **KEY).credentials()
    assert (given.username, given.password, given.account_sid) == ("SK" + "2" * 32, "s" * 32, "AC" + "0" * 32)
    assert "s" * 32 not in repr(given)


@pytest.mark.parametrize("timeout_s", [0, -1, 10.1])
def test_the_deadline_is_over_nothing_and_at_most_ten_seconds(settings_for: Make, timeout_s: float) -> None:
    with pytest.raises(ValidationError):
        settings_for(HTTPS, timeout_s=timeout_s)


def test_no_repr_shows_a_secret(settings_for: Make) -> None:
    settings = settings_for(HTTPS, **KEY)
    shown = repr((settings, TwilioProvider(settings), AsyncTwilioProvider(settings), settings.credentials()))
    assert "t" * 32 not in shown
    assert "s" * 32 not in shown


@pytest.mark.parametrize(
    ("origin", "simulated"),
    [
        (HTTPS, False),
        ("https://127.0.0.1:8443", False),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
    ],
)
def test_only_plain_http_on_this_machine_is_simulated(settings_for: Make, origin: str, simulated: bool) -> None:
    assert TwilioProvider(settings_for(origin)).capabilities.simulated == simulated


def test_the_scope_is_the_service_and_custom_codes_must_be_switched_on(settings_for: Make) -> None:
    plain = TwilioProvider(settings_for(HTTPS)).capabilities
    custom = AsyncTwilioProvider(settings_for(HTTPS, custom_code_enabled=True)).capabilities
    assert plain.scope == "VA" + "1" * 32
    assert plain.code_owners == {CodeOwner.PROVIDER}
    assert custom.code_owners == {CodeOwner.PROVIDER, CodeOwner.CORE}


@pytest.mark.parametrize(
    ("origin", "url", "placed"),
    [
        (HTTPS, "https://verify.twilio.com/v2/Services", "https://verify.twilio.com/v2/Services"),
        (HTTPS, "https://verify.dublin.ie1.twilio.com/v2/Services", "https://verify.twilio.com/v2/Services"),
        (HTTPS, "https://api.dublin.ie1.twilio.com/2010-04-01/A", "https://api.dublin.ie1.twilio.com/2010-04-01/A"),
        ("http://127.0.0.1:9", "https://verify.ie1.twilio.com/v2/S?P=1", "http://127.0.0.1:9/v2/S?P=1"),
        ("http://127.0.0.1:9", "https://api.twilio.com/2010-04-01/A", "http://127.0.0.1:9/2010-04-01/A"),
    ],
)
def test_verify_is_found_at_the_origin_and_from_this_machine_nothing_leaves(origin: str, url: str, placed: str) -> None:
    assert Origin.parse(origin).place(url) == placed


@pytest.mark.parametrize(
    "url",
    [
        *(
            "otp.example.com",
            "http://otp.example.com",
            "https://",
            "ftp://otp.example.com",
            "https://otp.example.com?a=b",
        ),
        *(
            "https://u:p@otp.example.com",
            "https://otp.example.com#x",
            "https://otp.example.com:port",
            "https://ö.example",
        ),
        *("https://otp.example.com/a b", "https://otp.example.com/a\n", "HTTPS://otp.example.com"),
    ],
)
def test_a_public_url_that_is_none_is_refused_when_the_provider_is_built(url: str) -> None:
    with pytest.raises(ConfigurationError, match="public_url") as caught:
        public_prefix(url)
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "https://otp.example.com", "https://otp.example.com:8443/a/b", "http://127.0.0.1:8000", "http://localhost"],
)
def test_a_public_url_is_kept_as_it_is_written(url: str) -> None:
    assert public_prefix(url) == url
