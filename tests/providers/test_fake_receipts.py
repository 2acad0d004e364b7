"""The fake hears outcomes and tells of deliveries, signed; what is not signed by it, or too large, is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from otpcore.errors import ReceiptRefused
from otpcore.ports import (
    AsyncTakesFeedback,
    CodeOwner,
    DeliveryEvent,
    DeliveryState,
    InboundRequest,
    Outcome,
    ReadsReceipts,
    SendRequest,
    TakesFeedback,
)
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.providers.fake_receipts import LARGEST_BODY, Receipts

PHONE = "+12025550123"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def fake() -> FakeProvider:
    made = FakeProvider(owner=CodeOwner.CORE)
    made.send(SendRequest("s1", PHONE, "sms", "login", "123456", None, NOON, 1.0))
    return made


def genuine(fake: FakeProvider) -> InboundRequest:
    return fake.receipt(fake.outbox[0], DeliveryState.DELIVERED, at=NOON)


def test_both_colours_declare_that_they_hear_and_tell(fake: FakeProvider) -> None:
    assert isinstance(fake, TakesFeedback)
    assert isinstance(fake, ReadsReceipts)
    assert isinstance(AsyncFakeProvider(), AsyncTakesFeedback)
    assert isinstance(AsyncFakeProvider(), ReadsReceipts)


def test_an_outcome_is_taken_where_the_handle_is_its_own(fake: FakeProvider) -> None:
    other = AsyncFakeProvider(exchange=fake.exchange)
    handle = fake.outbox[0].handle
    assert fake.report_outcome(handle, Outcome.APPROVED, 1.0)
    assert asyncio.run(other.report_outcome(handle, Outcome.CANCELED, 1.0))
    assert not fake.report_outcome("fake_0", Outcome.APPROVED, 1.0)
    assert fake.reported == ((handle, Outcome.APPROVED), (handle, Outcome.CANCELED))
    assert fake.calls["report_outcome"] == 3


def test_what_it_signs_it_reads(fake: FakeProvider) -> None:
    expected = DeliveryEvent("receipt-1", fake.outbox[0].handle, PHONE, DeliveryState.DELIVERED, NOON)
    request = genuine(fake)
    assert tuple(fake.parse_receipt(request)) == (expected,)
    assert tuple(AsyncFakeProvider(exchange=fake.exchange).parse_receipt(request)) == (expected,)


def test_a_headers_name_may_come_in_any_case_and_only_once(fake: FakeProvider) -> None:
    request = genuine(fake)
    lower = {name.lower(): value for name, value in request.headers.items()}
    assert fake.parse_receipt(replace(request, headers=lower))
    with pytest.raises(ReceiptRefused):
        fake.parse_receipt(replace(request, headers={**lower, **request.headers}))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"url": "/receipts/other"},
        {"headers": {}},
        {"headers": {"X-Fake-Signature": "é"}},
        {"body": b"{}"},
        {"body": b""},
    ],
    ids=str,
)
def test_whatever_was_changed_is_refused(fake: FakeProvider, change: dict[str, object]) -> None:
    with pytest.raises(ReceiptRefused) as caught:
        fake.parse_receipt(replace(genuine(fake), **change))  # type: ignore[arg-type]  # one field at a time
    assert PHONE[1:] not in str(caught.value)


def test_another_vendors_signature_is_refused(fake: FakeProvider) -> None:
    with pytest.raises(ReceiptRefused):
        FakeProvider().parse_receipt(genuine(fake))


def test_what_is_too_large_is_refused_though_it_is_signed(fake: FakeProvider) -> None:
    receipts = fake.exchange.receipts
    fits = receipts.of("h", PHONE, DeliveryState.READ, size=LARGEST_BODY)
    assert len(fake.parse_receipt(fits)) == 1
    with pytest.raises(ReceiptRefused, match="bytes"):
        fake.parse_receipt(receipts.of("h", PHONE, DeliveryState.READ, size=LARGEST_BODY + 1))


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"events": [{}]}', b'{"events": [], "more": 1}', b"\xff", b""])
def test_what_is_signed_and_no_receipt_is_refused(body: bytes) -> None:
    receipts = Receipts()
    with pytest.raises(ReceiptRefused, match="read"):
        receipts.parse(receipts.signed(body))


def test_neither_number_nor_body_shows_in_a_repr(fake: FakeProvider) -> None:
    request = genuine(fake)
    assert PHONE[1:] not in repr((request, *fake.parse_receipt(request)))
    assert request.headers["X-Fake-Signature"] not in repr(request)
