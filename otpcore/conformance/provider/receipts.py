"""What a provider reads of its vendor's word on what became of messages, and what it refuses.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from otpcore.conformance.provider.checks import Checks
from otpcore.conformance.provider.driven import Driven
from otpcore.conformance.provider.requirement import Claim, needs
from otpcore.conformance.provider.vendor import Vendor
from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest

__all__ = ["ReceiptChecks", "tampered"]

TOO_LARGE = 2**20 + 1
"""Bytes of a receipt that no provider takes."""

FLIPS = 600
"""Bits of a body that are flipped, and so many of a URL and of each header, one at a time, spread evenly."""


def _flipped(data: bytes, flips: int) -> Iterator[bytes]:
    """The data with one bit changed, at one place after the other."""
    bits = len(data) * 8
    for place in sorted({number * bits // flips for number in range(flips)}) if bits else ():
        yield data[: place // 8] + bytes([data[place // 8] ^ (1 << place % 8)]) + data[place // 8 + 1 :]


def tampered(genuine: InboundRequest) -> Iterator[InboundRequest]:
    """The request with one thing changed, each in turn: a bit of body, URL or header, a parameter, a header gone."""
    yield from (replace(genuine, body=body) for body in _flipped(genuine.body, FLIPS))
    yield from (replace(genuine, url=url.decode("latin-1")) for url in _flipped(genuine.url.encode("latin-1"), FLIPS))
    for url in (
        f"{genuine.url}x",
        f"{genuine.url}{'&' if '?' in genuine.url else '?'}kit=1",
        f"//kit:8443{genuine.url}",
    ):
        yield replace(genuine, url=url)
    for body in (genuine.body + b"x", genuine.body[:-1], genuine.body * 2, genuine.body[::-1]):
        yield replace(genuine, body=body)
    for name, value in genuine.headers.items():
        yield replace(genuine, headers={each: text for each, text in genuine.headers.items() if each != name})
        for text in (value[:-1], *(flip.decode("latin-1") for flip in _flipped(value.encode("latin-1"), FLIPS))):
            yield replace(genuine, headers={**genuine.headers, name: text})


class ReceiptChecks(Checks):
    """The part of the provider kit that is about receipts."""

    def _read(self, driven: Driven, request: InboundRequest) -> list[DeliveryEvent] | None:
        """What the provider reads; None where it refuses, in words that echo nothing."""
        try:
            events: Sequence[DeliveryEvent] = driven.provider.parse_receipt(request)
        except ReceiptRefused as error:
            told = "".join(traceback.format_exception(error)) + repr(error)
            assert self.recipient.lstrip("+") not in told, "a refusal shows the number"
            assert not any(value in told for value in request.headers.values() if value), "a refusal shows a header"
            return None
        assert isinstance(events, list | tuple), type(events)
        return [*events]

    @needs(Claim.RECEIPTS)
    def test_what_the_vendor_says_of_a_message_is_read(self, driven: Driven, server: Vendor) -> None:
        """Without I/O and without awaiting: whom, what, and by which handle; ids hold no number."""
        parse: Any = getattr(driven.provider, "parse_receipt", None)
        assert not inspect.iscoroutinefunction(parse), "parse_receipt is not awaited, in either colour"
        for state in (DeliveryState.DELIVERED, DeliveryState.UNDELIVERED):
            found = self._read(driven, self.receipt(state)) or []
            told = [event for event in found if (event.recipient, event.handle) == (self.recipient, self.handle)]
            assert state in [event.state for event in told], found
            for event in found:
                assert event.id.isascii(), "an id is ASCII"
                assert event.id.isprintable(), "an id is printable"
                assert 0 < len(event.id) <= 200, len(event.id)
                assert self.recipient.lstrip("+") not in f"{event.id}{event!r}", "the number is shown"
                assert event.at is None or event.at.tzinfo is not None, "an instant is aware"
        assert not server.requests

    @needs(Claim.RECEIPTS)
    def test_neither_order_nor_repetition_of_receipts_matters(self, driven: Driven) -> None:
        """A vendor tells again what it was not heard to the end with: the same events, by the same ids."""
        one, other = self.receipt(DeliveryState.DELIVERED), self.receipt(DeliveryState.UNDELIVERED)
        first, second = self._read(driven, one), self._read(driven, other)
        assert first
        assert second
        for request, expected in ((other, second), (other, second), (one, first), (one, first), (other, second)):
            assert self._read(driven, request) == expected
        assert {event.id for event in first}.isdisjoint(event.id for event in second), "two events have one id"

    @needs(Claim.RECEIPTS)
    def test_what_the_vendor_did_not_sign_is_refused(self, driven: Driven) -> None:
        """Without its headers it is anybody's."""
        genuine = self.receipt(DeliveryState.DELIVERED)
        assert self._read(driven, replace(genuine, headers={})) is None
        for body in (b"", b"{}", b"[]", b"\xff\x00"):
            assert self._read(driven, replace(genuine, body=body)) is None, body

    @needs(Claim.RECEIPTS)
    def test_what_was_tampered_with_never_says_anything_else(self, driven: Driven) -> None:
        """A bit of body or URL, a header gone or shorter: refused, or it says what the vendor said or nothing."""
        genuine = self.receipt(DeliveryState.DELIVERED)
        said = self._read(driven, genuine)
        assert said
        for forged in tampered(genuine):
            found = self._read(driven, forged)
            assert not found or found == said, found

    @needs(Claim.RECEIPTS)
    def test_a_receipt_that_is_too_large_is_refused(self, driven: Driven) -> None:
        """Though it is signed: nobody reads a megabyte for a stranger who may replay it."""
        assert self._read(driven, self.receipt(DeliveryState.DELIVERED, TOO_LARGE)) is None
