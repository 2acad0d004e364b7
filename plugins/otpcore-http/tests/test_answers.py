"""What each vendor's own words mean, over the wire; a success is the vendor's word and never the status alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.errors import ConfigurationError
from otpcore.ports import Accepted, Failure, FailureKind, FailureScope, MessageText, Money, SendEffect, SendRequest
from otpcore.providers.http import HttpProvider, HttpResponse, awaited, blocking
from otpcore_http import (
    AfricasTalkingSettings,
    AndroidGatewaySettings,
    ElksSettings,
    KannelSettings,
    build,
    mapped,
    preset,
    read_gateway,
)
from otpcore_http.fakes import AfricasTalking, AndroidGateway, Elks, Kannel, serve

U, P = SecretStr("otp"), SecretStr("secret")
TO = "+237671234567"
TEXT = "918273 is your code. It ends in 5 minutes.\n\n@example.com #918273"
NOT_SENT, UNKNOWN = SendEffect.NOT_SENT, SendEffect.UNKNOWN


def a_send(number: int = 1, to: str = TO, text: str = TEXT) -> SendRequest:
    ends = datetime.now(UTC) + timedelta(seconds=301)
    words = MessageText(text, 1, "kit", "en")
    send_id = f"0198b5a4-4c3e-7000-8000-{number:012}"
    return SendRequest(send_id, to, "sms", "login", "918273", None, ends, 20.0, message=words)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def african(stack: ExitStack, **changes: Any) -> tuple[AfricasTalking, HttpProvider]:
    fake = AfricasTalking("otp", "secret", frozenset({"Example"}))
    url = stack.enter_context(serve(fake)) + "/version1/messaging"
    provider = build(AfricasTalkingSettings.model_validate({"username": U, "api_key": P, "url": url} | changes))
    stack.callback(provider.close)
    return fake, provider


REFUSED = [
    (401, FailureKind.FRAUD_SUSPECTED, NOT_SENT),
    (402, FailureKind.MISCONFIGURED, NOT_SENT),
    (403, FailureKind.INVALID_RECIPIENT, NOT_SENT),
    (404, FailureKind.CHANNEL_UNREACHABLE, NOT_SENT),
    (405, FailureKind.QUOTA_EXHAUSTED, NOT_SENT),
    (406, FailureKind.OPTED_OUT, NOT_SENT),
    (407, FailureKind.DESTINATION_BLOCKED, NOT_SENT),
    (409, FailureKind.DESTINATION_BLOCKED, NOT_SENT),
    (500, FailureKind.INTERNAL, UNKNOWN),
    (501, FailureKind.INTERNAL, UNKNOWN),
    (502, FailureKind.TRANSIENT, NOT_SENT),
]


def hold_africastalking(fake: AfricasTalking, provider: Any) -> None:
    """Every statusCode that is documented, inside a 201."""
    for code in (100, 101, 102):
        fake.refuse[TO] = code
        taken = provider.send(a_send())
        assert isinstance(taken, Accepted), taken
        assert taken.handle == fake.messages[-1].id
        assert taken.cost == Money(Decimal("0.8000"), "KES")
    count = len(fake.messages)
    for code, kind, effect in REFUSED:
        fake.refuse[TO] = code
        outcome = provider.send(a_send())
        assert isinstance(outcome, Failure), (code, outcome)
        assert (outcome.kind, outcome.effect, outcome.provider_code) == (kind, effect, str(code))
    assert len(fake.messages) == count


def test_africas_talking_says_what_became_of_a_message_inside_its_201(stack: ExitStack) -> None:
    hold_africastalking(*african(stack))


def test_a_mapper_that_goes_by_the_status_alone_is_seen(stack: ExitStack) -> None:
    fake = AfricasTalking("otp", "secret")
    url = stack.enter_context(serve(fake)) + "/version1/messaging"
    changes = {"url": url, "success": [{"statuses": [200, 201]}]}
    naive = blocking(mapped(preset("africastalking", changes), {"username": "otp", "api_key": "secret"}))
    stack.callback(naive.close)
    with pytest.raises(AssertionError, match="401"):
        hold_africastalking(fake, naive)


def test_africas_talking_knows_its_senders_and_its_users(stack: ExitStack) -> None:
    fake, provider = african(stack, sender="Example")
    assert isinstance(provider.send(a_send()), Accepted)
    assert fake.messages[-1].sender == "Example"
    for changes in ({"sender": "Nobody"}, {"api_key": SecretStr("wrong")}):
        _, other = african(stack, **changes)
        outcome = other.send(a_send())
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, NOT_SENT)


def test_the_sandbox_is_another_host() -> None:
    settings = AfricasTalkingSettings(username=U, api_key=P, sandbox=True)
    assert settings.api().gateway.url.startswith("https://api.sandbox.africastalking.com/")


def hold_android(fake: AndroidGateway, provider: Any) -> None:
    """The same message twice is one message, taken once and twice accepted."""
    first, again = provider.send(a_send(1)), provider.send(a_send(1))
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted), "409 means that it was taken before"
    assert first.handle == again.handle == a_send(1).send_id
    assert [(each.id, each.to, each.text) for each in fake.messages] == [(first.handle, TO, TEXT)]
    assert fake.messages[0].ttl_s in range(290, 302)


def test_the_android_gateway_takes_our_id_once(stack: ExitStack) -> None:
    fake = AndroidGateway("otp", "secret")
    url = stack.enter_context(serve(fake)) + "/3rdparty/v1/messages"
    provider = build(AndroidGatewaySettings(username=U, password=P, url=url))
    stack.callback(provider.close)
    hold_android(fake, provider)
    for status, kind in ((404, FailureKind.MISCONFIGURED), (429, FailureKind.RATE_LIMITED)):
        fake.refuse["+12025550199"] = status
        outcome = provider.send(a_send(2, "+12025550199"))
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (kind, NOT_SENT)


def test_a_409_that_counts_as_a_failure_is_seen(stack: ExitStack) -> None:
    fake = AndroidGateway("otp", "secret")
    url = stack.enter_context(serve(fake)) + "/3rdparty/v1/messages"
    success = [{"statuses": [202], "path": "state", "values": ["Pending"]}]
    gateway = preset("android-gateway", {"url": url, "success": success})
    naive = blocking(mapped(gateway, {"username": "otp", "password": "secret"}))
    stack.callback(naive.close)
    with pytest.raises(AssertionError, match="409"):
        hold_android(fake, naive)


def test_kannel_answers_with_a_line(stack: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    fake = Kannel("otp", "secret")
    url = stack.enter_context(serve(fake)) + "/cgi-bin/sendsms"
    provider = build(KannelSettings(username=U, password=P, url=url, sender="Example"))
    stack.callback(provider.close)
    with caplog.at_level(0):
        told: list[Any] = [provider.send(a_send())]
        for refusal in Kannel.REFUSALS:
            fake.refuse[TO] = refusal
            told.append(provider.send(a_send()))
        told.append(provider.send(a_send(to="+12")))
    assert [type(each) for each in told] == [Accepted, Accepted, Failure, Failure, Accepted]
    assert told[0].handle == a_send().send_id
    assert (told[2].kind, told[2].effect) == (FailureKind.DESTINATION_BLOCKED, NOT_SENT)
    assert (told[3].kind, told[3].effect) == (FailureKind.TRANSIENT, UNKNOWN)
    assert [(each.text, each.sender, each.ttl_s, each.report_to) for each in fake.messages[:1]] == [
        (TEXT, "Example", 300, "")
    ]
    assert "918273" not in caplog.text, "the code is in the query, and no query in a log"
    wrong = build(KannelSettings(username=U, password=SecretStr("no"), url=url))
    stack.callback(wrong.close)
    outcome = wrong.send(a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, NOT_SENT)


@pytest.mark.parametrize(("text", "coding"), [(TEXT, "0"), ("Ваш код 918273", "2"), ("ça ü €", "2"), ("à ü €", "0")])
def test_kannel_is_told_the_alphabet_of_a_message(text: str, coding: str) -> None:
    asked: Any = KannelSettings(username=U, password=P).api().request(a_send(text=text))
    assert (asked.params["coding"], asked.params["charset"]) == (coding, "UTF-8")


def test_46elks_tells_cost_and_parts(stack: ExitStack) -> None:
    fake = Elks("otp", "secret")
    url = stack.enter_context(serve(fake)) + "/a1/sms"
    provider = build(ElksSettings(username=U, password=P, sender="Example", url=url, currency="EUR"))
    stack.callback(provider.close)
    taken = provider.send(a_send(text="x" * 160))
    assert isinstance(taken, Accepted)
    assert (taken.cost, taken.segments) == (Money(Decimal("0.7"), "EUR"), 2)
    for refusal, kind in (
        ((403, "Not enough credits"), FailureKind.QUOTA_EXHAUSTED),
        ((400, "Invalid to number"), FailureKind.CONTENT_REJECTED),
        ((429, "Too many"), FailureKind.RATE_LIMITED),
        ("failed", FailureKind.TRANSIENT),
    ):
        fake.refuse[TO] = refusal
        outcome = provider.send(a_send())
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (kind, NOT_SENT)


def test_both_colours_say_the_same(stack: ExitStack) -> None:
    fake = Elks("otp", "secret")
    url = stack.enter_context(serve(fake)) + "/a1/sms"
    api = ElksSettings(username=U, password=P, sender="Example", url=url).api()

    async def ask() -> Any:
        provider = awaited(api)
        try:
            return await provider.send(a_send())
        finally:
            await provider.close()

    provider = blocking(api)
    stack.callback(provider.close)
    assert asyncio.run(ask()) == provider.send(a_send())
    assert [each.text for each in fake.messages] == [TEXT] * 2


def judged(body: bytes, status: int = 200, **changes: Any) -> Accepted | Failure:
    """What a small gateway's answer means."""
    gateway = read_gateway(
        {
            "name": "Pigeon",
            "url": "https://api.pigeon.example/send",
            "form": {"to": "{recipient}", "text": "{text}"},
            "success": [{"statuses": [200], "path": "ok", "values": [True]}],
            "id": {"path": "ids.0"},
            "codes": ["error.code"],
            "retry_after": "error.wait",
            "errors": [
                {"status": 200, "code": 7, "kind": "rate_limited", "scope": "recipient"},
                {"code": 7, "kind": "opted_out"},
                {"status": 503, "kind": "transient", "effect": "not_sent"},
            ],
        }
        | changes
    )
    return mapped(gateway).parse(a_send(), HttpResponse(status, {}, body))


def test_the_first_rule_that_holds_says_what_a_refusal_means() -> None:
    assert judged(b'{"ok": true, "ids": ["m1"]}') == Accepted("m1")
    limited = judged(b'{"ok": false, "error": {"code": 7, "wait": 30}}')
    assert isinstance(limited, Failure)
    assert (limited.kind, limited.scope, limited.effect) == (
        FailureKind.RATE_LIMITED,
        FailureScope.RECIPIENT,
        NOT_SENT,
    )
    assert limited.retry_after == timedelta(seconds=30)
    for body, status, kind, effect in (
        (b'{"error": {"code": "7"}}', 400, FailureKind.OPTED_OUT, NOT_SENT),
        (b"<html>", 503, FailureKind.TRANSIENT, NOT_SENT),
        (b"<html>", 500, FailureKind.INTERNAL, UNKNOWN),
        (b'{"ok": "True"}', 200, FailureKind.INTERNAL, UNKNOWN),
        (b'{"ok": 1}', 200, FailureKind.INTERNAL, UNKNOWN),
        (b"[" * 5000, 200, FailureKind.INTERNAL, UNKNOWN),
    ):
        found = judged(body, status)
        assert isinstance(found, Failure)
        assert (found.kind, found.effect) == (kind, effect), (body[:9], status)


@pytest.mark.parametrize("kind", ["timeout", "internal"])
def test_a_rule_that_says_nobody_knows_gives_no_step_back(kind: str) -> None:
    """A 4xx of that kind too, unless the rule says that it is certain."""
    african = preset("africastalking", {"errors": [{"status": 408, "kind": kind}, {"code": 500, "kind": kind}]})
    sure = preset("africastalking", {"errors": [{"status": 408, "kind": kind, "effect": "not_sent"}]})
    secrets = {"username": "otp", "api_key": "secret"}
    inside = b'{"SMSMessageData": {"Recipients": [{"statusCode": 500}]}}'
    told = [
        mapped(gateway, secrets).parse(a_send(), HttpResponse(status, {}, body))
        for gateway, status, body in ((african, 408, b""), (african, 400, inside), (sure, 408, b""))
    ]
    assert [each.effect for each in told if isinstance(each, Failure)] == [UNKNOWN, UNKNOWN, NOT_SENT]


@pytest.mark.parametrize("token", ["a/b" * 10, "a b" * 10, "a?b" * 10, "a%b" * 10, "a#b" * 10])
def test_a_token_that_cannot_be_the_end_of_a_url_is_refused_at_once(token: str) -> None:
    """It would fit no receipt ever."""
    with pytest.raises(ConfigurationError, match="receipt_token"):
        build(AfricasTalkingSettings(username=U, api_key=P, receipt_token=SecretStr(token)))


def test_the_sandbox_is_no_provider_for_production() -> None:
    """Its messages reach a simulator, and nobody's telephone."""
    sandbox = AfricasTalkingSettings(username=U, api_key=P, sandbox=True)
    assert build(sandbox).capabilities.simulated
    assert not build(AfricasTalkingSettings(username=U, api_key=P)).capabilities.simulated


@pytest.mark.parametrize("ids", ["[]", "[null]", '[""]', '["a b"]', '["é"]', f'["{"x" * 101}"]', "{}", "[[1]]"])
def test_a_yes_without_the_id_that_it_promises_is_nobodys(ids: str) -> None:
    found = judged(f'{{"ok": true, "ids": {ids}}}'.encode())
    assert isinstance(found, Failure)
    assert found.effect is UNKNOWN


def test_a_price_that_cannot_be_read_is_none() -> None:
    for written, price in (
        ('"KES 0.80"', Money(Decimal("0.80"), "KES")),
        ('"0.80"', None),
        ('"KES -1"', None),
        ('"kes 1"', None),
        ("[]", None),
        ('"KES 1e9"', None),
    ):
        body = f'{{"ok": true, "ids": ["m1"], "price": {written}}}'.encode()
        found = judged(body, cost={"path": "price"})
        assert isinstance(found, Accepted)
        assert found.cost == price, written


def test_without_words_of_the_core_a_plain_sentence_is_sent() -> None:
    asked: Any = KannelSettings(username=U, password=P).api().request(replace(a_send(), message=None))
    assert asked.params["text"] == "Your code is 918273."
