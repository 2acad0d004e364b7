"""How the vendor behind `fake` tells what became of its messages: a signed POST, and how that is read.

    POST /receipts/fake      X-Fake-Signature: HMAC-SHA-256 over method, URL and body, in hexadecimal
    {"events": [{"id": …, "handle": …, "recipient": …, "state": …, "at": …, "provider_code": …}, …]}

Rules of this file: the signature is judged over the bytes as received, before any of them is read; no I/O.
"""

from __future__ import annotations

import hmac
import itertools
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest

__all__ = ["LARGEST_BODY", "Receipts"]

SIGNATURE: Final = "X-Fake-Signature"
URL: Final = "/receipts/fake"

LARGEST_BODY: Final = 64 * 1024
"""Bytes of a receipt; what is longer is not looked at."""


class _Receipt(msgspec.Struct, forbid_unknown_fields=True):
    events: tuple[DeliveryEvent, ...]


class Receipts:
    """Signs receipts, and reads those that it signed; a key for each vendor."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._numbers = itertools.count(1)

    def of(
        self, handle: str, recipient: str, state: DeliveryState, *, at: datetime | None = None, size: int = 0
    ) -> InboundRequest:
        """The vendor's POST about one message, signed.

        Args:
            handle: of the message.
            recipient: of the message.
            state: what became of it.
            at: when; None: the vendor does not say.
            size: so many bytes the body has at least.
        """
        event = DeliveryEvent(f"receipt-{next(self._numbers)}", handle, recipient, state, at)
        return self.signed(msgspec.json.encode(_Receipt((event,))).ljust(size))

    def signed(self, body: bytes) -> InboundRequest:
        """The vendor's POST of this body."""
        return InboundRequest("POST", URL, {SIGNATURE: self._signature("POST", URL, body)}, body)

    def parse(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """The events of a POST of the vendor's.

        Raises:
            ReceiptRefused: it is too large, not signed by this vendor, or no receipt.
        """
        if len(request.body) > LARGEST_BODY:
            raise ReceiptRefused(f"A receipt of the fake has at most {LARGEST_BODY} bytes.")
        given = request.header(SIGNATURE) or ""
        right = self._signature(request.method, request.url, request.body)
        if not hmac.compare_digest(given.encode(errors="replace"), right.encode()):
            raise ReceiptRefused(f"The header {SIGNATURE} is missing, or signs something else.")
        try:
            return msgspec.json.decode(request.body, type=_Receipt).events
        except msgspec.MsgspecError:
            raise ReceiptRefused("The body of the receipt cannot be read.") from None

    def _signature(self, method: str, url: str, body: bytes) -> str:
        return hmac.digest(self._key, msgspec.msgpack.encode((method, url, body)), "sha256").hex()
