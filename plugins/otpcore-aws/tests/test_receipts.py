"""Events of End User Messaging through SNS: read once their signature fits, refused otherwise, echoed never."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import botocore.session  # type: ignore[import-untyped]  # carries no types
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otpcore.errors import ConfigurationError, ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest, Money
from otpcore_aws import AwsProvider
from otpcore_aws.receipts import STATES, events_of
from otpcore_aws.signature import LARGEST, Notification, Signatures
from tests.aws_vendor import HANDLE, PHONE, TOPIC, Signer, event, text_settings

MODELS: Any = botocore.session.Session()
Reader = Callable[[InboundRequest], Any]


@pytest.fixture
def read(signer: Signer) -> Reader:
    made = AwsProvider(text_settings(receipt_topic=TOPIC, receipt_certificates=(str(signer.path),)))
    return made.parse_receipt


def refused(read: Reader, request: InboundRequest) -> str:
    with pytest.raises(ReceiptRefused) as caught:
        read(request)
    told = str(caught.value)
    assert PHONE.lstrip("+") not in told
    return told


def test_an_event_is_read_whole(read: Reader, signer: Signer) -> None:
    (found,) = read(signer.request(event()))
    assert found == DeliveryEvent(
        f"{HANDLE}.TEXT_DELIVERED",
        HANDLE,
        PHONE,
        DeliveryState.DELIVERED,
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1790000000470),
        "DELIVERED",
        Money(Decimal("0.00881"), "USD"),
    )


def test_every_type_of_text_event_that_the_sdk_knows_has_a_state() -> None:
    known = MODELS.get_service_model("pinpoint-sms-voice-v2").shape_for("EventType").enum
    assert {kind for kind in known if kind.startswith("TEXT_")} - {"TEXT_ALL"} == set(STATES)


@pytest.mark.parametrize("kind", [*STATES])
def test_a_type_of_event_is_a_state(kind: str) -> None:
    (found,) = events_of(Notification(event(kind)))
    assert (found.state, found.id) == (STATES[kind], f"{HANDLE}.{kind}")


@pytest.mark.parametrize("kind", ["VOICE_COMPLETED", "MEDIA_DELIVERED", "RCS_READ", "REGISTRATION_STATUS"])
def test_what_is_about_something_else_is_no_event(kind: str) -> None:
    assert events_of(Notification(event(kind))) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"destinationPhoneNumber": "12025550123"}, {"recipient": PHONE}),
        ({"destinationPhoneNumber": None}, {"recipient": None}),
        ({"eventTimestamp": "soon"}, {"at": None}),
        ({"eventTimestamp": 10**30}, {"at": None}),
        ({"messageStatus": "no\nstatus"}, {"provider_code": None}),
        ({"totalMessagePrice": -1}, {"cost": None}),
        ({"totalMessagePrice": 10**9}, {"cost": None}),
        ({"totalCarrierFee": None}, {"cost": Money(Decimal("0.00581"), "USD")}),
    ],
)
def test_what_cannot_be_read_of_an_event_is_left_out(changes: dict[str, object], expected: dict[str, object]) -> None:
    (found,) = events_of(Notification(event(changes=changes)))
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", "{}", event(changes={"messageId": "no id\n"}), '{"eventType": NaN}', "[" * 10**5]
)
def test_a_signed_message_that_is_no_event_is_refused(text: str, read: Reader, signer: Signer) -> None:
    refused(read, signer.request(text))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"TopicArn": TOPIC.replace("123456789012", "999999999999")}, "another topic"),
        ({"SignatureVersion": "1"}, "SignatureVersion is not 2"),
        ({"Timestamp": "2020-01-01T00:00:00.000Z"}, "fits none"),
        ({"Timestamp": "never"}, "fits none"),
        ({"Type": "Something"}, "no message of SNS"),
    ],
)
def test_what_is_signed_and_not_ours_is_refused(
    changes: dict[str, str], says: str, read: Reader, signer: Signer
) -> None:
    """Every account of AWS can have messages signed; a certificate has a time."""
    assert says in refused(read, signer.request(event(), changes=changes))


def test_what_somebody_else_signed_is_refused(read: Reader, tmp_path: Path) -> None:
    assert "fits none" in refused(read, Signer(tmp_path).request(event()))


def test_the_older_signature_is_refused_under_the_newer_ones_name(read: Reader, signer: Signer) -> None:
    genuine = signer.request(event())
    envelope = json.loads(genuine.body)
    names = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names).encode()
    envelope["Signature"] = base64.b64encode(signer.key.sign(text, PKCS1v15(), SHA1())).decode()
    assert "fits none" in refused(read, replace(genuine, body=json.dumps(envelope).encode()))


def test_a_body_larger_than_any_of_sns_is_refused(read: Reader, signer: Signer) -> None:
    assert "larger" in refused(read, signer.request(event(), size=LARGEST + 1))


def test_several_certificates_may_be_good_at_a_time(signer: Signer, tmp_path: Path) -> None:
    other = Signer(tmp_path)
    both = Signatures(TOPIC, (str(signer.path), str(other.path)))
    for each in (signer, other):
        assert both.judge(each.request("x")).text == "x"


def test_without_a_topic_receipts_are_refused(signer: Signer) -> None:
    assert "not set up" in refused(AwsProvider(text_settings()).parse_receipt, signer.request(event()))


def test_a_subscription_is_not_confirmed_but_told_to_the_operator(
    read: Reader, signer: Signer, caplog: pytest.LogCaptureFixture
) -> None:
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns&Token=2336"
    confirmation = {"Type": "SubscriptionConfirmation", "Token": "2336", "SubscribeURL": url}
    with caplog.at_level(logging.WARNING):
        assert read(signer.request("You have chosen to subscribe", changes=confirmation)) == ()
        assert url in caplog.text
        caplog.clear()
        elsewhere = confirmation | {"SubscribeURL": "https://sns.eu-west-1.amazonaws.com.evil.example/?Token=1"}
        assert read(signer.request("x", changes=elsewhere)) == ()
        assert "evil" not in caplog.text
        assert "nothing was done" in caplog.text


def test_a_subscription_that_is_not_signed_is_told_to_nobody(
    read: Reader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forged = Signer(tmp_path).request("x", changes={"Type": "SubscriptionConfirmation", "SubscribeURL": "https://x"})
    with caplog.at_level(logging.NOTSET):
        refused(read, forged)
    assert caplog.records == []


@pytest.mark.parametrize("content", [b"no certificate", None])
def test_a_certificate_that_cannot_be_read_is_a_configuration_error(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "sns.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="receipt_certificates") as caught:
        Signatures(TOPIC, (str(path),))
    assert str(tmp_path) not in str(caught.value)


def test_a_certificate_without_rsa_is_a_configuration_error(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elliptic:
        def public_key(self) -> object:
            return ec.generate_private_key(ec.SECP256R1()).public_key()

    def load(_pem: bytes) -> list[Elliptic]:
        return [Elliptic()]

    monkeypatch.setattr("cryptography.x509.load_pem_x509_certificates", load)
    with pytest.raises(ConfigurationError, match="no RSA key"):
        Signatures(TOPIC, (str(signer.path),))


def test_without_the_extra_receipts_are_a_configuration_error(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.x509", None)
    with pytest.raises(ConfigurationError, match=r"otpcore-aws\[receipts\]"):
        Signatures(TOPIC, (str(signer.path),))
    Signatures("", ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("eventType", "eventTimestamp", "destinationPhoneNumber", "messageId", "messageStatus", "totalMessagePrice")
ALL_CHECKS = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
QUICK = settings(max_examples=500, deadline=None, database=None, suppress_health_check=ALL_CHECKS)


@QUICK
@given(changes=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4))
def test_whatever_is_signed_is_read_or_refused_and_nothing_else_is_raised(changes: dict[str, object]) -> None:
    try:
        found = events_of(Notification(event(changes=changes)))
    except ReceiptRefused:
        return
    for one in found:
        assert one.id.isascii()
        assert one.id.isprintable()
        assert one.cost is None or one.cost.amount >= 0


@QUICK
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), kind=st.text(max_size=20))
def test_whatever_is_not_signed_is_refused(body: bytes, kind: str) -> None:
    judge = Signatures(TOPIC, ())
    with pytest.raises(ReceiptRefused):
        judge.judge(InboundRequest("POST", "/", {"x-amz-sns-message-type": kind}, body))
