"""Each of Twilio's codes means to the core what the specification says, stated here a second time."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.ports import CheckRequest, CheckVerdict, FailureKind, FailureScope, SendEffect, SendRequest
from otpcore_twilio import TwilioSettings
from otpcore_twilio.error_table import ERRORS, Row, row_for

DOCS = Path(__file__).parents[3] / "docs" / "providers" / "twilio.md"
SPECIFICATION = Path(__file__).parents[4] / "shared" / "TWILIO.md"


class Ask(Protocol):
    def __call__(self, settings: TwilioSettings, *requests: SendRequest | CheckRequest | str) -> list[Any]: ...


KINDS = {
    FailureKind.INVALID_RECIPIENT: {60200, 60006, 21211},
    FailureKind.OPTED_OUT: {21610},
    FailureKind.CHANNEL_UNREACHABLE: {60205, 60001, 60008, 60550, 21612, 21614},
    FailureKind.DESTINATION_BLOCKED: {60220, 60226, 60238, 60605, 21608, 21408, 21215, 21216},
    FailureKind.FRAUD_SUSPECTED: {60410, 60413, 30450},
    FailureKind.RATE_LIMITED: {60202, 60203, 60212, 20429, 25109, 60308, 60310},
    FailureKind.MISCONFIGURED: {20003, 20008, 20404, 60204, 60207, 60208, 60209, 60210, 60211, 60213, 60217, 60222}
    | {60223, 60224, 60227, 60228, 60229, 60201, 60252, 60408},
    FailureKind.CONTENT_REJECTED: {60206, 60214},
    FailureKind.INTERNAL: {20001, 60221, 60519},
}
VERDICTS = {
    CheckVerdict.EXHAUSTED: {60202},
    CheckVerdict.GONE: {20404},
    CheckVerdict.THROTTLED: {60203, 60212, 20429, 25109, 60308, 60310, 60519},
    CheckVerdict.DENIED: KINDS[FailureKind.MISCONFIGURED] - {20404},
}


def test_the_table_holds_these_codes_and_no_others() -> None:
    assert set(ERRORS) == set().union(*KINDS.values())


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in KINDS.items() for code in sorted(codes)])
def test_a_send_that_meets_a_code_fails_with_its_kind_and_was_not_sent(kind: FailureKind, code: int) -> None:
    assert (ERRORS[code].kind, ERRORS[code].effect) == (kind, SendEffect.NOT_SENT)


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_a_check_that_meets_a_code_gets_its_verdict_and_never_an_approval(code: int) -> None:
    listed = [verdict for verdict, codes in VERDICTS.items() if code in codes]
    assert ERRORS[code].verdict == (listed[0] if listed else CheckVerdict.UNKNOWN)


def test_a_limit_is_the_accounts_only_for_throughput_and_only_that_may_be_repeated() -> None:
    limited = {code: row for code, row in ERRORS.items() if row.kind is FailureKind.RATE_LIMITED}
    assert {code for code, row in limited.items() if row.scope is FailureScope.ACCOUNT} == {20429, 25109}
    assert {code for code, row in ERRORS.items() if row.retry} == {20429, 25109}


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (400, FailureKind.INTERNAL, CheckVerdict.UNKNOWN),
        (401, FailureKind.MISCONFIGURED, CheckVerdict.DENIED),
        (402, FailureKind.QUOTA_EXHAUSTED, CheckVerdict.DENIED),
        (403, FailureKind.MISCONFIGURED, CheckVerdict.DENIED),
        (404, FailureKind.MISCONFIGURED, CheckVerdict.GONE),
        (418, FailureKind.INTERNAL, CheckVerdict.UNKNOWN),
        (429, FailureKind.RATE_LIMITED, CheckVerdict.THROTTLED),
    ],
)
@pytest.mark.parametrize("code", [None, 99999])
def test_an_unknown_code_is_judged_by_its_status_and_was_not_sent(
    status: int, kind: FailureKind, verdict: CheckVerdict, code: int | None
) -> None:
    row = row_for(status, code)
    assert (row.kind, row.verdict, row.effect) == (kind, verdict, SendEffect.NOT_SENT)


def refused(request: WireRequest) -> WireAnswer:
    """The error that the number asks for, as Twilio has told errors until now."""
    to = request.form["To"]
    return WireAnswer.of_json(400, {"code": int(to[-5:]), "message": f"Invalid parameter `To`: {to}", "status": 400})


def problem(request: WireRequest) -> WireAnswer:
    """The same after RFC 9457; the status that counts is that of the response."""
    to = request.form["To"]
    body = {"type": "https://example.com/e", "title": f"No {to}", "status": 500, "code": int(to[-5:]), "detail": to}
    return WireAnswer.of_json(400, body)


@pytest.mark.parametrize("shape", [refused, problem])
def test_in_either_shape_and_colour_the_code_alone_decides(
    shape: Callable[[WireRequest], WireAnswer],
    settings_for: Callable[..., TwilioSettings],
    a_send: Callable[..., SendRequest],
    ask: Ask,
) -> None:
    numbers = [f"+155500{code}" for code in ERRORS]
    with MisbehavingServer(shape) as server:
        asked = [CheckRequest(None, to, "123456", 5.0) for to in numbers]
        answers = ask(settings_for(server.origin), *[a_send(to) for to in numbers], *asked)
    for (code, row), sent, checked in zip(ERRORS.items(), answers, answers[len(numbers) :], strict=False):
        assert (sent.kind, sent.effect, sent.scope, sent.detail) == (row.kind, row.effect, row.scope, row.text), code
        assert checked.verdict is row.verdict, code
        assert (sent.provider_code, checked.provider_code) == (str(code), str(code))
        assert f"+155500{code}" not in repr((sent, checked))
    names = {type(answer.native).__name__ for answer in answers}
    assert names == {"TwilioRestException" if shape is refused else "TwilioServiceException"}


@pytest.mark.parametrize("row", [*ERRORS.values(), row_for(418, None)], ids=lambda row: row.text)
def test_a_message_to_an_operator_is_a_sentence_without_a_number(row: Row) -> None:
    assert row.text == row.text.strip()
    assert len(row.text.split()) > 3
    assert not re.search(r"\d", row.text)
    assert "|" not in row.text


def test_the_documented_table_is_the_table() -> None:
    rows = re.findall(r"^\| (\d{5}) \| (\w+) \| (\w+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    shown = {int(code): (kind, verdict, text) for code, kind, verdict, text in rows}
    assert shown == {code: (row.kind.name, row.verdict.name, row.text) for code, row in sorted(ERRORS.items())}


@pytest.mark.shared
def test_every_code_of_the_specifications_error_map_is_in_the_table() -> None:
    if not SPECIFICATION.exists():
        pytest.skip("the specification is not beside this repository")
    section = SPECIFICATION.read_text().partition("### Error map")[2].partition("[SIG]")[0]
    firsts = [line.split("|")[1] for line in section.splitlines() if re.match(r"\| \d{5}", line)]
    codes: set[int] = set()
    for cell in firsts:
        for first, last in re.findall(r"(\d{5})(?:\.\.(\d{5}))?", cell):
            codes |= set(range(int(first), int(last or first) + 1))
    assert len(codes) > 40
    assert codes <= set(ERRORS)
