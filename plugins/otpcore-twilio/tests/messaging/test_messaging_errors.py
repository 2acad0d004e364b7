"""Each of Twilio's codes means to the core what is stated here a second time, in either shape and colour."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.ports import FailureKind, FailureScope, SendEffect, SendRequest
from otpcore_twilio import AsyncTwilioMessagingProvider, TwilioMessagingProvider, TwilioMessagingSettings
from otpcore_twilio.messaging.errors import MESSAGE_ERRORS, row_for

PAGE = Path(__file__).parents[4] / "docs" / "providers" / "twilio-messaging.md"

KINDS = {
    FailureKind.INVALID_RECIPIENT: {21211, 21217, 21265, 21266, 30005},
    FailureKind.OPTED_OUT: {21610},
    FailureKind.CHANNEL_UNREACHABLE: {21214, 21612, 21614, 21635, 30003, 30006},
    FailureKind.DESTINATION_BLOCKED: {21408, 21608, 30004},
    FailureKind.FRAUD_SUSPECTED: {30450},
    FailureKind.RATE_LIMITED: {20429, 21611, 30022, 30023},
    FailureKind.QUOTA_EXHAUSTED: {63038},
    FailureKind.TRANSIENT: {21730, 30001, 30036},
    FailureKind.TIMEOUT: {30410},
    FailureKind.CONTENT_REJECTED: {21602, 21617, 30007},
    FailureKind.INTERNAL: {20001, 21604, 30008, 90007},
    FailureKind.MISCONFIGURED: {20003, 20005, 20008, 20404, 21212, 21267, 21601, 21603, 21606, 21609, 21659, 21660}
    | {21661, 21701, 21703, 21705, 30002, 30024, 30032, 30034},
}
OF_ONE_NUMBER = {21608, 21703, 30004, 30007, 30024, 30032, 30034}


def test_the_table_holds_these_codes_and_no_others() -> None:
    assert {code: row.kind for code, row in MESSAGE_ERRORS.items()} == {
        code: kind for kind, codes in KINDS.items() for code in codes
    }


def test_a_refusal_was_not_sent_unless_a_carrier_may_have_it() -> None:
    unsure = {code for code, row in MESSAGE_ERRORS.items() if row.effect is not SendEffect.NOT_SENT}
    assert unsure == {30008, 30410}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.INTERNAL),
        (401, FailureKind.MISCONFIGURED),
        (402, FailureKind.QUOTA_EXHAUSTED),
        (403, FailureKind.MISCONFIGURED),
        (404, FailureKind.MISCONFIGURED),
        (429, FailureKind.RATE_LIMITED),
    ],
)
@pytest.mark.parametrize("code", [None, 99999])
def test_an_unknown_code_is_judged_by_its_status(status: int, kind: FailureKind, code: int | None) -> None:
    row = row_for(status, code)
    assert (row.kind, row.effect) == (kind, SendEffect.NOT_SENT)
    assert "Verify" not in row.text


@pytest.mark.parametrize("code", sorted(MESSAGE_ERRORS))
def test_a_sentence_is_for_an_operator_and_holds_no_number(code: int) -> None:
    text = MESSAGE_ERRORS[code].text
    assert len(text.split()) > 3
    assert not re.search(r"\d", text)


def test_the_documented_table_is_the_table() -> None:
    shown = re.findall(r"^\| (\d{5}) \| (\w+) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {int(code): (kind, text) for code, kind, text in shown} == {
        code: (row.kind.name, row.text) for code, row in sorted(MESSAGE_ERRORS.items())
    }


def refused(request: WireRequest) -> WireAnswer:
    to = request.form["To"]
    return WireAnswer.of_json(400, {"code": int(to[-5:]), "message": f"The 'To' number {to}", "status": 400})


def problem(request: WireRequest) -> WireAnswer:
    """The same after RFC 9457."""
    to = request.form["To"]
    body = {"type": "https://example.com/e", "title": f"No {to}", "status": 500, "code": int(to[-5:]), "detail": to}
    return WireAnswer.of_json(400, body)


@pytest.mark.parametrize("shape", [refused, problem])
@pytest.mark.parametrize("awaiting", [False, True])
def test_in_either_shape_and_colour_the_code_alone_decides(
    shape: Callable[[WireRequest], WireAnswer],
    awaiting: bool,
    messages_at: Callable[..., TwilioMessagingSettings],
    a_message: Callable[..., SendRequest],
) -> None:
    requests = [a_message(recipient=f"+155500{code}") for code in MESSAGE_ERRORS]

    async def awaited(settings: TwilioMessagingSettings) -> list[Any]:
        provider = AsyncTwilioMessagingProvider(settings)
        answers = [await provider.send(one) for one in requests]
        await provider.close()
        return answers

    with MisbehavingServer(shape) as server:
        settings = messages_at(server.origin)
        if awaiting:
            answers: list[Any] = asyncio.run(awaited(settings))
        else:
            provider = TwilioMessagingProvider(settings)
            answers = [provider.send(one) for one in requests]
            provider.close()
        assert len(server.requests) == len(requests)
    for (code, row), sent in zip(MESSAGE_ERRORS.items(), answers, strict=True):
        assert (sent.kind, sent.effect, sent.detail, sent.provider_code) == (row.kind, row.effect, row.text, str(code))
        assert sent.scope is (FailureScope.RECIPIENT if code in OF_ONE_NUMBER else FailureScope.ACCOUNT)
        assert f"+155500{code}" not in repr(sent)
