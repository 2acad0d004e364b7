"""What a vendor signs its receipts with, judged over the bytes as received: HMAC, basic credentials, a window of time.

Rules of this file: pure; compared in constant time; a refusal says what is wrong and echoes nothing of the request.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from otpcore.errors import ReceiptRefused
from otpcore.ports import InboundRequest

__all__ = ["LARGEST_RECEIPT", "REPLAY_WINDOW", "require_basic", "require_hmac", "require_recent", "require_size"]

LARGEST_RECEIPT: Final = 64 * 1024
"""Bytes of a receipt; what is longer is not looked at."""

REPLAY_WINDOW: Final = timedelta(seconds=300)


def require_size(request: InboundRequest, largest: int = LARGEST_RECEIPT) -> None:
    """Refuse a body that is too large, before anything is computed over it.

    Raises:
        ReceiptRefused: it has more bytes.
    """
    if len(request.body) > largest:
        raise ReceiptRefused(f"A receipt has at most {largest} bytes.")


def require_hmac(
    request: InboundRequest,
    keys: Iterable[bytes],
    *,
    header: str,
    signed: bytes | None = None,
    digest: Literal["sha256", "sha512", "sha1"] = "sha256",
    encoding: Literal["hex", "base64"] = "hex",
    prefix: str = "",
) -> None:
    """Refuse what is not signed with one of the keys.

    Args:
        request: as received.
        keys: those that are in force: one, or two while one is replaced; an empty key signs nothing.
        header: holds the signature.
        signed: what the vendor signs; None: the body alone.
        digest: SHA-256, or what the vendor has.
        encoding: of the signature.
        prefix: stands before the signature, such as "sha256=".

    Raises:
        ReceiptRefused: the header is missing or ambiguous, or is no signature of this. Also for a body too large.
    """
    require_size(request)
    given = request.header(header)
    text = (given or "").removeprefix(prefix).encode(errors="replace")
    if given is not None and given.startswith(prefix):
        for key in keys:
            right = hmac.digest(key, request.body if signed is None else signed, digest)
            written = right.hex().encode() if encoding == "hex" else b64encode(right)
            if key and hmac.compare_digest(text.lower() if encoding == "hex" else text, written):
                return
    raise ReceiptRefused(f"The header {header} is missing, or signs something else.")


def require_basic(request: InboundRequest, name: str, password: str) -> None:
    """Refuse what does not come with these credentials (RFC 7617).

    Raises:
        ReceiptRefused: they are missing or others, or the body is too large.
    """
    require_size(request)
    scheme, _, given = (request.header("authorization") or "").partition(" ")
    try:
        found = b64decode(given.strip(), validate=True)
    except ValueError:
        found = b""
    right = f"{name}:{password}".encode()
    if not (hmac.compare_digest(found, right) and scheme.lower() == "basic" and password):
        raise ReceiptRefused("The header Authorization is missing, or holds other credentials.")


def require_recent(at: datetime | float | str, now: datetime, window: timedelta = REPLAY_WINDOW) -> None:
    """Refuse what was signed too long ago, or too far ahead.

    Args:
        at: what the vendor signed: an aware instant, or seconds since 1970.
        now: aware.
        window: allowed on either side.

    Raises:
        ReceiptRefused: it lies outside, or is no instant.
    """
    try:
        instant = at if isinstance(at, datetime) else datetime.fromtimestamp(float(at), UTC)
        apart = abs(now - instant)
    except (ValueError, TypeError, OverflowError, OSError):
        raise ReceiptRefused("The receipt does not say when it was signed.") from None
    if apart > window:
        raise ReceiptRefused("The receipt was not signed just now.")
