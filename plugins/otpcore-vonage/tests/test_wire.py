"""What reaches the wire and the logs, over TLS, beside what the SDK does when it is left alone."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from openapi_core.exceptions import OpenAPIError
from requests.exceptions import ConnectionError as SdkConnectionError
from vonage_http_client import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # carries no types
    Auth,
    HttpClient,
    HttpClientOptions,
    HttpRequestError,
)
from vonage_verify import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # carries no types
    Verify,
    VerifyRequest,
)

from otpcore.ports import Accepted, CheckRequest, CheckVerdict, Failure, FailureKind, SendEffect, SendRequest
from otpcore.providers.transport import WireFailure
from otpcore_vonage import VonageProvider
from otpcore_vonage.fake import Exchange, FakeVonage, Fault

PHONE = "+12025550123"
APPLICATION = "78d335fa-323d-0114-9c3d-d6f0d48968cf"
MakeSend = Callable[..., SendRequest]
MakeProvider = Callable[..., VonageProvider]
TLS = pytest.mark.parametrize("vonage", ["tls"], indirect=True)


def sdks_own(vonage: FakeVonage, pem: str) -> Any:
    """The SDK as its documentation shows it."""
    auth = Auth(application_id=APPLICATION, private_key=pem)
    return Verify(HttpClient(auth, HttpClientOptions(api_host=vonage.origin.partition("://")[2])))


def asked(**more: str) -> Any:
    """The SDK's model of a request, as its documentation shows it."""
    return VerifyRequest.model_validate({"brand": "ACME", "workflow": [{"channel": "sms", "to": PHONE[1:]}], **more})


@pytest.mark.parametrize("fault", ["stall", "cut", "close", 429, 500, 503, 307])
def test_a_send_is_one_request_whatever_happens_to_it(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend, fault: Any
) -> None:
    provider = provider_of(vonage.origin)
    assert provider.native_client is provider.native_client
    # What a first send loads and opens would use up the time on a busy machine, and leave nothing sent.
    assert isinstance(provider.send(a_send("+12025550100", timeout_s=30.0)), Accepted)
    vonage.faults += [Fault(fault)] * 20
    outcome = provider.send(a_send(timeout_s=2.0 if fault == "stall" else 5.0))
    assert isinstance(outcome, Failure)
    assert outcome.effect is (SendEffect.NOT_SENT if fault == 429 else SendEffect.UNKNOWN)
    assert len(vonage.exchanges) == 2, "that of before, and one"


@TLS
def test_the_sdk_left_alone_sends_ten_times(vonage: FakeVonage, pem: str) -> None:
    """Red: the server ends the connection without an answer, ten messages may be on their way."""
    vonage.faults += [Fault("close", processed=True)] * 20
    request = asked()
    with pytest.raises(SdkConnectionError):
        sdks_own(vonage, pem).start_verification(request)
    assert len(vonage.exchanges) == 10


@TLS
def test_the_sdk_left_alone_logs_the_code_and_the_number(
    vonage: FakeVonage, pem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Red: the canaries are seen where they are shown, the body at DEBUG and that of a refusal at WARNING."""
    vonage.faults.append(Fault(422))
    request = asked(code="918273")
    with caplog.at_level(logging.DEBUG), pytest.raises(HttpRequestError):
        sdks_own(vonage, pem).start_verification(request)
    levels = {record.levelname for record in caplog.records if "918273" in record.getMessage()}
    assert {"DEBUG", "WARNING"} <= levels
    assert PHONE[1:] in caplog.text


def test_nothing_is_logged_of_a_request(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend, caplog: pytest.LogCaptureFixture
) -> None:
    before = logging.getLogger("vonage").level, logging.getLogger("vonage").disabled
    with caplog.at_level(logging.NOTSET):
        provider = provider_of(vonage.origin, custom_code_enabled=True)
        vonage.faults.append(Fault(422))
        shown = [repr(provider.send(a_send(code="918273")))]
        sent = provider.send(a_send(code="918273"))
        assert isinstance(sent, Accepted)
        shown.append(repr(provider.check(CheckRequest(sent.handle, PHONE, "918274", 5.0))))
    assert [record for record in caplog.records if record.name.startswith("vonage")] == []
    everything = "\n".join([caplog.text, repr(provider), *shown])
    assert "91827" not in everything
    assert PHONE[1:] not in everything
    assert (logging.getLogger("vonage").level, logging.getLogger("vonage").disabled) == before, "others' logging stays"


def test_threads_share_one_client_and_no_header(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend
) -> None:
    provider = provider_of(vonage.origin, timeout_s=10)
    recipients = [f"+120255501{n:02}" for n in range(24)]
    outcomes: dict[str, Accepted | Failure] = {}

    def send(to: str) -> None:
        outcomes[to] = provider.send(a_send(to, timeout_s=10))

    threads = [threading.Thread(target=send, args=(to,)) for to in recipients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
    assert sorted(message.to for message in vonage.messages) == sorted(to[1:] for to in recipients)
    tokens = [one.headers["authorization"] for one in vonage.exchanges]
    assert len(set(tokens)) == len(recipients), "each request has a token of its own"


@TLS
def test_a_certificate_that_nobody_vouches_for_is_not_sent_to(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    outcome = provider_of(vonage.origin).send(a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    assert vonage.exchanges == []


def test_a_key_that_is_none_is_told_before_anything_is_sent(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend
) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    outcome = provider_of(vonage.origin, private_key=key).send(a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
    assert "AAAA" not in outcome.detail
    assert vonage.exchanges == []


def test_basic_authentication_is_that_of_the_account(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend
) -> None:
    changes = {"application_id": "", "private_key": None, "api_key": "abcd1234", "api_secret": "t" * 16}
    assert isinstance(provider_of(vonage.origin, **changes).send(a_send()), Accepted)
    assert vonage.exchanges[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("vonage", ["http"], indirect=True)
def test_the_native_client_keeps_the_deadline_of_the_settings(vonage: FakeVonage, provider_of: MakeProvider) -> None:
    provider = provider_of(vonage.origin, timeout_s=0.5)
    vonage.faults.append(Fault("stall"))
    with pytest.raises(WireFailure):
        provider.native_client.cancel_verification("c11236f4-00bf-4b89-84ba-88b25df97315")


@pytest.mark.parametrize("text", ["12", "soon", "-1", "9" * 400])
def test_a_retry_after_is_read_or_harmless(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend, text: str
) -> None:
    vonage.faults.append(Fault(429, headers={"Retry-After": text}))
    outcome = provider_of(vonage.origin).send(a_send())
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.RATE_LIMITED
    assert (outcome.retry_after is not None) == (text == "12")


def test_a_whatsapp_sender_of_twelve_digits_gets_past_the_sdks_models(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend, recwarn: pytest.WarningsRecorder
) -> None:
    provider = provider_of(vonage.origin, channels=("whatsapp", "sms"), whatsapp_from="447700900000")
    assert isinstance(provider.send(a_send(channel="whatsapp")), Accepted)
    assert b'"from": "447700900000"' in vonage.exchanges[0].asked
    assert list(recwarn) == [], "a warning of pydantic's would hold the number"


def test_a_forked_child_opens_connections_of_its_own(vonage: FakeVonage, pem: str) -> None:
    script = """
import os, sys
from datetime import UTC, datetime
from otpcore.ports import SendRequest
from otpcore_vonage import VonageProvider, VonageSettings
s = VonageSettings(application_id=sys.argv[2], private_key=sys.argv[3], brand="ACME", origin=sys.argv[1])
p = VonageProvider(s)
def send(to):
    p.send(SendRequest("s1", to, "sms", "login", None, None, datetime.now(UTC), 5.0))
send("+12025550100")
before = p._transport._wire._sessions.get(None)
child = os.fork()
if child == 0:
    send("+12025550101")
    os._exit(0 if p._transport._wire._sessions.get(None) is not before else 3)
_, status = os.waitpid(child, 0)
send("+12025550102")
assert p._transport._wire._sessions.get(None) is before
p.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    arguments = [sys.executable, "-c", script, vonage.origin, APPLICATION, pem]
    subprocess.run(arguments, check=True, timeout=120, env={**os.environ})
    assert len(vonage.messages) == 3


def test_what_breaks_the_description_is_noticed(hold: Callable[[Exchange], None]) -> None:
    """Red: a request and answers that Vonage would not make or take."""
    good = b'{"brand": "ACME", "workflow": [{"channel": "sms", "to": "12025550123"}]}'
    made = b'{"request_id": "c11236f4-00bf-4b89-84ba-88b25df97315"}'
    hold(Exchange("POST", "/v2/verify", {}, good, 202, made))
    for asked, status, answered in (
        (good.replace(b'"to": "1', b'"to": "+1'), 202, made),
        (good.replace(b"sms", b"call"), 202, made),
        (good.replace(b'"brand": "ACME", ', b""), 202, made),
        (good, 202, b'{"request_id": "1"}'),
        (good, 409, b'{"type": "x", "title": "Conflict"}'),
    ):
        with pytest.raises(OpenAPIError):
            hold(Exchange("POST", "/v2/verify", {}, asked, status, answered))


def test_a_check_of_another_verification_is_none(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend
) -> None:
    provider = provider_of(vonage.origin)
    sent = provider.send(a_send())
    assert isinstance(sent, Accepted)
    for handle in (None, "", "x", f"{sent.handle}/next_workflow", "../account"):
        answer = provider.check(CheckRequest(handle, PHONE, vonage.messages[0].code, 5.0))
        assert answer.verdict is CheckVerdict.DENIED
    assert len(vonage.exchanges) == 1
    assert provider.cancel(f"{sent.handle}/next_workflow", 5.0) is False
