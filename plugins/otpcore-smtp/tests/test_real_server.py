"""A real mail server (aiosmtpd), with and without TLS, and every answer that matters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from otpcore.conformance.provider.driven import Driven
from otpcore.ports import Accepted, Failure, FailureKind, SendEffect, SendRequest
from tests.mail_servers import PASSWORD, USERNAME, Certificate, MailServer

Make = Callable[..., Driven]
Ask = Callable[..., SendRequest]
K = FailureKind


def test_a_message_arrives_as_it_was_meant(driven: Make, ask: Ask) -> None:
    with MailServer() as server:
        answer = driven(server.port, sender_name="The Shop").send(ask("Code: 918273\n.\n..dots\n", "Sécurité"))
    assert isinstance(answer, Accepted), answer
    assert answer.handle == "AbC-123_x@shop.example"
    (read,) = server.inbox.messages()
    assert server.inbox.texts() == ["Code: 918273\n.\n..dots\n"]
    assert (str(read["Subject"]), str(read["To"])) == ("Sécurité", "Jo.Doe+otp@example.org")
    assert str(read["From"]) == "The Shop <codes@shop.example>"
    assert str(read["Message-ID"]) == f"<{answer.handle}>"
    assert str(read["Auto-Submitted"]) == "auto-generated"
    assert abs(parsedate_to_datetime(str(read["Date"])) - datetime.now(UTC)) < timedelta(minutes=5)
    assert server.inbox.senders == ["codes@shop.example"]
    assert server.inbox.recipients == [["Jo.Doe+otp@example.org"]]
    assert server.inbox.heard == ["EHLO", "MAIL", "RCPT", "DATA"]


def test_without_words_of_the_core_it_says_a_plain_sentence_and_no_code_in_the_subject(driven: Make, ask: Ask) -> None:
    with MailServer() as server:
        assert isinstance(driven(server.port).send(ask()), Accepted)
    (read,) = server.inbox.messages()
    assert "918273" in str(read.get_content())
    assert str(read["Subject"]) == "Your verification code"


@pytest.mark.parametrize("without", [(), ("PLAIN",)], ids=["PLAIN", "LOGIN"])
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_what_is_said_is_encrypted_and_the_password_is_given_once(
    driven: Make, ask: Ask, certificate: Certificate, security: str, without: tuple[str, ...]
) -> None:
    with MailServer(certificate, implicit=security == "tls", login=True, without=without) as server:
        account: Any = {"username": USERNAME, "password": PASSWORD, "ca_file": str(certificate.file)}
        answer = driven(server.port, security=security, **account).send(ask())
        assert isinstance(answer, Accepted), answer
        assert len(server.inbox.taken) == 1
        server.inbox.heard.clear()
        account["password"] = "wrong"
        refused = driven(server.port, security=security, **account).send(ask())
    assert isinstance(refused, Failure)
    assert (refused.kind, refused.effect) == (K.MISCONFIGURED, SendEffect.NOT_SENT)
    assert refused.provider_code is not None
    assert refused.provider_code.startswith("535")
    assert len([line for line in server.inbox.heard if line.startswith("AUTH")]) == 1  # no second guess
    assert len(server.inbox.taken) == 1


ANSWERS: list[tuple[str, str, FailureKind]] = [
    ("MAIL", "451 4.3.0 later", K.TRANSIENT),
    ("MAIL", "550 5.7.1 not you", K.MISCONFIGURED),
    ("MAIL", "530 5.7.0 log in first", K.MISCONFIGURED),
    ("RCPT", "450 4.2.1 greylisted", K.TRANSIENT),
    ("RCPT", "452 4.2.2 full", K.TRANSIENT),
    ("RCPT", "550 5.1.1 no such user", K.INVALID_RECIPIENT),
    ("RCPT", "550 nobody", K.INVALID_RECIPIENT),
    ("RCPT", "553 5.1.3 syntax", K.INVALID_RECIPIENT),
    ("RCPT", "556 5.1.10 takes no mail", K.INVALID_RECIPIENT),
    ("RCPT", "552 5.2.2 full", K.CHANNEL_UNREACHABLE),
    ("RCPT", "552 full", K.CHANNEL_UNREACHABLE),
    ("RCPT", "554 5.7.1 relay denied", K.MISCONFIGURED),
    ("RCPT", "550 5.7.1 relay denied", K.MISCONFIGURED),
    ("DATA", "451 4.3.2 later", K.TRANSIENT),
    ("DATA", "421 4.3.2 closing", K.TRANSIENT),
    ("DATA", "552 5.3.4 too big", K.CONTENT_REJECTED),
    ("DATA", "554 5.6.0 spam", K.CONTENT_REJECTED),
    ("DATA", "550 5.7.1 spam", K.CONTENT_REJECTED),
    ("DATA", "550 5.1.1 no such user", K.INVALID_RECIPIENT),
]


@pytest.mark.parametrize(("step", "said", "kind"), ANSWERS, ids=[f"{step} {said}" for step, said, _ in ANSWERS])
def test_what_a_server_refuses_was_not_sent_and_is_named(
    driven: Make, ask: Ask, step: str, said: str, kind: FailureKind
) -> None:
    with MailServer() as server:
        server.inbox.answers[step] = said
        answer = driven(server.port).send(ask())
    assert isinstance(answer, Failure), answer
    assert (answer.kind, answer.effect) == (kind, SendEffect.NOT_SENT)
    assert answer.provider_code is not None
    assert said.startswith(answer.provider_code)
    assert not server.inbox.taken


def test_a_message_that_was_taken_without_a_word_is_unknown(driven: Make, ask: Ask) -> None:
    with MailServer() as server:
        server.inbox.held.clear()
        answer = driven(server.port).send(ask(timeout_s=3.0))
        server.inbox.held.set()
    assert isinstance(answer, Failure), answer
    assert (answer.kind, answer.effect) == (K.TIMEOUT, SendEffect.UNKNOWN)
    assert len(server.inbox.taken) == 1, "the server did take it"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_cannot_prove_its_name_is_told_nothing(
    driven: Make, ask: Ask, certificate: Certificate, tmp_path: Path, security: str
) -> None:
    stranger = Certificate.made(tmp_path, "elsewhere.example")
    with MailServer(stranger, implicit=security == "tls") as server:
        for trusted in (stranger, certificate):  # another name; another authority
            answer = driven(server.port, security=security, ca_file=str(trusted.file)).send(ask())
            assert isinstance(answer, Failure), answer
            assert (answer.kind, answer.effect) == (K.MISCONFIGURED, SendEffect.NOT_SENT)
    assert "MAIL" not in server.inbox.heard


def test_a_server_without_starttls_is_told_nothing(driven: Make, ask: Ask, certificate: Certificate) -> None:
    with MailServer() as server:
        answer = driven(server.port, security="starttls", ca_file=str(certificate.file)).send(ask())
    assert isinstance(answer, Failure), answer
    assert (answer.kind, answer.effect) == (K.MISCONFIGURED, SendEffect.NOT_SENT)
    assert server.inbox.heard == ["EHLO"]


def test_a_server_that_takes_no_password_is_given_none(driven: Make, ask: Ask, certificate: Certificate) -> None:
    with MailServer(certificate) as server:
        account = {"username": USERNAME, "password": PASSWORD, "ca_file": str(certificate.file)}
        answer = driven(server.port, security="starttls", **account).send(ask())
    assert isinstance(answer, Failure), answer
    assert (answer.kind, answer.effect) == (K.MISCONFIGURED, SendEffect.NOT_SENT)
    assert not server.inbox.taken
