"""The SMTP provider against the provider conformance kit, over a real SMTP wire, in both colours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from otpcore.conformance.provider import Ending, ProviderContract
from otpcore.conformance.provider.driven import Driven
from otpcore.ports import Accepted, Failure, FailureKind, SendEffect, SendRequest
from otpcore_smtp import AsyncSmtpProvider, SmtpProvider, SmtpSettings
from tests.conformance.provider_doubles import red_checks
from tests.mail_vendor import ENDINGS, Mail, MailVendor, read_mail

pytest_plugins = ["pytester"]

TO = "Jo.Doe+otp@example.org"


def settings_for(origin: str) -> SmtpSettings:
    at = urlsplit(origin)
    return SmtpSettings(
        host=at.hostname or "",
        port=at.port or 0,
        security="none",
        sender="codes@shop.example",
        username="mailer",
        password=SecretStr("s3cret"),
    )


class TestSmtp(ProviderContract):
    kind_of: ClassVar[type[SmtpProvider]] = SmtpProvider
    async_kind_of: ClassVar[type[AsyncSmtpProvider]] = AsyncSmtpProvider
    recipient: ClassVar[str] = TO
    scenarios: ClassVar[Mapping[str, Ending]] = ENDINGS

    def make(self, origin: str) -> SmtpProvider:
        return self.kind_of(settings_for(origin))

    def make_async(self, origin: str) -> AsyncSmtpProvider:
        return self.async_kind_of(settings_for(origin))

    def vendor(self) -> MailVendor:
        return MailVendor()

    def origin_at(self, port: int) -> str:
        return f"smtp://127.0.0.1:{port}"

    def read(self, request: Mail) -> Sequence[tuple[str, str]]:
        return read_mail(request)

    def test_a_call_is_one_connection(self, driven: Driven, server: MailVendor, scenario: str) -> None:
        """A no before the message is no message on the wire, and asking again would show only here."""
        self._perform(driven, "send", server, scenario)
        assert server.connections == 1

    @pytest.mark.parametrize("late", ["cut", "nonsense", "451-after-the-dot", "550-after-the-dot"])
    def test_what_is_answered_after_the_dot_was_one_message(
        self, driven: Driven, server: MailVendor, late: str
    ) -> None:
        """To the one recipient, from the one sender."""
        self._perform(driven, "send", server, late)
        (mail,) = server.requests
        assert (mail.sender, mail.recipients) == ("<codes@shop.example>", (f"<{TO}>",))


# --- planted defects: what the kit must see over this wire --------------------------------------------


class Denying(SmtpProvider):
    """Says NOT_SENT of whatever got no answer, the dot's too."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        if isinstance(answer, Failure):
            return Failure(answer.kind, SendEffect.NOT_SENT)
        return answer


class Repeating(SmtpProvider):
    """Tries again what was not accepted."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        return answer if isinstance(answer, Accepted) else super().send(request)


class Doubting(SmtpProvider):
    """Says UNKNOWN of every failure: nothing would ever be given back."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        if isinstance(answer, Failure):
            return Failure(FailureKind.TRANSIENT, SendEffect.UNKNOWN)
        return answer


class Echoing(SmtpProvider):
    """Repeats whom it wrote to."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        answer = super().send(request)
        return Failure(answer.kind, answer.effect, request.recipient) if isinstance(answer, Failure) else answer


class Rewording(SmtpProvider):
    """Ends each message with a sentence of its own."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        words = request.message
        if words is not None:
            request = replace(request, message=replace(words, text=f"{words.text}\n\nSent with care."))
        return super().send(request)


class Swallowing(AsyncSmtpProvider):
    """Says NOT_SENT of a call that was cancelled: its step would be given back, and a message may be on its way."""

    async def send(self, request: SendRequest) -> Accepted | Failure:
        try:
            return await super().send(request)
        except asyncio.CancelledError:
            return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)


@pytest.mark.parametrize(
    ("defect", "sentence"),
    [
        (Denying, "test_a_call_without_a_usable_answer_is_unknown"),
        (Repeating, "test_a_call_is_made_once_on_the_wire"),
        (Repeating, "test_a_call_is_one_connection"),
        (Doubting, "test_a_refused_connection_is_not_sent"),
        (Doubting, "test_a_refusal_by_the_vendor_is_not_sent"),
        (Doubting, "test_wrong_credentials_are_a_misconfiguration"),
        (Echoing, "test_no_code_and_no_number_is_shown"),
        (Rewording, "test_the_words_of_the_core_arrive_as_they_are"),
    ],
)
def test_a_planted_defect_is_seen(
    defect: type[SmtpProvider], sentence: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = type("TestBroken", (TestSmtp,), {"kind_of": defect, "colours": ("blocking",)})
    assert red_checks(contract, f"{sentence} or closing_twice", pytester, monkeypatch) == {sentence}


def test_a_swallowed_cancellation_is_seen(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = type("TestBroken", (TestSmtp,), {"async_kind_of": Swallowing, "colours": ("awaited",)})
    sentence = "test_a_cancelled_send_is_unknown_and_keeps_its_step"
    assert red_checks(contract, f"{sentence} or closing_twice", pytester, monkeypatch) == {sentence}
