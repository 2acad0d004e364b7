"""Who we are to AWS: found by botocore's chain, under the deadline, and never over the metadata service unasked."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials  # type: ignore[import-untyped]  # carries no types
from botocore.exceptions import ParamValidationError  # type: ignore[import-untyped]  # as above

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.ports import Accepted, Failure, FailureKind, SendEffect
from otpcore.providers.transport import Attempt, under_way
from otpcore_aws import AwsProvider
from otpcore_aws.credentials import BoundedCredentials
from otpcore_aws.translate import send_failure
from tests.aws_vendor import HANDLE, a_send, text_settings

PLAIN: Any = Credentials
RENEWED: Any = RefreshableCredentials
NO_KEYS: dict[str, Any] = {"access_key_id": "", "secret_access_key": None}
ENDS = datetime.now(UTC) + timedelta(days=30)


def metadata(request: WireRequest) -> WireAnswer:
    """The metadata service of a virtual machine."""
    if request.path.endswith("/token"):
        return WireAnswer(200, b"t0ken", {"x-aws-ec2-metadata-token-ttl-seconds": "21600"})
    if request.path.endswith("/security-credentials/"):
        return WireAnswer(200, b"role", {})
    keys = {"AccessKeyId": "B" * 20, "SecretAccessKey": "s", "Token": "t", "Expiration": ENDS.isoformat()}
    return WireAnswer.of_json(200, {"Code": "Success", **keys})


def test_keys_of_the_environment_are_found(text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "C" * 20)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s" * 40)
    provider = AwsProvider(text_settings(text_server.origin, **NO_KEYS))
    assert [provider.send(a_send()) for _ in range(2)] == [Accepted(HANDLE)] * 2
    provider.close()
    assert all("Credential=" + "C" * 20 in request.headers["authorization"] for request in text_server.requests)


def role(request: WireRequest) -> WireAnswer:
    """The token service, which hands out the keys of a role."""
    keys = f"<AccessKeyId>{'D' * 20}</AccessKeyId><SecretAccessKey>canary-of-keys</SecretAccessKey>"
    inner = (
        f"<Credentials>{keys}<SessionToken>t</SessionToken><Expiration>{ENDS.isoformat()}</Expiration></Credentials>"
    )
    name = "AssumeRoleWithWebIdentity"
    text = f"<{name}Response><{name}Result>{inner}</{name}Result></{name}Response>"
    return WireAnswer(200, text.encode(), {"Content-Type": "text/xml"})


def test_keys_that_come_over_the_network_are_not_logged(
    text_server: MisbehavingServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """botocore logs the token service's answer whole, in the thread that looks for credentials."""
    token = tmp_path / "token"
    token.write_text("a.web.identity")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/otp")
    with MisbehavingServer(role) as sts, caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.origin)
        provider = AwsProvider(text_settings(text_server.origin, **NO_KEYS))
        assert provider.send(a_send()) == Accepted(HANDLE)
        provider.close()
    assert "Credential=" + "D" * 20 in text_server.requests[-1].headers["authorization"]
    assert "canary-of-keys" not in caplog.text


def test_keys_of_the_settings_win_over_the_environment(
    text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "C" * 20)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s" * 40)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "another's")
    provider = AwsProvider(text_settings(text_server.origin))
    provider.send(a_send())
    provider.close()
    (request,) = text_server.requests
    assert "Credential=" + "A" * 20 in request.headers["authorization"]
    assert "x-amz-security-token" not in request.headers


@pytest.mark.parametrize("asked", [False, True])
def test_the_metadata_service_is_asked_only_where_the_settings_say_so(
    asked: bool, text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MisbehavingServer(metadata) as machine:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.origin)
        provider = AwsProvider(text_settings(text_server.origin, instance_metadata=asked, **NO_KEYS))
        outcome = provider.send(a_send())
        provider.close()
        assert bool(machine.requests) is asked
    if asked:
        assert outcome == Accepted(HANDLE)
    else:
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
    assert len(text_server.requests) == asked


def test_a_profile_that_is_not_there_is_a_misconfiguration(text_server: MisbehavingServer) -> None:
    outcome = AwsProvider(text_settings(text_server.origin, profile="nobody", **NO_KEYS)).send(a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
    assert not text_server.requests


def test_a_metadata_service_that_is_silent_ends_at_the_deadline_and_nothing_was_sent(
    text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore alone would wait for a second, and as often as it is told to."""
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "60")
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "3")
    with MisbehavingServer(metadata) as machine:
        machine.scenario = silent
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.origin)
        provider = AwsProvider(text_settings(text_server.origin, instance_metadata=True, timeout_s=2, **NO_KEYS))
        outcome = provider.send(a_send())
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (FailureKind.TIMEOUT, SendEffect.NOT_SENT)
        machine.release()
    assert not text_server.requests
    provider.close()


def silent(conversation: Any) -> bool:
    """Says nothing until the end of the test."""
    conversation.until_client_leaves()
    return False


# --- renewal -----------------------------------------------------------------------------------


class Renewing:
    """Credentials whose renewal waits for the test."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.renewals = 0
        self.made = RENEWED("old", "s", "t", datetime.now(UTC) + timedelta(minutes=5), self.renew, "test")

    def renew(self) -> dict[str, str]:
        self.renewals += 1
        self.may_go_on.wait(60)
        return {"access_key": "new", "secret_key": "s", "token": "t", "expiry_time": ENDS.isoformat()}


def test_credentials_that_are_being_renewed_serve_until_they_are() -> None:
    renewing = Renewing()
    renewing.may_go_on.set()
    bounded = BoundedCredentials(lambda: renewing.made, 5.0)
    assert bounded.get_frozen_credentials().access_key == "new"
    renewing.made._expiry_time = datetime.now(UTC) + timedelta(minutes=5)
    renewing.may_go_on.clear()
    with under_way(Attempt.lasting(0.4)):
        assert bounded.get_frozen_credentials().access_key == "new"
    renewing.may_go_on.set()
    with under_way(Attempt.lasting(30)):
        assert bounded.get_frozen_credentials().access_key == "new"
    assert renewing.renewals == 2


def test_a_chain_that_hangs_is_asked_by_one_thread_and_holds_no_call_longer_than_it_may() -> None:
    asked: list[int] = []
    may_go_on = threading.Event()

    def find() -> Any:
        asked.append(1)
        may_go_on.wait(60)
        return PLAIN("found", "s")

    bounded = BoundedCredentials(find, 5.0)
    for _ in range(3):
        with under_way(Attempt.lasting(0.1)), pytest.raises(TimeoutError):
            bounded.get_frozen_credentials()
    may_go_on.set()
    with under_way(Attempt.lasting(30)):
        assert bounded.get_frozen_credentials().access_key == "found"
    assert asked == [1]


def test_a_fork_while_the_chain_is_asked_leaves_the_child_able_to_ask() -> None:
    """The thread that asks is the parent's: its answer never comes to the child."""
    script = """
import os, sys, threading
from otpcore.providers.transport import Attempt, under_way
from otpcore_aws.credentials import BoundedCredentials
from botocore.credentials import Credentials
go_on = threading.Event()
parent = os.getpid()
def find():
    if os.getpid() == parent:
        go_on.wait(60)
    return Credentials("found", "s")
b = BoundedCredentials(find, 5.0)
try:
    with under_way(Attempt.lasting(0.1)):
        b.get_frozen_credentials()
    sys.exit(4)
except TimeoutError:
    pass
child = os.fork()
if child == 0:
    with under_way(Attempt.lasting(30)):
        os._exit(0 if b.get_frozen_credentials().access_key == "found" else 3)
_, status = os.waitpid(child, 0)
go_on.set()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120, env={**os.environ})


@pytest.mark.parametrize(
    ("status", "kind"), [(403, FailureKind.MISCONFIGURED), (500, FailureKind.INTERNAL), (503, FailureKind.INTERNAL)]
)
def test_what_the_token_service_answers_leaves_nothing_sent(
    text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, kind: FailureKind
) -> None:
    def refusal(_: WireRequest) -> WireAnswer:
        code = "AccessDenied" if status == 403 else "InternalFailure"
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
        return WireAnswer(status, text.encode(), {"Content-Type": "text/xml"})

    token = tmp_path / "token"
    token.write_text("a.web.identity")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/otp")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with MisbehavingServer(refusal) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.origin)
        provider = AwsProvider(text_settings(text_server.origin, **NO_KEYS))
        outcome = provider.send(a_send())
        provider.close()
        assert sts.requests
    assert not text_server.requests
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (kind, SendEffect.NOT_SENT)


def test_what_the_sdk_does_not_take_is_no_missing_connection(text_server: MisbehavingServer) -> None:
    provider = AwsProvider(text_settings(text_server.origin))
    attempt = Attempt.lasting(5.0)
    with pytest.raises(ParamValidationError) as refused:
        provider.native_client.send_text_message(DestinationPhoneNumber=1)
    provider.close()
    outcome = send_failure(refused.value, attempt)
    assert (outcome.kind, outcome.effect) == (FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)
    assert not text_server.requests
