"""Whatever comes to the place of receipts is read or refused, and nothing else is raised."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, InboundRequest
from otpcore_twilio.receipts import events_of
from otpcore_twilio.signature import Signatures

HOST, TOKEN = "https://otp.example.com", "t" * 32
SERVICE, SID, MESSAGE = "VA" + "1" * 32, "VE" + "a" * 32, "SM" + "c" * 32
JUDGE = Signatures(HOST, TOKEN, "")
FORM = "application/x-www-form-urlencoded"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
KINDS = (
    "com.twilio.accountsecurity.verify.verification.pending",
    "com.twilio.accountsecurity.verify.attempt-dlr.delivered",
    "com.twilio.messaging.message.sent",
)
TIMES = ("2026-11-22T12:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-22")


def nearly(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return value | JSON


ATTEMPT = st.fixed_dictionaries(
    {"attempt_sid": nearly(st.just("VL" + "b" * 32)), "time": nearly(st.sampled_from(TIMES))},
    optional={"delivery_status": nearly(st.just("SENT")), "error_code": JSON},
)
SENDS = st.fixed_dictionaries({"attempts": nearly(st.lists(nearly(ATTEMPT), max_size=3))})
DATA = st.fixed_dictionaries(
    {
        "service_sid": nearly(st.just(SERVICE)),
        "verification_sid": nearly(st.just(SID)),
        "messageSid": nearly(st.just(MESSAGE)),
        "to": nearly(st.just("+12025550123")),
        "timestamp": nearly(st.sampled_from(TIMES)),
        "created_at": nearly(st.sampled_from(TIMES)),
        "dlr_status": JSON,
        "errorCode": JSON,
        "send_code_attempts": nearly(SENDS),
    }
)
EVENT = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "id": nearly(st.just("EZ1")),
        "type": nearly(st.sampled_from(KINDS)),
        "data": nearly(DATA),
    }
)


def read(body: bytes, url: str = "/events") -> list[DeliveryEvent]:
    """What a signed request says."""
    url = f"{url}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = base64.b64encode(hmac.digest(TOKEN.encode(), f"{HOST}{url}".encode(), "sha1")).decode()
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": signature}
    return list(events_of(JUDGE.judge(InboundRequest("POST", url, headers, body)), SERVICE))


@given(events=st.lists(nearly(EVENT), max_size=3))
def test_whatever_is_signed_is_read_or_refused(events: list[Any]) -> None:
    try:
        found = read(json.dumps(events).encode())
    except ReceiptRefused:
        return
    for event in found:
        assert event.id.isascii()
        assert event.id.isprintable()
        assert 1 <= len(event.id) <= 200
        assert event.at is None or event.at.tzinfo is UTC


@given(body=st.binary(max_size=50))
def test_signed_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        read(body)
    except ReceiptRefused:
        return
    assert isinstance(json.loads(body), list)


@given(
    method=st.sampled_from(["POST", "post", ""]),
    url=st.text(max_size=30) | st.text("/[]?#:@%&=bodySHA256", max_size=20).map(lambda text: f"/{text}"),
    kind=st.sampled_from([FORM, "application/json", f"{FORM}; charset=x"]) | st.text(max_size=10),
    settings=st.none() | st.text(max_size=20) | st.text("key=algorithm,HMAC_SHA1256", max_size=30),
    body=st.binary(max_size=40) | st.text("a=&%+;2B", max_size=20).map(str.encode),
)
def test_whatever_is_not_signed_is_refused(method: str, url: str, kind: str, settings: str | None, body: bytes) -> None:
    headers = {"Content-Type": kind, "X-Twilio-Signature": "A" * 27 + "="}
    if settings is not None:
        headers["X-Twilio-Webhooks-Signature-Settings"] = settings
    with pytest.raises(ReceiptRefused):
        JUDGE.judge(InboundRequest(method, url, headers, body))


@pytest.mark.parametrize("url", ["//[x", "//[x]", "//a:b@[c", "/[", "//"])
def test_a_path_that_looks_like_a_host_is_a_path(url: str) -> None:
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": "A" * 27 + "="}
    with pytest.raises(ReceiptRefused):
        JUDGE.judge(InboundRequest("POST", url, headers, b"[]"))
    assert read(b"[]", url) == []
