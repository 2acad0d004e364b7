"""Beyond the kit: what the environment, slow look-ups, forks, threads and large answers do to the transport."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest

from otpcore.conformance.provider import CERTIFICATE, HttpVendor, MisbehavingServer, WireAnswer
from otpcore.conformance.provider.misbehaving import refused_origin, reply, stall
from otpcore.ports import Accepted, Failure, FailureKind, SendEffect
from otpcore.providers.transport import LARGEST_ANSWER
from otpcore_aws import AwsProvider, AwsSettings, SnsProvider
from tests.aws_vendor import (
    HANDLE,
    XML,
    a_send,
    sns_refusal,
    sns_settings,
    text_answer,
    text_refusal,
    text_settings,
)


def test_no_proxy_is_used_towards_this_machine(text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with refused_origin() as dead:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, dead)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        provider = AwsProvider(text_settings(text_server.origin))
        assert provider.send(a_send()) == Accepted(HANDLE)
        provider.close()


def test_a_proxy_of_the_environment_is_asked_for_a_tunnel(
    text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one knows no CONNECT, so nothing was sent."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, text_server.origin.replace("http://", "http://user:word@"))
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    provider = AwsProvider(text_settings())
    outcome = provider.send(a_send())
    provider.close()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    assert not text_server.requests


class Tunnel(socketserver.StreamRequestHandler):
    """A proxy: whatever host a CONNECT names, it is this vendor."""

    vendor: ClassVar[int]
    asked: ClassVar[list[str]]

    def handle(self) -> None:
        self.asked.append(self.rfile.readline().decode().strip())
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(("127.0.0.1", self.vendor)) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self.pass_on, args=(there, self.connection))
            back.start()
            self.pass_on(self.connection, there)
            back.join()

    def pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(4096):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


def test_a_send_goes_through_the_tunnel_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is not looked up here; the certificate is the vendor's, under the name that it has in its file."""
    with HttpVendor(text_answer, tls=True) as vendor:
        Tunnel.vendor, Tunnel.asked = int(vendor.origin.rpartition(":")[2]), []
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as proxy:
            threading.Thread(target=proxy.serve_forever, args=(0.01,)).start()
            for name in ("HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, f"http://user:word@127.0.0.1:{proxy.server_address[1]}")
            monkeypatch.setenv("NO_PROXY", "")
            monkeypatch.setenv("no_proxy", "")
            monkeypatch.setenv("AWS_CA_BUNDLE", str(CERTIFICATE))
            monkeypatch.setattr(AwsSettings, "is_loopback", False)
            provider = AwsProvider(text_settings("https://localhost"))
            outcome = provider.send(a_send())
            provider.close()
            proxy.shutdown()
        assert outcome == Accepted(HANDLE)
        assert [line.rpartition(" ")[0] for line in Tunnel.asked] == ["CONNECT localhost:443"]
        assert len(vendor.requests) == 1


def test_a_bundle_of_the_environment_is_trusted_and_no_other_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpVendor(text_answer, tls=True) as vendor:
        provider = AwsProvider(text_settings(vendor.origin))
        outcome = provider.send(a_send())
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
        provider.close()
        monkeypatch.setenv("AWS_CA_BUNDLE", str(CERTIFICATE))
        provider = AwsProvider(text_settings(vendor.origin))
        assert provider.send(a_send()) == Accepted(HANDLE)
        provider.close()
        assert len(vendor.requests) == 1


def test_a_look_up_that_hangs_is_given_up_at_the_deadline_and_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: object, **__: object) -> None:
        over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    provider = AwsProvider(text_settings())
    provider.native_client  # noqa: B018  # made before the deadline runs
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    outcome = provider.send(a_send(timeout_s=0.3))
    assert not over.is_set()
    over.set()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TIMEOUT, SendEffect.NOT_SENT)


def test_an_unknown_host_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    outcome = SnsProvider(sns_settings("https://sns.invalid")).send(a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "without-the-limit"])
def test_an_answer_larger_than_any_is_not_believed(
    limited: bool, text_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not limited:  # the defect: then the same answer is read to its end and accepted
        monkeypatch.setattr("otpcore.providers.transport.urllib3.LARGEST_ANSWER", 10 * LARGEST_ANSWER)
    text_server.scenario = reply(WireAnswer(200, json.dumps({"MessageId": HANDLE}).encode() + b" " * LARGEST_ANSWER))
    provider = AwsProvider(text_settings(text_server.origin))
    outcome = provider.send(a_send())
    provider.close()
    assert isinstance(outcome, Failure) == limited
    assert not limited or getattr(outcome, "effect", None) is SendEffect.UNKNOWN


@pytest.mark.parametrize("body", [b"{}", b'{"MessageId": 7}', b'{"MessageId": "a\\nb"}', b"[]", b"null", b"", b"\xff"])
def test_a_success_that_names_no_message_is_unknown(body: bytes, text_server: MisbehavingServer) -> None:
    text_server.scenario = reply(WireAnswer(200, body))
    provider = AwsProvider(text_settings(text_server.origin))
    outcome = provider.send(a_send())
    provider.close()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.INTERNAL, SendEffect.UNKNOWN)


@pytest.mark.parametrize(("status", "effect"), [(400, SendEffect.NOT_SENT), (502, SendEffect.UNKNOWN)])
def test_an_error_that_the_sdk_cannot_read_goes_by_its_status(
    status: int, effect: SendEffect, sns_server: MisbehavingServer
) -> None:
    sns_server.scenario = reply(WireAnswer(status, b"<html>", XML))
    provider = SnsProvider(sns_settings(sns_server.origin))
    outcome = provider.send(a_send())
    provider.close()
    assert isinstance(outcome, Failure)
    assert outcome.effect is effect


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_redirect_to_another_region_is_not_followed(region: str, text_server: MisbehavingServer) -> None:
    body = {"__type": "PermanentRedirect", "Region": region, "Endpoint": "sms-voice.us-east-1.amazonaws.com"}
    for status in (301, 307):
        headers = {"Location": f"{text_server.origin}/elsewhere", "x-amz-bucket-region": region}
        text_server.scenario = reply(WireAnswer(status, json.dumps(body).encode(), headers))
        provider = AwsProvider(text_settings(text_server.origin))
        outcome = provider.send(a_send())
        provider.close()
        assert isinstance(outcome, Failure)
        assert outcome.effect is SendEffect.UNKNOWN
    assert [request.path for request in text_server.requests] == ["/", "/"]


@pytest.mark.parametrize(("text", "seconds"), [("12", 12), ("soon", None), ("-1", None), ("9" * 400, None)])
def test_a_retry_after_is_read_or_harmless(text: str, seconds: int | None, text_server: MisbehavingServer) -> None:
    refusal = text_refusal(400, "ThrottlingException")
    text_server.scenario = reply(WireAnswer(400, refusal.body, {**refusal.headers, "Retry-After": text}))
    provider = AwsProvider(text_settings(text_server.origin))
    outcome = provider.send(a_send())
    provider.close()
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.RATE_LIMITED
    assert (outcome.retry_after.total_seconds() if outcome.retry_after else None) == seconds


@pytest.mark.parametrize(
    "code", ["InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "AuthorizationError"]
)
def test_wrong_credentials_of_sns_are_a_misconfiguration(code: str, sns_server: MisbehavingServer) -> None:
    sns_server.scenario = reply(sns_refusal(403, code))
    provider = SnsProvider(sns_settings(sns_server.origin))
    outcome = provider.send(a_send())
    provider.close()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)


def test_the_native_client_keeps_the_deadline_and_the_place_of_the_settings(text_server: MisbehavingServer) -> None:
    provider = AwsProvider(text_settings(text_server.origin, timeout_s=1.0))
    text_server.scenario = stall
    with pytest.raises(Exception, match="HTTP Client"):
        provider.native_client.describe_account_limits()
    provider.close()
    assert len(text_server.requests) == 1


def test_threads_share_connections_and_each_gets_its_own_answer(text_server: MisbehavingServer) -> None:
    provider = AwsProvider(text_settings(text_server.origin))
    recipients = [f"+120255501{number:02}" for number in range(40)]
    outcomes: dict[str, Any] = {}

    def send(to: str) -> None:
        outcomes[to] = provider.send(a_send(to, timeout_s=10))

    threads = [threading.Thread(target=send, args=(to,)) for to in recipients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.close()
    assert {*outcomes.values()} == {Accepted(HANDLE)}
    assert sorted(request.json["DestinationPhoneNumber"] for request in text_server.requests) == recipients


def test_a_forked_child_opens_connections_of_its_own(text_server: MisbehavingServer) -> None:
    script = """
import os, sys
from tests.aws_vendor import a_send, text_settings
from otpcore.ports import Accepted
from otpcore_aws import AwsProvider
p = AwsProvider(text_settings(sys.argv[1]))
assert isinstance(p.send(a_send()), Accepted)
child = os.fork()
if child == 0:
    sent = isinstance(p.send(a_send()), Accepted)
    os._exit(0 if sent and len(p.native_client._endpoint.http_session._managers._made) == 2 else 3)
_, status = os.waitpid(child, 0)
assert isinstance(p.send(a_send()), Accepted)
assert len(p.native_client._endpoint.http_session._managers._made) == 1
p.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    command = [sys.executable, "-c", script, text_server.origin]
    subprocess.run(command, check=True, timeout=120, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert len(text_server.requests) == 3


def test_a_closed_provider_opens_again(text_server: MisbehavingServer) -> None:
    provider = AwsProvider(text_settings(text_server.origin))
    for _ in range(2):
        assert provider.send(a_send()) == Accepted(HANDLE)
        provider.close()
