"""What a provider does after a send, where it has the optional methods: it reports outcomes and reads receipts.

Rules of this file: as for `otpcore.conformance.provider.contract`, whose class brings these checks.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from otpcore.conformance.provider.driven import Driven
from otpcore.conformance.provider.misbehaving import FAULTS, MisbehavingServer
from otpcore.errors import ReceiptRefused
from otpcore.ports import CodeOwner, DeliveryEvent, DeliveryState, InboundRequest, Outcome

__all__ = ["AfterwardsChecks"]

TOO_LARGE = 2**20 + 1
"""Bytes of a receipt that no provider takes."""

FLIPPED = 200
"""Places of a body, and of a URL, at which a bit is changed, spread evenly."""


def _flipped(data: bytes) -> Iterator[bytes]:
    """The data with one bit changed, at one place after the other."""
    for place in range(0, len(data), max(1, len(data) // FLIPPED)):
        yield data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _tampered(genuine: InboundRequest) -> Iterator[InboundRequest]:
    """The request with one thing changed, each in turn."""
    yield from (replace(genuine, body=body) for body in _flipped(genuine.body))
    yield from (replace(genuine, url=url.decode("latin-1")) for url in _flipped(genuine.url.encode("latin-1")))
    yield replace(genuine, url=f"{genuine.url}x")
    yield replace(genuine, body=genuine.body + b"x")
    yield replace(genuine, body=genuine.body[:-1])
    for name, value in genuine.headers.items():
        yield replace(genuine, headers={each: text for each, text in genuine.headers.items() if each != name})
        yield replace(genuine, headers={**genuine.headers, name: value[:-1]})


class AfterwardsChecks:
    """The part of the provider kit that is about outcomes and receipts."""

    handle: ClassVar[str]
    recipient: ClassVar[str]
    code: ClassVar[str]
    patience_s: ClassVar[float]

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        """What the vendor sends to the application about the message of `handle` to `recipient`; needed to read one.

        Args:
            state: what became of the message: DELIVERED or UNDELIVERED.
            size: the body has at least so many bytes, and is signed all the same.
        """
        raise NotImplementedError("a provider that has parse_receipt is proved with the vendor's own receipts")

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

    # --- the properties ---

    def test_an_outcome_is_reported_once_and_taken_when_the_vendor_took_it(
        self, driven: Driven, server: MisbehavingServer
    ) -> None:
        """The answer is a bool and nothing like one; a provider that lets the core make codes has something to say."""
        if not callable(getattr(driven.provider, "report_outcome", None)):
            return
        hears = CodeOwner.CORE in driven.provider.capabilities.code_owners
        for count, outcome in enumerate(Outcome, 1):
            taken = driven.call("report_outcome", self.handle, outcome, self.patience_s / 2)
            assert taken is True or (taken is False and not hears), taken
            assert len(server.requests) == count or not hears, server.requests
            assert len(server.requests) <= count, server.requests

    @pytest.mark.parametrize("fault", FAULTS)
    def test_an_outcome_without_a_usable_answer_is_not_taken(
        self, driven: Driven, server: MisbehavingServer, fault: str
    ) -> None:
        """Made once on the wire, whatever happens there; nobody knows, so it is False."""
        if not callable(getattr(driven.provider, "report_outcome", None)):
            return
        server.scenario = FAULTS[fault]
        try:
            taken: object = driven.call("report_outcome", self.handle, Outcome.APPROVED, 0.5)
        except Exception as error:  # noqa: BLE001  # the contract allows any
            driven.raised.append(error)
            taken = False
        assert taken is False, taken
        assert len(server.requests) <= 1, server.requests
        assert self.recipient.lstrip("+") not in driven.texts(), "the number is shown"

    def test_what_the_vendor_says_of_a_message_is_read(self, driven: Driven, server: MisbehavingServer) -> None:
        """Without I/O and without awaiting: whom, what, and by which handle; ids hold no number."""
        parse: Any = getattr(driven.provider, "parse_receipt", None)
        if parse is None:
            return
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

    def test_neither_order_nor_repetition_of_receipts_matters(self, driven: Driven) -> None:
        """A vendor tells again what it was not heard to the end with: the same events, by the same ids."""
        if not callable(getattr(driven.provider, "parse_receipt", None)):
            return
        one, other = self.receipt(DeliveryState.DELIVERED), self.receipt(DeliveryState.UNDELIVERED)
        first, second = self._read(driven, one), self._read(driven, other)
        assert first
        assert second
        for request, expected in ((other, second), (other, second), (one, first), (one, first), (other, second)):
            assert self._read(driven, request) == expected
        assert {event.id for event in first}.isdisjoint(event.id for event in second), "two events have one id"

    def test_what_the_vendor_did_not_sign_is_refused(self, driven: Driven) -> None:
        """Without its headers it is anybody's."""
        if not callable(getattr(driven.provider, "parse_receipt", None)):
            return
        genuine = self.receipt(DeliveryState.DELIVERED)
        assert self._read(driven, replace(genuine, headers={})) is None
        for body in (b"", b"{}", b"[]", b"\xff\x00"):
            assert self._read(driven, replace(genuine, body=body)) is None, body

    def test_what_was_tampered_with_never_says_anything_else(self, driven: Driven) -> None:
        """A bit of body or URL, a header gone or shorter: refused, or it says what the vendor said or nothing."""
        if not callable(getattr(driven.provider, "parse_receipt", None)):
            return
        genuine = self.receipt(DeliveryState.DELIVERED)
        said = self._read(driven, genuine)
        assert said
        for forged in _tampered(genuine):
            found = self._read(driven, forged)
            assert not found or found == said, found

    def test_a_receipt_that_is_too_large_is_refused(self, driven: Driven) -> None:
        """Though it is signed: nobody reads a megabyte for a stranger who may replay it."""
        if not callable(getattr(driven.provider, "parse_receipt", None)):
            return
        assert self._read(driven, self.receipt(DeliveryState.DELIVERED, TOO_LARGE)) is None
