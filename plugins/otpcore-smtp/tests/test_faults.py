"""A server that hangs up or falls silent at every step of the conversation.

What is claimed is held against what the server saw: a message whose dot it heard may be delivered, so nobody may say
that it was not sent.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, cast

import pytest
from pydantic import SecretStr

from otpcore.conformance.provider.driven import Driven
from otpcore.ports import Accepted, Failure, FailureKind, SendEffect, SendRequest
from otpcore_smtp import AsyncSmtpProvider, SmtpProvider, SmtpSettings, blocking
from otpcore_smtp.replies import Stage
from tests.mail_servers import STEPS, MailServer, ScriptedServer

Make = Callable[..., Driven]
Ask = Callable[..., SendRequest]
Fault = dict[str, Any]

LONG = ("x" * 70 + "\n") * 150_000
"""More than the buffers of two machines hold: who has sent the end of it knows that the rest was read."""

SHORT = [step for step in STEPS if step != "body"]
"""Those of a message that takes no time."""


def text_for(step: str) -> str:
    return LONG if step == "body" else "Your code is 918273\n"


def told_rightly(answer: Accepted | Failure, server: ScriptedServer) -> None:
    """The property: one connection, one message at most, and no denial of what the server may deliver."""
    assert server.connections == 1, "the call was made again"
    assert len(server.taken) <= 1
    if server.taken:
        assert not isinstance(answer, Failure) or answer.effect is SendEffect.UNKNOWN, answer
    else:
        assert not isinstance(answer, Accepted)


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_hangs_up(driven: Make, ask: Ask, step: str) -> None:
    with ScriptedServer(cut=step) as server:
        answer = driven(server.port).send(ask(text_for(step)))
    told_rightly(answer, server)
    assert isinstance(answer, Failure)
    expected = (
        (FailureKind.INTERNAL, SendEffect.UNKNOWN) if step == "dot" else (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    )
    assert (answer.kind, answer.effect) == expected


def sent_at_once(
    driven: Make, faults: Sequence[Fault], request: SendRequest
) -> list[tuple[Accepted | Failure, ScriptedServer]]:
    """What one send to a server of each fault is answered with: at once, for each lasts until its deadline."""
    with ExitStack() as stack:
        servers = [stack.enter_context(ScriptedServer(**fault)) for fault in faults]
        senders = [driven(server.port) for server in servers]
        calls = [sender.begin("send", request) for sender in senders]
        return [(sender.wait(call), server) for sender, call, server in zip(senders, calls, servers, strict=True)]


@pytest.mark.parametrize("steps", [SHORT, ["body"]], ids=["between lines", "body"])
def test_a_server_that_falls_silent(driven: Make, ask: Ask, steps: list[str]) -> None:
    """Whether it heard the dot decides: on a busy machine a deadline may pass before."""
    request = ask(text_for(steps[0]), timeout_s=3.0)
    told = sent_at_once(driven, [{"stall": step} for step in steps], request)
    for step, (answer, server) in zip(steps, told, strict=True):
        told_rightly(answer, server)
        assert isinstance(answer, Failure), step
        unknown, known = (FailureKind.TIMEOUT, SendEffect.UNKNOWN), (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
        assert (answer.kind, answer.effect) == (unknown if server.taken else known), step
        assert step == "dot" or not server.taken


def test_a_server_whose_answer_never_ends(driven: Make, ask: Ask) -> None:
    """Each byte comes in time, and all of them together do not: one deadline is for the whole call."""
    request = ask("Your code is 918273\n", timeout_s=3.0)
    told = sent_at_once(driven, [{"drip": step} for step in SHORT], request)
    for step, (answer, server) in zip(SHORT, told, strict=True):
        told_rightly(answer, server)
        assert isinstance(answer, Failure), step
        assert answer.effect is (SendEffect.UNKNOWN if server.taken else SendEffect.NOT_SENT), step


@pytest.mark.parametrize("said", [b"what?", b"999 no", b"354 more", b"2", b"", b"\xff\xfe", b"250-" + b"x" * 100_000])
def test_an_answer_to_the_end_that_makes_no_sense_is_unknown(driven: Make, ask: Ask, said: bytes) -> None:
    with ScriptedServer(says={"dot": said}) as server:
        answer = driven(server.port).send(ask("Your code is 918273\n"))
    told_rightly(answer, server)
    assert isinstance(answer, Failure), answer
    assert answer.effect is SendEffect.UNKNOWN


@pytest.mark.parametrize("said", [b"what?", b"250 too early", b"500 5.5.1 what?", b"421 4.3.2 closing"])
def test_a_server_that_does_not_take_the_message_is_given_none(driven: Make, ask: Ask, said: bytes) -> None:
    with ScriptedServer(says={"DATA": said}) as server:
        answer = driven(server.port).send(ask("Your code is 918273\n"))
    told_rightly(answer, server)
    assert isinstance(answer, Failure), answer
    assert answer.effect is SendEffect.NOT_SENT
    assert b"Your code is 918273" not in server.heard


def test_a_refused_connection_and_a_host_that_is_not_there_are_not_sent(driven: Make, ask: Ask) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        answer = driven(closed.getsockname()[1]).send(ask())
    assert isinstance(answer, Failure), answer
    assert (answer.kind, answer.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)


# --- planted defects: what the tests above must see ---------------------------------------------------


class Denying(SmtpProvider):
    """Says NOT_SENT of whatever got no answer, the dot's too."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        if isinstance(answer, Failure):
            return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)
        return answer


class Repeating(SmtpProvider):
    """Tries again what was not accepted."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        return answer if isinstance(answer, Accepted) else super().send(request)


@pytest.mark.parametrize("fault", [{"cut": "dot"}, {"stall": "dot"}], ids=["cut", "stall"])
def test_a_planted_defect_is_seen(ask: Ask, fault: Fault) -> None:
    """Each of the two; at once, for they wait."""
    request = ask("Your code is 918273\n", timeout_s=4.0)
    with ScriptedServer(**fault) as first, ScriptedServer(**fault) as second, ThreadPoolExecutor(2) as threads:
        providers = [Denying(_settings(first.port)), Repeating(_settings(second.port))]
        calls = [threads.submit(provider.send, request) for provider in providers]
        answers = [call.result() for call in calls]
    for answer, server in zip(answers, (first, second), strict=True):
        with pytest.raises(AssertionError):
            told_rightly(answer, server)


def test_text_and_dot_in_one_write_would_be_seen(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the libraries do it: then nobody knows whether the dot left, and a lost message is never given back."""
    module: Any = blocking
    perform = module._Conversation.perform

    def at_once(self: Any, stage: Stage, letter: Any) -> Any:
        if stage is Stage.BODY:
            return None
        if stage is Stage.END:
            self._client.send(letter.body)
        return perform(self, stage, letter)

    monkeypatch.setattr(module._Conversation, "perform", at_once)
    with ScriptedServer(cut="body") as server:
        answer = SmtpProvider(_settings(server.port)).send(ask(LONG))
    assert isinstance(answer, Failure)
    assert answer.effect is SendEffect.UNKNOWN


# --- threads, tasks, secrets --------------------------------------------------------------------------


def _settings(port: int) -> SmtpSettings:
    return SmtpSettings(host="127.0.0.1", port=port, security="none", sender="codes@shop.example")


def test_threads_share_a_provider(ask: Ask) -> None:
    with MailServer() as server, ThreadPoolExecutor(16) as threads:
        provider = SmtpProvider(_settings(server.port))
        texts = [f"Your code is {number:06}\n" for number in range(64)]
        answers = list(threads.map(provider.send, [ask(text, send_id=text[-7:-1]) for text in texts]))
    assert all(isinstance(answer, Accepted) for answer in answers), answers
    assert sorted(server.inbox.texts()) == texts


def test_tasks_share_a_provider_and_loops_may_come_and_go(ask: Ask) -> None:
    with MailServer() as server:
        provider = AsyncSmtpProvider(_settings(server.port))

        async def several() -> list[Accepted | Failure]:
            return await asyncio.gather(*(provider.send(ask(f"{number:06}\n")) for number in range(32)))

        answers = asyncio.run(several()) + asyncio.run(several())
    assert all(isinstance(answer, Accepted) for answer in answers), answers
    assert len(server.inbox.taken) == 64


@pytest.mark.parametrize("step", ["connect", "RCPT", "body", "dot"])
def test_a_cancelled_task_leaves_nothing_behind(ask: Ask, step: str) -> None:
    with ScriptedServer(stall=step) as server:
        provider = AsyncSmtpProvider(_settings(server.port))

        async def cancelled() -> int:
            call = asyncio.ensure_future(provider.send(ask(text_for(step))))
            await asyncio.to_thread(server.reached.wait, 20)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            return len(asyncio.all_tasks())

        assert asyncio.run(cancelled()) == 1  # the one that counts
    assert server.connections == 1


def test_a_program_that_runs_a_loop_may_call_the_blocking_one(ask: Ask) -> None:
    with MailServer() as server:

        async def called() -> Accepted | Failure:
            return SmtpProvider(_settings(server.port)).send(ask())

        assert isinstance(asyncio.run(called()), Accepted)


def test_no_code_no_address_and_no_password_is_shown(driven: Make, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log at any level, an answer or an exception, though servers repeat what they were given."""
    echo = b"550 5.1.1 <canary.41@example.org> 918273"
    shown: list[str] = []
    with caplog.at_level(logging.NOTSET):
        faults: list[Fault] = [{}]
        faults += [fault for step in STEPS for fault in ({"cut": step}, {"says": {step: echo}})]
        for fault in faults:
            with ScriptedServer(**fault) as server:
                here = driven(server.port)
                shown.append(repr(here.send(ask("Code 918273\n", recipient="canary.41@example.org"))))
                shown.append(here.texts())
    shown += [caplog.text, *(f"{record.getMessage()} {record.args} {record.exc_info}" for record in caplog.records)]
    everything = "\n".join(shown)
    assert "918273" not in everything
    assert "canary" not in everything


def test_the_words_of_a_letter_are_not_shown(ask: Ask) -> None:
    from otpcore_smtp.letter import compose

    settings = SmtpSettings(
        host="127.0.0.1", security="none", sender="codes@shop.example", username="u", password=SecretStr("s3cret")
    )
    shown = repr(compose(ask("Code 918273\n"), settings)) + repr(settings) + repr(SmtpProvider(settings))
    assert not any(word in shown for word in ("918273", "Jo.Doe", "s3cret"))


def test_the_twins_take_the_same_steps() -> None:
    blocking_one, awaited_one = cast("Any", SmtpProvider(_settings(25))), cast("Any", AsyncSmtpProvider(_settings(25)))
    assert blocking_one._stages == awaited_one._stages
    assert blocking_one.capabilities == awaited_one.capabilities
    for name in ("send", "close"):
        assert not inspect.iscoroutinefunction(getattr(SmtpProvider, name))
        assert inspect.iscoroutinefunction(getattr(AsyncSmtpProvider, name))


def test_a_look_up_that_hangs_is_given_up_at_the_deadline(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's look-up takes no deadline: a resolver that is silent may hold it for a minute."""
    over = threading.Event()

    def hang(*_: object, flags: int = 0, **__: object) -> None:
        if not flags & socket.AI_NUMERICHOST:
            over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    settings = SmtpSettings(host="mail.invalid", sender="codes@shop.example")
    answer = SmtpProvider(settings).send(ask(timeout_s=0.3))
    assert not over.is_set()
    over.set()
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    assert "ran out of time" in answer.detail


def test_an_unknown_host_is_not_sent(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    answer = SmtpProvider(SmtpSettings(host="mail.invalid", sender="codes@shop.example")).send(ask())
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    assert "lost the connection" in answer.detail
