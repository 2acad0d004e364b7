"""How the plugin presents itself: what it registers, what it loads and when, and what it refuses to be built with."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest
from pydantic import SecretStr

import otpcore_aws
from otpcore.errors import ConfigurationError
from otpcore.ports import (
    CodeOwner,
    HasNativeClient,
    Provider,
    ProviderCapabilities,
    ReadsReceipts,
    TakesFeedback,
)
from otpcore.settings import load_plugin_settings
from otpcore_aws import AwsProvider, AwsSettings, SnsProvider, SnsSettings
from otpcore_aws.parameters import SNS_EXTRA, TEXT_EXTRA
from tests.aws_vendor import TOPIC, sns_settings, text_settings


def test_the_entry_point_names_the_plugin() -> None:
    (found,) = entry_points(group="otpcore", name="aws")
    assert found.load() is otpcore_aws


def test_it_registers_two_providers_that_the_workers_serve() -> None:
    text, sns = otpcore_aws.otpcore_providers()
    assert (text.name, text.settings, text.build, text.build_async) == ("aws", AwsSettings, AwsProvider, None)
    assert (sns.name, sns.settings, sns.build, sns.build_async) == ("aws-sns", SnsSettings, SnsProvider, None)


def test_what_each_can_do() -> None:
    aws, sns = AwsProvider(text_settings()), SnsProvider(sns_settings())
    for provider in (aws, sns):
        assert isinstance(provider, Provider)
        assert isinstance(provider, HasNativeClient)
        own, names = provider.capabilities, provider.extra_names
        assert own == ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}), extra_names=names)
    assert (aws.extra_names, sns.extra_names) == (frozenset(TEXT_EXTRA), frozenset(SNS_EXTRA))
    assert isinstance(aws, TakesFeedback)
    assert isinstance(aws, ReadsReceipts)
    assert not isinstance(sns, TakesFeedback | ReadsReceipts)


@pytest.mark.parametrize(("origin", "plays"), [("http://127.0.0.1:5000", True), ("https://vpce-1.example", False)])
def test_what_stands_in_for_aws_on_this_machine_says_so(origin: str, plays: bool) -> None:
    capabilities = SnsProvider(sns_settings(origin)).capabilities
    assert (capabilities.simulated, capabilities.stands_in) == (plays, plays)


def test_importing_and_configuring_it_loads_neither_the_sdk_nor_an_http_library() -> None:
    script = (
        "import sys, otpcore_aws as a; list(a.otpcore_providers());"
        "p = a.AwsProvider(a.AwsSettings(region='eu-west-1')); a.SnsProvider(a.SnsSettings(region='eu-west-1'));"
        "p.close(); p.report_outcome('m', None, 1.0);"
        "heavy = {'boto3', 'botocore', 'urllib3', 'cryptography', 'moto'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60, env={**os.environ})


def test_the_environment_fills_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("OTPCORE_AWS_ORIGINATION_BY_COUNTRY", "CM=ACME,US=+12025550100")
    monkeypatch.setenv("OTPCORE_AWS_SNS_SENDER_ID", "Acme")
    monkeypatch.setenv("OTPCORE_AWS_RECEIPT_CERTIFICATES", "a.pem, b.pem")
    text, sns = otpcore_aws.otpcore_providers()
    found: Any = load_plugin_settings(text.name, text.settings)
    assert (found.region, found.receipt_certificates) == ("eu-west-1", ("a.pem", "b.pem"))
    assert found.origination_by_country == {"CM": "ACME", "US": "+12025550100"}
    other: Any = load_plugin_settings(sns.name, sns.settings)
    assert (other.region, other.sender_id) == ("eu-west-1", "Acme")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"region": ""}, "region"),
        ({"region": "eu-west-1.evil.example"}, "region"),
        ({"secret_access_key": None}, "secret_access_key"),
        ({"access_key_id": ""}, "access_key_id"),
        ({"access_key_id": "not a key"}, "access_key_id"),
        ({"profile": "work"}, "profile"),
        ({"session_token": SecretStr("a\nb")}, "secret"),
        ({"endpoint_url": "http://sns.example"}, "endpoint_url"),
        ({"endpoint_url": "https://user:word@sns.example"}, "endpoint_url"),
        ({"endpoint_url": "https://sns.example/path"}, "endpoint_url"),
        ({"endpoint_url": "https://sns.example:port"}, "endpoint_url"),
        ({"max_price": "much"}, "max_price"),
        ({"origination_identity": "a b"}, "origination_identity"),
        ({"origination_by_country": "Cameroon=ACME"}, "origination_by_country"),
        ({"configuration_set": "a b"}, "configuration_set"),
        ({"protect_configuration": "a b"}, "protect_configuration"),
        ({"receipt_topic": "otp-receipts"}, "receipt_topic"),
        ({"receipt_topic": TOPIC}, "receipt_certificates"),
        ({"receipt_certificates": "a.pem"}, "receipt_topic"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_and_not_shown(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        AwsProvider(text_settings(**changes))
    assert not any(
        isinstance(value, str) and len(value) > 4 and value in str(caught.value) for value in changes.values()
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sender_id": "longer than eleven"}, "sender_id"),
        ({"sender_id": "12345"}, "sender_id"),
        ({"sender_id_by_country": "CM=a b"}, "sender_id_by_country"),
        ({"origination_number": "my number"}, "origination_number"),
    ],
)
def test_a_setting_of_sns_that_does_not_fit_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        SnsProvider(sns_settings(**changes))


def test_nothing_secret_is_shown() -> None:
    settings = text_settings(secret_access_key=SecretStr("kept-to-itself"), session_token=SecretStr("so-is-this"))
    for shown in (repr(settings), repr(AwsProvider(settings)), str(AwsProvider(settings))):
        assert "kept" not in shown
        assert "so-is" not in shown
