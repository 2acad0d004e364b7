"""The provider, the official SDK and the emulator together: the life of a verification over a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    FailureScope,
    SendEffect,
    SendRequest,
)
from otpcore_twilio import TwilioSettings
from otpcore_twilio.emulator import Emulator, serve
from otpcore_twilio.error_table import ERRORS

PHONE = "+12025550123"
WRONG = "000000"
MakeSend = Callable[..., SendRequest]


class Ask(Protocol):
    def __call__(self, settings: TwilioSettings, *requests: SendRequest | CheckRequest | str) -> list[Any]: ...


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with serve() as emulator:
        yield emulator


@pytest.fixture
def settings(emulator: Emulator) -> TwilioSettings:
    return settings_of(emulator)


def settings_of(emulator: Emulator, **changes: Any) -> TwilioSettings:
    given: dict[str, Any] = {
        "account_sid": emulator.account_sid,
        "auth_token": SecretStr(emulator.auth_token),
        "service_sid": emulator.service_sid,
        "origin": emulator.url,
    }
    return TwilioSettings(**(given | changes))


def by_number(code: str) -> CheckRequest:
    return CheckRequest(None, PHONE, code, 5.0)


def verdicts(answers: list[CheckAnswer]) -> list[CheckVerdict]:
    return [answer.verdict for answer in answers]


def test_the_environment_that_the_emulator_prints_configures_the_provider(
    emulator: Emulator, a_send: MakeSend, ask: Ask
) -> None:
    own = {name: value for name, value in emulator.environment.items() if name.startswith("TWILIO_")}
    settings = TwilioSettings.model_validate({**own, "origin": emulator.environment["OTPCORE_TWILIO_ORIGIN"]})
    assert isinstance(ask(settings, a_send())[0], Accepted)


def test_a_resend_keeps_the_verification_and_its_code(
    emulator: Emulator, settings: TwilioSettings, a_send: MakeSend, ask: Ask
) -> None:
    first, second = ask(settings, a_send(), a_send(channel="call"))
    assert first.handle == second.handle
    assert len({message.code for message in emulator.inbox(PHONE)}) == 1


def test_the_right_code_approves_once_and_then_the_verification_is_gone(
    emulator: Emulator, settings: TwilioSettings, a_send: MakeSend, ask: Ask
) -> None:
    (sent,) = ask(settings, a_send())
    right = CheckRequest(sent.handle, None, emulator.latest_code(PHONE), 5.0)
    wrong, approved, again = ask(settings, CheckRequest(sent.handle, None, WRONG, 5.0), right, right)
    assert verdicts([wrong, approved, again]) == [CheckVerdict.WRONG, CheckVerdict.APPROVED, CheckVerdict.GONE]
    assert approved.handle == sent.handle
    assert approved.native.status == "approved"


def test_a_check_by_number_adopts_the_handle(
    emulator: Emulator, settings: TwilioSettings, a_send: MakeSend, ask: Ask
) -> None:
    (sent,) = ask(settings, a_send())
    (approved,) = ask(settings, by_number(emulator.latest_code(PHONE)))
    assert (approved.verdict, approved.handle) == (CheckVerdict.APPROVED, sent.handle)


def test_the_sixth_check_is_exhausted_even_with_the_right_code(
    emulator: Emulator, settings: TwilioSettings, a_send: MakeSend, ask: Ask
) -> None:
    ask(settings, a_send())
    answers = ask(settings, *[by_number(WRONG)] * 5, by_number(emulator.latest_code(PHONE)))
    assert verdicts(answers) == [CheckVerdict.WRONG] * 5 + [CheckVerdict.EXHAUSTED]


def test_the_sixth_send_is_the_recipients_limit(
    emulator: Emulator, settings: TwilioSettings, a_send: MakeSend, ask: Ask
) -> None:
    *accepted, refused = ask(settings, *[a_send()] * 6)
    assert all(isinstance(outcome, Accepted) for outcome in accepted)
    assert (refused.kind, refused.scope, refused.provider_code) == (
        FailureKind.RATE_LIMITED,
        FailureScope.RECIPIENT,
        "60203",
    )
    assert len(emulator.inbox(PHONE)) == 5


def test_after_its_life_a_code_is_gone_and_a_send_starts_afresh(
    emulator: Emulator, settings: TwilioSettings, a_send: MakeSend, ask: Ask
) -> None:
    (first,) = ask(settings, a_send())
    code = emulator.latest_code(PHONE)
    emulator.advance(601)
    expired, second = ask(settings, by_number(code), a_send())
    assert expired.verdict is CheckVerdict.GONE
    assert second.handle != first.handle


def test_a_cancel_ends_the_verification_and_the_next_send_starts_afresh(
    emulator: Emulator, settings: TwilioSettings, a_send: MakeSend, ask: Ask
) -> None:
    (first,) = ask(settings, a_send())
    code = emulator.latest_code(PHONE)
    canceled, gone, second = ask(settings, first.handle, by_number(code), a_send())
    assert canceled is True
    assert gone.verdict is not CheckVerdict.APPROVED
    assert second.handle != first.handle


def test_nothing_can_be_canceled_that_is_not_there(settings: TwilioSettings, ask: Ask) -> None:
    assert ask(settings, "VE" + "0" * 32) == [False]


def test_wrong_credentials_misconfigure_a_send_and_deny_a_check(emulator: Emulator, a_send: MakeSend, ask: Ask) -> None:
    sent, checked = ask(settings_of(emulator, auth_token=SecretStr("w" * 32)), a_send(), by_number(WRONG))
    assert (sent.kind, sent.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
    assert checked.verdict is CheckVerdict.DENIED
    assert "misconfigured" in checked.detail


def test_a_wrong_service_misconfigures_a_send(emulator: Emulator, a_send: MakeSend, ask: Ask) -> None:
    (sent,) = ask(settings_of(emulator, service_sid="VA" + "0" * 32), a_send())
    assert (sent.kind, sent.provider_code) == (FailureKind.MISCONFIGURED, "20404")


@pytest.mark.parametrize("code", [20003, 20429, 21211, 21608, 21610, 60200, 60203, 60205, 60212, 60410, 60605])
def test_an_error_of_the_emulator_is_sorted_by_the_table(
    settings: TwilioSettings, a_send: MakeSend, ask: Ask, code: int
) -> None:
    (outcome,) = ask(settings, a_send(f"+1500555{code % 10_000:04}"))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect, outcome.provider_code) == (
        ERRORS[code].kind,
        SendEffect.NOT_SENT,
        str(code),
    )


def test_a_500_with_a_code_is_unknown(settings: TwilioSettings, a_send: MakeSend, ask: Ask) -> None:
    (outcome,) = ask(settings, a_send("+15005550500"))
    assert (outcome.kind, outcome.effect) == (FailureKind.INTERNAL, SendEffect.UNKNOWN)
