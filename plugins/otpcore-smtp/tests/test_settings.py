"""What the settings accept, and that a refusal names the setting and no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from otpcore.errors import ConfigurationError
from otpcore_smtp import AsyncSmtpProvider, SmtpProvider, SmtpSettings

GOOD: dict[str, Any] = {"host": "mx.example.org", "sender": "codes@shop.example"}


def made(**changed: Any) -> SmtpSettings:
    return SmtpSettings.model_validate({**GOOD, **changed})


@pytest.mark.parametrize(
    ("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)], ids=["starttls", "tls", "none"]
)
def test_the_port_is_that_of_the_security(security: str, port: int) -> None:
    assert made(security=security, host="127.0.0.1").reached_at == port
    assert made(security=security, host="127.0.0.1", port=2525).reached_at == 2525


def test_encryption_is_the_default_and_the_name_it_gives_is_the_senders() -> None:
    assert made().security == "starttls"
    assert made().hello == "shop.example"
    assert made(helo_name="app.shop.example").hello == "app.shop.example"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"host": ""}, "OTPCORE_SMTP_HOST"),
        ({"host": "mx.example.org\r\nX"}, "OTPCORE_SMTP_HOST"),
        ({"sender": ""}, "OTPCORE_SMTP_SENDER"),
        ({"sender": "canary"}, "OTPCORE_SMTP_SENDER"),
        ({"sender": "Canary <codes@shop.example>"}, "OTPCORE_SMTP_SENDER"),
        ({"sender": "codes@shop.example\r\nBcc: canary@shop.example"}, "OTPCORE_SMTP_SENDER"),
        ({"security": "none"}, "OTPCORE_SMTP_SECURITY"),
        ({"security": "none", "host": "10.0.0.1"}, "OTPCORE_SMTP_SECURITY"),
        ({"security": "none", "host": "localhost.example"}, "OTPCORE_SMTP_SECURITY"),
        ({"username": "canary"}, "OTPCORE_SMTP_PASSWORD"),
        ({"password": "canary"}, "OTPCORE_SMTP_PASSWORD"),
        ({"username": "canary", "password": "canary\x00"}, "printable"),
        ({"sender_name": "canary\r\nBcc: x"}, "sender_name"),
        ({"subject": ""}, "subject"),
        ({"subject": " canary"}, "subject"),
        ({"subject": "canary\n"}, "subject"),
        ({"helo_name": "canary canary"}, "helo_name"),
        ({"ca_file": "/canary/none.pem"}, "OTPCORE_SMTP_CA_FILE"),
    ],
)
@pytest.mark.parametrize("provider", [SmtpProvider, AsyncSmtpProvider])
def test_what_cannot_work_is_named_before_it_is_opened(provider: Any, changed: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as refused:
        provider(made(**changed))
    assert "canary" not in str(refused.value).casefold()


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ConfigurationError, match="OTPCORE_SMTP_CA_FILE"):
        SmtpProvider(made(ca_file=str(file)))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_without_encryption_only_this_machine_is_spoken_to(host: str) -> None:
    SmtpProvider(made(security="none", host=host))


@pytest.mark.parametrize("changed", [{"port": 65536}, {"timeout_s": 0}, {"timeout_s": 11}, {"security": "ssl"}])
def test_values_out_of_range_are_refused_and_not_shown(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        made(**changed, password="canary")
    assert "canary" not in str(refused.value)
