"""Beyond the kit: what the environment, slow look-ups, forks, threads and event loops do to the transports."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.conformance.provider.misbehaving import refused_origin, reply, stall
from otpcore.ports import Accepted, CheckRequest, CheckVerdict, Failure, FailureKind, SendEffect, SendRequest
from otpcore.providers.transport import LARGEST_ANSWER, WireFailure
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings
from otpcore_twilio.aio_transport import AsyncDeadlineHttpClient
from otpcore_twilio.settings import Origin

SID = "VE" + "a" * 32
PHONE = "+12025550123"
MakeSend = Callable[..., SendRequest]
MakeSettings = Callable[..., TwilioSettings]


class Ask(Protocol):
    def __call__(self, settings: TwilioSettings, *requests: SendRequest | CheckRequest | str) -> list[Any]: ...


def answer(request: WireRequest) -> WireAnswer:
    status = request.form.get("Status") or ("approved" if "Code" in request.form else "pending")
    return WireAnswer.of_json(200, {"sid": SID, "status": status, "to": request.form.get("To")})


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(answer) as server:
        yield server


def test_send_check_and_cancel_are_one_post_each_to_the_service(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend, ask: Ask
) -> None:
    sent, checked, canceled = ask(settings_for(server.origin), a_send(), CheckRequest(SID, None, "918273", 5.0), SID)
    service = f"/v2/Services/VA{'1' * 32}"
    assert [(r.method, r.path) for r in server.requests] == [
        ("POST", f"{service}/Verifications"),
        ("POST", f"{service}/VerificationCheck"),
        ("POST", f"{service}/Verifications/{SID}"),
    ]
    assert sent == Accepted(SID)
    assert sent.native.sid == SID
    assert (checked.verdict, checked.handle) == (CheckVerdict.APPROVED, SID)
    assert canceled is True


def test_region_and_edge_of_the_environment_do_not_move_the_origin(
    server: MisbehavingServer,
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    assert isinstance(ask(settings_for(server.origin), a_send())[0], Accepted)


def test_credentials_of_the_environment_are_not_used(
    server: MisbehavingServer,
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask(settings_for(server.origin), a_send())
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "9" * 32)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "another")
    ask(settings_for(server.origin), a_send())
    first, second = (request.headers["authorization"] for request in server.requests)
    assert first == second


def test_no_proxy_is_used_towards_this_machine(
    server: MisbehavingServer,
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with refused_origin() as dead:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, dead)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert isinstance(ask(settings_for(server.origin), a_send())[0], Accepted)


def test_a_failed_handshake_is_not_sent(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend, ask: Ask
) -> None:
    (outcome,) = ask(settings_for(server.origin.replace("http:", "https:")), a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    assert server.requests == ()


def test_an_unknown_host_is_not_sent(
    settings_for: MakeSettings, a_send: MakeSend, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (outcome,) = ask(settings_for("https://verify.invalid"), a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)


def test_a_look_up_that_hangs_is_given_up_at_the_deadline_and_not_sent(
    settings_for: MakeSettings, a_send: MakeSend, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hang(*_: object, **__: object) -> None:
        over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    outcome = TwilioProvider(settings_for("https://verify.invalid")).send(a_send(timeout_s=0.3))
    assert not over.is_set()
    over.set()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TIMEOUT, SendEffect.NOT_SENT)


@pytest.mark.parametrize("text", ["12", "soon", "-1", "9" * 400])
def test_a_retry_after_is_read_or_harmless(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend, ask: Ask, text: str
) -> None:
    headers = {"Retry-After": text, "Content-Type": "application/json"}
    server.scenario = reply(WireAnswer(429, b'{"code": 20429, "message": "Too many requests"}', headers))
    (outcome,) = ask(settings_for(server.origin), a_send())
    assert (outcome.kind, outcome.provider_code) == (FailureKind.RATE_LIMITED, "20429")
    assert (outcome.retry_after is not None) == (text == "12")


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "without-the-limit"])
def test_an_answer_larger_than_any_of_twilios_is_not_believed(
    server: MisbehavingServer,
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
    limited: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not limited:  # the defect: then the same answer is read to its end and accepted
        monkeypatch.setattr("otpcore.providers.transport.urllib3.LARGEST_ANSWER", 10 * LARGEST_ANSWER)
        monkeypatch.setattr("otpcore_twilio.aio_transport.LARGEST_ANSWER", 10 * LARGEST_ANSWER)
    padded = json.dumps({"sid": SID, "status": "pending"}).encode() + b" " * LARGEST_ANSWER
    server.scenario = reply(WireAnswer(201, padded))
    (outcome,) = ask(settings_for(server.origin), a_send())
    assert isinstance(outcome, Failure) == limited
    assert not limited or outcome.effect is SendEffect.UNKNOWN


def test_an_answer_in_the_newer_problem_format_is_read_by_its_code(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend, ask: Ask
) -> None:
    problem = {"type": "about:blank", "title": "Limit", "status": 200, "code": 60203, "detail": PHONE}
    server.scenario = reply(WireAnswer.of_json(429, problem))
    (outcome,) = ask(settings_for(server.origin), a_send())
    assert (outcome.provider_code, outcome.effect) == ("60203", SendEffect.NOT_SENT)


def test_the_native_client_keeps_the_deadline_and_the_origin_of_the_settings(
    server: MisbehavingServer, settings_for: MakeSettings
) -> None:
    provider = TwilioProvider(settings_for(server.origin, timeout_s=1.0))
    server.scenario = stall
    with pytest.raises(WireFailure):
        provider.native_client.api.v2010.accounts.list(limit=1)
    provider.close()
    assert server.wait_for_requests(1, 10)
    assert [request.method for request in server.requests] == ["GET"]


def test_the_shorter_of_request_and_settings_is_the_deadline(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend, ask: Ask
) -> None:
    server.scenario = stall
    (outcome,) = ask(settings_for(server.origin, timeout_s=1.0), a_send(timeout_s=3600))
    assert (outcome.kind, outcome.effect) == (FailureKind.TIMEOUT, SendEffect.UNKNOWN)


def test_connections_are_kept_and_shared_by_threads(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    provider = TwilioProvider(settings_for(server.origin))
    recipients = [f"+120255501{n:02}" for n in range(40)]
    outcomes: dict[str, Accepted | Failure] = {}

    def send(to: str) -> None:
        outcomes[to] = provider.send(a_send(to))

    threads = [threading.Thread(target=send, args=(to,)) for to in recipients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.close()
    assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
    assert {to: o.native.to for to, o in outcomes.items() if isinstance(o, Accepted)} == {to: to for to in recipients}  # type: ignore[attr-defined]  # the SDK's object
    assert sorted(request.form["To"] for request in server.requests) == recipients


def test_a_forked_child_opens_connections_of_its_own(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    script = """
import os, sys
from datetime import UTC, datetime
from otpcore.ports import SendRequest
from otpcore_twilio import TwilioProvider, TwilioSettings
p = TwilioProvider(TwilioSettings(account_sid="AC" + "0" * 32, auth_token="t" * 32, service_sid="VA" + "1" * 32,
                                  origin=sys.argv[1]))
r = SendRequest("s1", "+12025550123", "sms", "login", None, None, datetime.now(UTC), 5.0)
p.send(r)
before = p._transport._wire._sessions.get(None)
child = os.fork()
if child == 0:
    p.send(r)
    os._exit(0 if p._transport._wire._sessions.get(None) is not before else 3)
_, status = os.waitpid(child, 0)
p.send(r)
assert p._transport._wire._sessions.get(None) is before
p.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    subprocess.run([sys.executable, "-c", script, server.origin], check=True, timeout=60, env={**os.environ})
    assert len(server.requests) == 3


def test_one_awaited_provider_serves_one_event_loop_after_the_other(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    provider = AsyncTwilioProvider(settings_for(server.origin))
    outcomes = [asyncio.run(provider.send(a_send())) for _ in range(3)]
    asyncio.run(provider.close())
    assert outcomes == [Accepted(SID)] * 3


def test_a_closed_provider_opens_again(server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend) -> None:
    provider = TwilioProvider(settings_for(server.origin))
    for _ in range(2):
        assert isinstance(provider.send(a_send()), Accepted)
        provider.close()


def test_the_sdk_logs_nothing_about_a_request(
    server: MisbehavingServer,
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.NOTSET):
        ask(settings_for(server.origin), a_send(), CheckRequest(None, PHONE, "918273", 5.0))
    assert [record for record in caplog.records if record.name.startswith("twilio")] == []


def test_an_awaited_handshake_ends_at_the_deadline(settings_for: MakeSettings, a_send: MakeSend) -> None:
    """Connected and never greeted: the whole call has one deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        provider = AsyncTwilioProvider(settings_for(f"https://127.0.0.1:{silent.getsockname()[1]}"))

        async def send() -> Accepted | Failure:
            try:
                return await provider.send(a_send(timeout_s=0.3))
            finally:
                await provider.close()

        outcome = asyncio.run(asyncio.wait_for(send(), 60))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.TIMEOUT, SendEffect.NOT_SENT)


class _Meddling(asyncio.SelectorEventLoop):
    """A closed loop; while it is asked whether it is, another thread opens a session."""

    meddle: Callable[[], object] | None = None

    def is_closed(self) -> bool:
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            thread = threading.Thread(target=meddle)
            thread.start()
            thread.join()
        return super().is_closed()


def test_loops_of_several_threads_take_no_session_from_each_other() -> None:
    inner: Any = AsyncDeadlineHttpClient(Origin.parse("http://127.0.0.1:1"), 1.0)
    ended, others, ours = _Meddling(), asyncio.new_event_loop(), asyncio.new_event_loop()
    ended.run_until_complete(inner._open_session())
    ended.run_until_complete(ended.shutdown_asyncgens())
    ended.close()
    opened: list[object] = []
    ended.meddle = lambda: opened.append(others.run_until_complete(inner._open_session()))
    ours.run_until_complete(inner._open_session())
    assert others.run_until_complete(inner._open_session()) is opened[0]
    for loop in (others, ours):
        loop.run_until_complete(inner.close())
        loop.close()
