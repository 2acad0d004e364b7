"""What AWS is asked for: held against the SDK's model by its Stubber, and fuzzed down to the bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]  # carries no types
from botocore.stub import ANY, Stubber  # type: ignore[import-untyped]  # carries no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otpcore.conformance.provider import WireRequest
from otpcore.ports import Accepted, Failure, FailureKind, MessageText, Outcome, SendEffect, SendRequest
from otpcore_aws import AwsProvider, AwsSettings, SnsProvider
from otpcore_aws.parameters import publish_parameters, text_parameters
from tests.aws_vendor import CODE, HANDLE, PHONE, TEXT, a_send, sns_answer, sns_settings, text_settings

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
INDIAN = "+919876543210"
STUBBER: Any = Stubber
RESPONSE: Any = AWSResponse
DLT = MessageText(TEXT, 1, "plain", "en", dlt={"entity_id": "1101", "template_id": "2202"})


def asked_for(request: SendRequest, **changes: Any) -> dict[str, Any]:
    """The parameters of `SendTextMessage`, accepted by the model."""
    provider = AwsProvider(text_settings(**changes))
    expected = text_parameters(request, AwsSettings(**changes), NOW)
    assert isinstance(expected, dict)
    with STUBBER(provider.native_client) as stub:
        stub.add_response("send_text_message", {"MessageId": HANDLE}, expected | {"TimeToLive": ANY})
        assert provider.send(request) == Accepted(HANDLE)
    return expected


def published(request: SendRequest, **changes: Any) -> dict[str, Any]:
    """The parameters of `Publish`, accepted by the model."""
    provider = SnsProvider(sns_settings(**changes))
    expected = publish_parameters(request, sns_settings(**changes))
    assert isinstance(expected, dict)
    with STUBBER(provider.native_client) as stub:
        stub.add_response("publish", {"MessageId": HANDLE}, expected)
        assert provider.send(request) == Accepted(HANDLE)
    return expected


def test_a_plain_send_says_whom_what_and_until_when() -> None:
    request = a_send(expires_at=NOW + timedelta(seconds=300.9))
    assert asked_for(request) == {
        "DestinationPhoneNumber": PHONE,
        "MessageBody": TEXT,
        "MessageType": "TRANSACTIONAL",
        "TimeToLive": 300,
        "Context": {"send_id": request.send_id},
    }
    assert published(request) == {
        "PhoneNumber": PHONE,
        "Message": TEXT,
        "MessageAttributes": {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}},
    }


def test_the_settings_say_who_sends_and_what_it_may_cost() -> None:
    given_here: dict[str, Any] = {
        "origination_identity": "pool-1",
        "origination_by_country": "CM=ACME,US=+12025550100",
        "configuration_set": "codes",
        "protect_configuration": "protect-1",
        "max_price": "0.25",
        "message_feedback": True,
    }
    found = asked_for(a_send(region="CM"), **given_here)
    assert (found["OriginationIdentity"], found["ConfigurationSetName"]) == ("ACME", "codes")
    assert (found["ProtectConfigurationId"], found["MaxPrice"]) == ("protect-1", "0.25")
    assert found["MessageFeedbackEnabled"] is True
    assert asked_for(a_send(region="FR"), **given_here)["OriginationIdentity"] == "pool-1"


def test_the_settings_of_sns_are_attributes() -> None:
    given_here = {"sender_id": "Acme", "sender_id_by_country": "CM=ACME", "max_price": "0.25"}
    found = published(a_send(region="CM"), origination_number="+12025550100", **given_here)["MessageAttributes"]
    assert {name: (value["DataType"], value["StringValue"]) for name, value in found.items()} == {
        "AWS.SNS.SMS.SMSType": ("String", "Transactional"),
        "AWS.SNS.SMS.SenderID": ("String", "ACME"),
        "AWS.SNS.SMS.MaxPrice": ("Number", "0.25"),
        "AWS.MM.SMS.OriginationNumber": ("String", "+12025550100"),
    }


def test_the_ids_of_a_regulator_go_to_its_country_only() -> None:
    found = asked_for(a_send(INDIAN, message=DLT))
    assert found["DestinationCountryParameters"] == {"IN_ENTITY_ID": "1101", "IN_TEMPLATE_ID": "2202"}
    attributes = published(a_send(INDIAN, message=DLT))["MessageAttributes"]
    assert attributes["AWS.MM.SMS.EntityId"]["StringValue"] == "1101"
    assert attributes["AWS.MM.SMS.TemplateId"]["StringValue"] == "2202"
    assert "DestinationCountryParameters" not in asked_for(a_send(message=DLT))
    assert len(published(a_send(message=DLT))["MessageAttributes"]) == 1


@pytest.mark.parametrize(("life_s", "ttl"), [(-60, 5), (0, 5), (4.9, 5), (299.9, 299), (10**6, 259_200)])
def test_a_message_lives_no_longer_than_its_code_within_what_aws_takes(life_s: float, ttl: int) -> None:
    found = text_parameters(a_send(expires_at=NOW + timedelta(seconds=life_s)), text_settings(), NOW)
    assert isinstance(found, dict)
    assert found["TimeToLive"] == ttl


def test_without_words_there_are_plain_ones_and_without_a_code_none() -> None:
    assert asked_for(a_send(message=None))["MessageBody"] == f"{CODE} is your code."
    outcome = AwsProvider(text_settings()).send(a_send(message=None, code=None))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)


def test_a_parameter_of_the_call_wins_over_the_settings() -> None:
    assert asked_for(a_send(extra={"MaxPrice": "0.05"}), max_price="0.25")["MaxPrice"] == "0.05"
    name = "AWS.SNS.SMS.SenderID"
    found = published(a_send(extra={name: "Other"}), sender_id="Acme")["MessageAttributes"]
    assert found[name]["StringValue"] == "Other"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"channel": "call"}, FailureKind.CONTENT_REJECTED),
        ({"recipient": "+1 202 555 0123"}, FailureKind.INVALID_RECIPIENT),
        ({"recipient": "someone@example.com"}, FailureKind.INVALID_RECIPIENT),
        ({"extra": {"DryRun": "true"}}, FailureKind.CONTENT_REJECTED),
        ({"extra": {"MaxPrice": "cheap"}}, FailureKind.CONTENT_REJECTED),
        ({"message": MessageText("x" * 1601, 11, "long", "en")}, FailureKind.CONTENT_REJECTED),
        ({"message": MessageText(" \n ", 1, "blank", "en")}, FailureKind.CONTENT_REJECTED),
        ({"message": MessageText("\ud800 is no text", 1, "half", "en")}, FailureKind.CONTENT_REJECTED),
    ],
)
def test_what_does_not_fit_is_refused_before_the_wire(changes: dict[str, Any], kind: FailureKind) -> None:
    for provider in (AwsProvider(text_settings("http://127.0.0.1:9")), SnsProvider(sns_settings("http://127.0.0.1:9"))):
        outcome = provider.send(a_send(**changes))
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (kind, SendEffect.NOT_SENT)
        assert "cheap" not in outcome.detail


@pytest.mark.parametrize(("outcome", "word"), [(Outcome.APPROVED, "RECEIVED"), (Outcome.CANCELED, "FAILED")])
def test_an_outcome_is_told_in_aws_word_and_believed_by_its_answer_only(outcome: Outcome, word: str) -> None:
    provider = AwsProvider(text_settings(message_feedback=True))
    said = {"MessageId": HANDLE, "MessageFeedbackStatus": word}
    other = {"MessageId": HANDLE, "MessageFeedbackStatus": "FAILED" if word == "RECEIVED" else "RECEIVED"}
    for answer, taken in ((said, True), (other, False), (said | {"MessageId": "another"}, False)):
        with STUBBER(provider.native_client) as stub:
            stub.add_response("put_message_feedback", answer, said)
            assert provider.report_outcome(HANDLE, outcome, 5.0) is taken
    with STUBBER(provider.native_client) as stub:
        stub.add_client_error("put_message_feedback", "ResourceNotFoundException", "", 400)
        assert provider.report_outcome(HANDLE, outcome, 5.0) is False


@pytest.mark.parametrize(
    ("on", "handle", "timeout_s"), [(False, HANDLE, 5.0), (True, "no id\n", 5.0), (True, HANDLE, 0)]
)
def test_an_outcome_is_not_told_where_it_cannot_be(on: bool, handle: str, timeout_s: float) -> None:
    provider = AwsProvider(text_settings("http://127.0.0.1:9", message_feedback=on))
    assert provider.report_outcome(handle, Outcome.APPROVED, timeout_s) is False
    assert getattr(provider, "_client", 0) is None


# --- down to the bytes -----------------------------------------------------------------------


class Caught:
    """In place of a session: keeps the last request, and answers well."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.body = b""

    def send(self, request: Any) -> Any:
        self.body = request.body if isinstance(request.body, bytes) else request.body.encode()
        return RESPONSE(request.url, 200, {}, self)

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.answer

    def close(self) -> None:
        """Nothing is open."""


ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["&PhoneNumber=%2B1", '","MessageBody":"x', "\r\nX-Injected: 1", "\x00", "a\nb", "{code}", "\u202e", "\U0001f600"]
)
FUZZED = {
    "text": ANYTHING,
    "send_id": ANYTHING,
    "entity": ANYTHING | st.just("1101"),
    "template": ANYTHING | st.just("2202"),
    "value": st.just("") | st.just("Acme") | ANYTHING,
}
ALL_CHECKS = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
CASES = 2_000
"""Of five values each: ten thousand for each provider."""
MANY = settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=ALL_CHECKS)


def fuzzed(values: dict[str, str], name: str) -> SendRequest:
    ids = {"entity_id": values["entity"], "template_id": values["template"]}
    extra = {name: values["value"]} if values["value"] else {}
    words = MessageText(values["text"], 1, "t", "en", dlt=ids)
    return a_send(INDIAN, message=words, send_id=values["send_id"], extra=extra)


def is_sent(provider: AwsProvider | SnsProvider, caught: Caught, request: SendRequest) -> bool:
    """Whether it was sent; what was not, certainly was not."""
    caught.body = b""
    outcome = provider.send(request)
    if isinstance(outcome, Accepted):
        return True
    assert outcome.effect is SendEffect.NOT_SENT
    assert caught.body == b""
    return False


def require_text(body: bytes, values: dict[str, str]) -> None:
    """What End User Messaging reads is what was meant, and nothing else."""
    read = dict(json.loads(body, object_pairs_hook=unique))
    meant = {"DestinationPhoneNumber": INDIAN, "MessageBody": values["text"], "MessageType": "TRANSACTIONAL"}
    assert {name: read.pop(name) for name in meant} == meant
    assert 290 <= read.pop("TimeToLive") <= 300
    assert read.pop("Keyword", "") == values["value"]
    assert dict(read.pop("Context", {"send_id": values["send_id"]})) == {"send_id": values["send_id"]}
    dlt = {"IN_ENTITY_ID": values["entity"], "IN_TEMPLATE_ID": values["template"]}
    assert dict(read.pop("DestinationCountryParameters", dlt)) == dlt
    assert read == {}


def require_published(body: bytes, values: dict[str, str]) -> None:
    """The same of SNS."""
    read = unique(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict"))
    assert (read.pop("PhoneNumber"), read.pop("Message")) == (INDIAN, values["text"])
    names = [name for name in read if name.endswith(".Name")]
    attributes = {read[name]: read[name.replace(".Name", ".Value.StringValue")] for name in names}
    assert attributes.pop("AWS.SNS.SMS.SMSType") == "Transactional"
    assert attributes.pop("AWS.SNS.SMS.SenderID", "") == values["value"]
    for name, value in (("AWS.MM.SMS.EntityId", "entity"), ("AWS.MM.SMS.TemplateId", "template")):
        assert attributes.pop(name, values[value]) == values[value]
    assert attributes == {}
    assert {name for name in read if not name.startswith("MessageAttributes.")} == {"Action", "Version"}


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs, no name twice."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def test_what_end_user_messaging_reads_is_what_was_meant() -> None:
    """P6."""
    provider = AwsProvider(text_settings())
    caught = caught_client(provider, json.dumps({"MessageId": HANDLE}).encode())
    sent: list[bool] = []

    @MANY
    @given(values=st.fixed_dictionaries(FUZZED))
    def reads(values: dict[str, str]) -> None:
        sent.append(is_sent(provider, caught, fuzzed(values, "Keyword")))
        if sent[-1]:
            require_text(caught.body, values)

    reads()
    assert sum(sent) > len(sent) / 4, "most were refused, so little was tried"


def test_what_sns_reads_is_what_was_meant() -> None:
    """P6."""
    provider = SnsProvider(sns_settings())
    caught = caught_client(provider, sns_answer(WireRequest("POST", "/", {}, b"")).body)
    sent: list[bool] = []

    @MANY
    @given(values=st.fixed_dictionaries(FUZZED))
    def reads(values: dict[str, str]) -> None:
        sent.append(is_sent(provider, caught, fuzzed(values, "AWS.SNS.SMS.SenderID")))
        if sent[-1]:
            require_published(caught.body, values)

    reads()
    assert sum(sent) > len(sent) / 4, "most were refused, so little was tried"


@pytest.mark.parametrize("text", ['","MessageBody":"x', "&Message=x", "a\nb"])
def test_a_request_that_is_concatenated_is_noticed(text: str) -> None:
    values = {"text": text, "send_id": "s", "entity": "1", "template": "2", "value": ""}
    head = f'"DestinationPhoneNumber":"{INDIAN}","MessageType":"TRANSACTIONAL","TimeToLive":300'
    body = f'{{{head},"MessageBody":"{text}"}}'
    form = f"Action=Publish&Version=1&PhoneNumber=%2B{INDIAN[1:]}&Message={text}"
    form += "&MessageAttributes.entry.1.Name=AWS.SNS.SMS.SMSType"
    form += "&MessageAttributes.entry.1.Value.StringValue=Transactional"
    red: list[str] = []
    for require, sent in ((require_text, body), (require_published, form)):
        try:
            require(sent.encode(), values)
        except (AssertionError, ValueError):
            red.append(sent)
    assert red
    require_published(form.replace(f"Message={text}", f"Message={quote(text)}").encode(), values)


def caught_client(provider: AwsProvider | SnsProvider, answer: bytes) -> Caught:
    catcher = Caught(answer)
    provider.native_client._endpoint.http_session = catcher
    return catcher
