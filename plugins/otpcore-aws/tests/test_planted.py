"""The kit bites where it matters here: boto3 as it comes, and each of the plugin's measures taken away, is red."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import boto3  # type: ignore[import-untyped]  # carries no types
import pytest
from botocore.config import Config  # type: ignore[import-untyped]  # carries no types
from botocore.httpsession import URLLib3Session  # type: ignore[import-untyped]  # carries no types

from otpcore.conformance.provider import MisbehavingServer, ProviderContract, WireAnswer, WireRequest
from otpcore.conformance.provider.misbehaving import stall
from otpcore.ports import Failure
from otpcore.providers.transport import is_not_ours
from otpcore_aws import AwsProvider, quiet
from tests.aws_vendor import a_send, text_answer, text_refusal, text_settings
from tests.conformance.provider_doubles import red_checks

pytest_plugins = ["pytester"]

boto: Any = boto3
BotoConfig: Any = Config
OwnSession: Any = URLLib3Session


class AsItComes(AwsProvider):
    """boto3 with a timeout for a read and nothing else."""

    retries: ClassVar[dict[str, Any] | None] = None

    @property
    def native_client(self) -> Any:
        if self._client is None:
            config = BotoConfig(connect_timeout=0.3, read_timeout=0.3, retries=self.retries)
            self._client = boto.client(
                "pinpoint-sms-voice-v2",
                region_name="eu-west-1",
                endpoint_url=self._settings.endpoint_url,
                aws_access_key_id="A" * 20,
                aws_secret_access_key="s" * 40,
                config=config,
            )
        return self._client


class OnlyWithoutRetries(AsItComes):
    retries: ClassVar[dict[str, Any] | None] = {"total_max_attempts": 1}


class WithItsOwnSession(AwsProvider):
    """Everything but the transport: botocore's session, with a timeout for each read."""

    @property
    def native_client(self) -> Any:
        client = super().native_client
        if not isinstance(client._endpoint.http_session, OwnSession):
            client._endpoint.http_session = OwnSession(timeout=(0.3, 0.3))
        return client


class Heard(AwsProvider):
    """Everything but the silence."""

    @property
    def native_client(self) -> Any:
        client = super().native_client
        for name in [*logging.root.manager.loggerDict]:
            logging.getLogger(name).removeFilter(is_not_ours)
        return client


class Contract(ProviderContract):
    kind_of_provider: ClassVar[type[AwsProvider]] = AwsProvider
    colours = ("blocking",)
    timeout_s = 2.0

    def make(self, origin: str) -> AwsProvider:
        return self.kind_of_provider(text_settings(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        return text_answer(request)

    def refusal(self, status: int) -> WireAnswer:
        return text_refusal(status, "ValidationException")

    def unauthorised(self) -> WireAnswer:
        return text_refusal(400, "UnrecognizedClientException")


def broken(kind: type[AwsProvider], **attributes: object) -> type:
    return type("TestBroken", (Contract,), {"kind_of_provider": kind, **attributes})


@pytest.mark.parametrize(
    ("kind", "check", "selected"),
    [
        (AsItComes, "a_call_is_made_once_on_the_wire", "once_on_the_wire and (cut or 500) or json"),
        (Heard, "no_code_and_no_number_is_shown", "number_is_shown or json"),
        (WithItsOwnSession, "a_call_returns_within_its_deadline", "deadline and drip or json"),
    ],
)
def test_without_one_measure_the_check_for_it_is_red(
    kind: type[AwsProvider], check: str, selected: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert red_checks(broken(kind, patience_s=6.0), selected, pytester, monkeypatch) == {f"test_{check}"}


@pytest.mark.parametrize(("kind", "posts"), [(AsItComes, 3), (OnlyWithoutRetries, 1), (AwsProvider, 1)])
def test_one_send_that_is_not_answered_is_so_many_posts(
    kind: type[AwsProvider], posts: int, text_server: MisbehavingServer
) -> None:
    """With boto3 as it comes, one code is three messages."""
    text_server.scenario = stall
    provider = kind(text_settings(text_server.origin, timeout_s=1.5))
    provider.native_client  # noqa: B018  # made before the deadline runs
    assert isinstance(provider.send(a_send()), Failure)
    provider.close()
    assert len(text_server.requests) == posts


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_the_environment_cannot_switch_retries_on_nor_move_the_service(
    mode: str, text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_PINPOINT_SMS_VOICE_V2", "http://127.0.0.1:9")
    text_server.scenario = stall
    provider = AwsProvider(text_settings(text_server.origin, timeout_s=1.5))
    provider.native_client  # noqa: B018  # made before the deadline runs
    provider.send(a_send())
    provider.close()
    assert len(text_server.requests) == 1
    public = AwsProvider(text_settings())
    assert public.native_client.meta.endpoint_url == "https://sms-voice.eu-west-1.amazonaws.com"


def test_what_others_do_with_botocore_is_logged_as_before(
    text_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    ours = AwsProvider(text_settings(text_server.origin))
    theirs = AsItComes(text_settings(text_server.origin)).native_client
    with caplog.at_level(logging.DEBUG):
        ours.send(a_send())
        silent = [record for record in caplog.records if record.name.startswith(("boto", "urllib3"))]
        theirs.send_text_message(DestinationPhoneNumber="+12025550199", MessageBody="theirs")
    ours.close()
    theirs.close()
    assert [record.name for record in silent if "Send" in record.getMessage()] == []
    assert "theirs" in caplog.text


def test_every_logger_of_the_sdk_is_asked() -> None:
    AwsProvider(text_settings()).native_client.close()
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in quiet.LIBRARIES]
    assert len(names) > 20
    assert [name for name in names if is_not_ours not in logging.getLogger(name).filters] == []
