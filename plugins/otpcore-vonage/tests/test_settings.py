"""Settings are judged before anything is opened, and no message shows a value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from otpcore.errors import ConfigurationError
from otpcore.ports import CodeOwner
from otpcore.providers.transport import Origin
from otpcore_vonage import VonageProvider, VonageSettings

Make = Callable[..., VonageSettings]
HTTPS = "https://api.nexmo.com"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"application_id": ""}, ["VONAGE_APPLICATION_ID"]),
        ({"application_id": "../../x"}, ["VONAGE_APPLICATION_ID"]),
        ({"private_key": None}, ["VONAGE_PRIVATE_KEY"]),
        ({"private_key": SecretStr("secret-canary")}, ["VONAGE_PRIVATE_KEY"]),
        ({"private_key": None, "private_key_path": Path("/nowhere/secret-canary")}, ["VONAGE_PRIVATE_KEY_PATH"]),
        (
            {"application_id": "", "private_key": None},
            ["VONAGE_APPLICATION_ID", "VONAGE_PRIVATE_KEY_PATH", "VONAGE_API_KEY", "VONAGE_API_SECRET"],
        ),
        ({"application_id": "", "private_key": None, "api_key": "abcd1234"}, ["VONAGE_API_SECRET"]),
        ({"application_id": "", "private_key": None, "api_secret": SecretStr("secret-canary")}, ["VONAGE_API_KEY"]),
        (
            {"application_id": "", "private_key": None, "api_key": "abcd1234", "api_secret": SecretStr("a\r\nb: c")},
            ["VONAGE_API_SECRET"],
        ),
        ({"brand": ""}, ["brand"]),
        ({"brand": "ACME {x}"}, ["brand"]),
        ({"brand": "x" * 17}, ["brand"]),
        ({"channels": ("sms",) * 4, "channel_timeout_s": 60}, ["at most 3 steps"]),
        ({"channels": ("sms", "call"), "channel_timeout_s": 301}, ["at most 600"]),
        ({"channels": ("whatsapp",)}, ["whatsapp_from"]),
        ({"whatsapp_from": "+447700900000"}, ["whatsapp_from"]),
        ({"sms_from": "A!"}, ["sms_from"]),
        ({"email_from": "nobody"}, ["email_from"]),
        ({"entity_id": "x"}, ["entity_id"]),
        ({"content_id": "x"}, ["content_id"]),
        ({"origin": "http://api.nexmo.com"}, ["origin"]),
        ({"origin": "https://user:secret-canary@api.nexmo.com"}, ["origin"]),
        ({"origin": "https://api.nexmo.com/v2"}, ["origin"]),
        ({"origin": "ftp://127.0.0.1"}, ["origin"]),
    ],
)
def test_what_is_missing_or_misshapen_is_named_and_not_shown(
    settings_for: Make, changes: dict[str, Any], named: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        VonageProvider(settings_for(**({"origin": HTTPS} | changes)))
    assert all(name in str(refused.value) for name in named), str(refused.value)
    assert "secret-canary" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"channel_timeout_s": 14},
        {"channel_timeout_s": 901},
        {"code_length": 3},
        {"channels": "pigeon"},
        {"channels": ""},
    ],
)
def test_what_vonage_does_not_take_is_refused(settings_for: Make, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings_for(HTTPS, **changes)


def test_a_key_may_lie_in_a_file_or_in_one_line(settings_for: Make, pem: str, tmp_path: Path) -> None:
    (tmp_path / "private.key").write_text(pem)
    in_file = settings_for(HTTPS, private_key=None, private_key_path=tmp_path / "private.key").credentials()
    in_line = settings_for(HTTPS, private_key=SecretStr(pem.replace("\n", "\\n"))).credentials()
    assert in_file == in_line
    assert pem not in repr(in_file)


@pytest.mark.parametrize(
    ("changes", "steps", "life_s"),
    [
        ({}, 2, 360),
        ({"channels": "sms"}, 1, 180),
        ({"channels": "sms,sms,voice", "channel_timeout_s": 200}, 3, 600),
        ({"channels": "sms,call,email", "channel_timeout_s": 300}, 2, 600),
        ({"channels": "email", "channel_timeout_s": 600}, 1, 600),
        ({"moves": False, "channel_timeout_s": 600}, 1, 600),
    ],
)
def test_a_code_lives_as_long_as_the_longest_workflow(
    settings_for: Make, changes: dict[str, Any], steps: int, life_s: int
) -> None:
    can = VonageProvider(settings_for(HTTPS, **changes)).capabilities
    assert can.code_lifetime == timedelta(seconds=life_s)
    assert can.limit is not None
    assert (can.limit.sends, can.limit.window, can.extra_sends) == (steps, can.code_lifetime, steps - 1)


def test_the_core_owns_codes_only_where_the_account_lets_it(settings_for: Make) -> None:
    assert VonageProvider(settings_for(HTTPS)).capabilities.code_owners == {CodeOwner.PROVIDER}
    both = VonageProvider(settings_for(HTTPS, custom_code_enabled=True)).capabilities.code_owners
    assert both == {CodeOwner.PROVIDER, CodeOwner.CORE}


@pytest.mark.parametrize(
    ("origin", "stands_in"),
    [(HTTPS, False), ("https://127.0.0.1:8443", False), ("http://127.0.0.1:8080", True), ("http://localhost", True)],
)
def test_only_plain_http_on_this_machine_stands_in_for_vonage(settings_for: Make, origin: str, stands_in: bool) -> None:
    can = VonageProvider(settings_for(origin)).capabilities
    assert (can.simulated, can.stands_in) == (stands_in, stands_in)
    assert Origin.parse(origin).netloc == origin.partition("://")[2]


def test_nothing_secret_is_shown(settings_for: Make, pem: str) -> None:
    settings = settings_for(HTTPS, signature_secret=SecretStr("secret-canary"), api_secret=SecretStr("secret-canary"))
    shown = f"{settings!r}{VonageProvider(settings)!r}{settings.credentials()!r}"
    assert "secret-canary" not in shown
    assert pem[40:80] not in shown
