"""What goes to Vonage and what its answers mean: the table of refusals, the languages, the one word that approves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from otpcore.ports import (
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    FailureScope,
    SendEffect,
    SendRequest,
)
from otpcore_vonage import VonageProvider, VonageSettings, translate
from otpcore_vonage.attempt import Attempt
from otpcore_vonage.error_table import CHECKS, PROBLEMS, SENDS
from otpcore_vonage.models import verify_request
from otpcore_vonage.translate import EXTRA, locale_of, new_request

HANDLE = "c11236f4-00bf-4b89-84ba-88b25df97315"
ASKED = CheckRequest(HANDLE, None, "918273", 5.0)
MakeSettings = Callable[..., VonageSettings]
MakeSend = Callable[..., SendRequest]
ERROR = RuntimeError("an SDK's")


def answered(status: int, document: object, retry_after: str | None = None) -> Attempt:
    attempt = Attempt.lasting(60)
    attempt.maybe_sent = True
    attempt.answered(status, retry_after)
    attempt.read(document if isinstance(document, bytes) else json.dumps(document).encode())
    return attempt


# --- sends ---


def test_what_the_sdks_model_does_not_take_is_no_missing_connection() -> None:
    with pytest.raises(ValidationError) as refused:
        verify_request({"brand": "A" * 99, "workflow": [{"channel": "sms", "to": "12025550123"}]})
    outcome = translate.send_failure(refused.value, Attempt.lasting(60))
    assert (outcome.kind, outcome.effect) == (FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)


def test_a_start_names_the_steps_from_its_channel_on(settings_for: MakeSettings, a_send: MakeSend) -> None:
    settings = settings_for("https://api.nexmo.com", channels="sms,voice,email", email_from="otp@example.com")
    fields = new_request(a_send(), settings)
    assert isinstance(fields, dict)
    assert fields == {
        "brand": "ACME",
        "workflow": [{"channel": "sms", "to": "12025550123"}, {"channel": "voice", "to": "12025550123"}],
        "channel_timeout": 180,
        "code_length": 6,
    }
    call, mail = (
        new_request(a_send(channel="call"), settings),
        new_request(a_send("a@example.com", channel="email"), settings),
    )
    assert isinstance(call, dict)
    assert isinstance(mail, dict)
    assert call["workflow"] == [{"channel": "voice", "to": "12025550123"}]
    assert mail["workflow"] == [{"channel": "email", "to": "a@example.com", "from_": "otp@example.com"}]


def test_what_a_call_gives_goes_before_the_settings(settings_for: MakeSettings, a_send: MakeSend) -> None:
    settings = settings_for("https://api.nexmo.com", entity_id="1", content_id="2", sms_from="ACME", locale="fr-fr")
    extra = {"brand": "Other", "client_ref": "mine", "app_hash": "A" * 11, "entity_id": "3", "content_id": "4"}
    fields = new_request(a_send(extra=extra), settings)
    assert isinstance(fields, dict)
    assert set(extra) == set(EXTRA)
    assert (fields["brand"], fields["client_ref"], fields["locale"]) == ("Other", "mine", "fr-fr")
    assert fields["workflow"][0] | {"channel": "", "to": ""} == {
        "channel": "", "to": "", "from_": "ACME", "app_hash": "A" * 11, "entity_id": "3", "content_id": "4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("en-GB", "en-gb"),
        ("fr-CM", "fr-fr"),
        ("pt", "pt-br"),
        ("es_MX", "es-mx"),
        ("sw", None),
        ("", None),
        (None, None),
        ("e", None),
    ],
)
def test_a_language_is_vonages_own_or_its_nearest(
    settings_for: MakeSettings, asked: str | None, known: str | None
) -> None:
    assert locale_of(asked, settings_for("https://api.nexmo.com")) == known


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"recipient": "12025550123"}, FailureKind.INVALID_RECIPIENT),
        ({"recipient": "a@example.com"}, FailureKind.INVALID_RECIPIENT),
        ({"channel": "whatsapp"}, FailureKind.CHANNEL_UNREACHABLE),
        ({"channel": "voice"}, FailureKind.CHANNEL_UNREACHABLE),
        ({"code": "918273"}, FailureKind.MISCONFIGURED),
        ({"extra": {"template_id": "x"}}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"app_hash": "short"}}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"brand": "a{b}"}}, FailureKind.CONTENT_REJECTED),
        ({"timeout_s": 0.0}, FailureKind.TIMEOUT),
    ],
)
def test_what_cannot_be_asked_for_is_refused_here(
    settings_for: MakeSettings, a_send: MakeSend, changes: dict[str, Any], kind: FailureKind
) -> None:
    refused = VonageProvider(settings_for("https://api.nexmo.com")).send(a_send(**changes))
    assert isinstance(refused, Failure)
    assert (refused.kind, refused.effect) == (kind, SendEffect.NOT_SENT)
    assert "2025550123" not in refused.detail


@pytest.mark.parametrize("status", SENDS)
def test_every_refusal_of_the_table_is_certain(status: int) -> None:
    failure = translate.send_failure(ERROR, answered(status, {"type": "x#y"}, "7"))
    assert (failure.kind, failure.effect, failure.provider_code) == (
        SENDS[status].kind,
        SendEffect.NOT_SENT,
        str(status),
    )
    assert failure.scope is (FailureScope.RECIPIENT if status == 409 else FailureScope.ACCOUNT)


def test_a_status_is_never_taken_for_a_suspicion_of_fraud() -> None:
    """Vonage's anti-fraud speaks in callbacks; whoever finds a `type` for it puts it into PROBLEMS."""
    assert FailureKind.FRAUD_SUSPECTED not in {row.kind for row in [*SENDS.values(), *PROBLEMS.values()]}
    forbidden = translate.send_failure(ERROR, answered(403, {"type": "https://example.com/errors#forbidden"}))
    assert forbidden.kind is FailureKind.MISCONFIGURED


@pytest.mark.parametrize("word", PROBLEMS)
def test_a_problems_own_word_goes_before_its_status(word: str) -> None:
    failure = translate.send_failure(ERROR, answered(403, {"type": f"https://example.com/errors#{word.upper()}"}))
    assert failure.kind is PROBLEMS[word].kind


@pytest.mark.parametrize("status", [300, 307, 500, 502, 503, 504, 200, 202])
def test_whatever_is_no_refusal_is_unknown(status: int) -> None:
    assert translate.send_failure(ERROR, answered(status, {})).effect is SendEffect.UNKNOWN
    assert translate.check_failure(ERROR, answered(status, {})).verdict is CheckVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        (["workflow[0].to"], FailureKind.INVALID_RECIPIENT),
        (["workflow"], FailureKind.INVALID_RECIPIENT),
        (["to"], FailureKind.INVALID_RECIPIENT),
        (["brand"], FailureKind.CONTENT_REJECTED),
        (["channel_timeout", "to"], FailureKind.INVALID_RECIPIENT),
        ([], FailureKind.INVALID_RECIPIENT),
    ],
)
def test_a_422_is_about_the_number_or_says_otherwise(named: list[str], kind: FailureKind) -> None:
    document = {"type": "x#invalid-params", "invalid_parameters": [{"name": name, "reason": "r"} for name in named]}
    assert translate.send_failure(ERROR, answered(422, document)).kind is kind


@pytest.mark.parametrize("listed", [None, 7, "to", [7], [{}], [{"name": 7}], {"name": "brand"}])
def test_a_422_that_lists_nonsense_harms_nobody(listed: object) -> None:
    failure = translate.send_failure(ERROR, answered(422, {"invalid_parameters": listed}))
    assert failure.effect is SendEffect.NOT_SENT


# --- checks ---


@pytest.mark.parametrize("status", CHECKS)
def test_every_refused_check_means_what_the_table_says(status: int) -> None:
    assert translate.check_failure(ERROR, answered(status, {"type": "x#y"})).verdict is CHECKS[status][0]


def test_a_wrong_code_is_one_only_in_vonages_form() -> None:
    assert translate.check_failure(ERROR, answered(400, b"<html>")).verdict is CheckVerdict.UNKNOWN


def verdict_of(status: int, body: bytes) -> CheckVerdict:
    """As the provider goes: a 2xx to the one function, all else to the other."""
    attempt = answered(status, body)
    if 200 <= status < 300 and attempt.document is not None:
        return translate.check_answer(object(), ASKED, attempt).verdict
    return translate.check_failure(ERROR, attempt).verdict


def mutated(draw: random.Random) -> tuple[int, bytes]:
    """An answer near to an approval, which it may happen to be."""
    document: dict[str, Any] = {"request_id": HANDLE, "status": "completed"}
    others: list[Any] = [
        "Completed", "completed ", " completed", "complete", "completedx", "COMPLETED", "approved", "", None, True, 1,
        ["completed"], {"completed": 1}, "comp\u200bleted", "expired", HANDLE.replace("c1", "c2"), HANDLE[:-1],
    ]  # fmt: skip
    for name in draw.sample(["request_id", "status", "extra"], draw.randint(0, 2)):
        if draw.random() < 0.3:
            document.pop(name, None)
        else:
            document[name] = draw.choice(others)
    body = json.dumps(document).encode()
    if draw.random() < 0.2:
        place = draw.randrange(len(body))
        body = body[:place] + bytes([body[place] ^ 1 << draw.randrange(8)]) + body[place + 1 :]
    if draw.random() < 0.1:
        body = draw.choice([b"[" + body + b"]", body * 2, body[: draw.randrange(len(body))], b"completed", b"true"])
    return draw.choice([200, 200, 200, 202, 204, 302, 400, 401, 404, 409, 410, 422, 429, 500, 503]), body


def is_literal(status: int, body: bytes) -> bool:
    """Whether an answer says in so many words that this verification is completed."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return False
    if not isinstance(found, dict) or not 200 <= status < 300:
        return False
    said: dict[str, Any] = found  # pyright: ignore[reportUnknownVariableType]  # JSON
    return said.get("status") == "completed" and str(said.get("request_id")).lower() == HANDLE


def test_of_ten_thousand_answers_only_the_literal_success_approves() -> None:
    draw = random.Random(20261122)
    approved = other = 0
    for _ in range(10_000):
        status, body = mutated(draw)
        is_approved = verdict_of(status, body) is CheckVerdict.APPROVED
        assert is_approved == is_literal(status, body), (status, body)
        approved += is_approved
        other += not is_approved
    assert min(approved, other) > 500, "the fuzz reaches both sides"


def test_a_double_that_reads_loosely_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red: a reader that lowers and strips approves what Vonage did not say."""

    def loose(_: object, request: CheckRequest, attempt: Attempt) -> Any:
        said = str((attempt.document or {}).get("status")).strip().lower()
        verdict = CheckVerdict.APPROVED if said == "completed" else CheckVerdict.UNKNOWN
        return CheckAnswer(verdict, request.handle)

    monkeypatch.setattr(translate, "check_answer", loose)
    with pytest.raises(AssertionError):
        test_of_ten_thousand_answers_only_the_literal_success_approves()
