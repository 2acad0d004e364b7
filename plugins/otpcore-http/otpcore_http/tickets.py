"""What makes a receipt of a vendor that signs nothing one that can be believed: a URL that only we could have made.

Such a vendor is told, with each message, where to report on it. The last segment of that URL is a ticket: the send's
id and its recipient, sealed with a key that never leaves the application. Nobody else can make one, a changed one is
refused, it speaks for one message, and it shows nobody the number, a log of URLs included.

Sealed is: encrypted under a nonce that is the code of authenticity of the plaintext (the SIV construction of Rogaway
and Shrimpton, "Deterministic Authenticated-Encryption", 2006), with HMAC-SHA-256 as the pseudo-random function.

Rules of this file: pure; compared in constant time.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Ticket", "opened", "sealed"]

TAG_BYTES: Final = 16
LONGEST: Final = 400
"""Characters of a ticket."""

_TICKET = re.compile(r"[A-Za-z0-9_\-]{24,400}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket holds.

    Attributes:
        send_id: of the send.
        recipient: E.164.
    """

    send_id: str
    recipient: str = field(repr=False)


def sealed(key: bytes, ticket: Ticket) -> str:
    """The ticket as a segment of a URL: letters, digits, hyphens and underscores. The same again for the same."""
    plain = f"{ticket.send_id}\n{ticket.recipient}".encode()
    tag = _tag(key, plain)
    return urlsafe_b64encode(tag + _crossed(key, tag, plain)).rstrip(b"=").decode()


def opened(keys: Iterable[bytes], text: str) -> Ticket | None:
    """What a ticket holds; None for whatever none of the keys has sealed."""
    if not _TICKET.fullmatch(text):
        return None
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:  # a length that no bytes have
        return None
    if urlsafe_b64encode(data).rstrip(b"=").decode() != text:  # bits beyond the last byte: two texts of one ticket
        return None
    tag, hidden = data[:TAG_BYTES], data[TAG_BYTES:]
    for key in keys:
        plain = _crossed(key, tag, hidden)
        if hmac.compare_digest(_tag(key, plain), tag):
            send_id, _, recipient = plain.decode(errors="replace").partition("\n")
            return Ticket(send_id, recipient)
    return None


def _tag(key: bytes, plain: bytes) -> bytes:
    return hmac.digest(hmac.digest(key, b"otpcore-http receipt: authenticity", "sha256"), plain, "sha256")[:TAG_BYTES]


def _crossed(key: bytes, tag: bytes, data: bytes) -> bytes:
    """The data with a stream of the tag's own; twice is the data again."""
    own = hmac.digest(key, b"otpcore-http receipt: secrecy", "sha256")
    blocks = (hmac.digest(own, tag + number.to_bytes(4, "big"), "sha256") for number in range(len(data) // 32 + 1))
    return bytes(one ^ other for one, other in zip(data, b"".join(blocks), strict=False))
