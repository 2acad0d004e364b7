"""A recipient that has to be known later, sealed: readable with the pepper alone, and only in its own session.

    text = kid | nonce | tag | ciphertext           base64url, each part of a fixed length but the last
    ciphertext = padded XOR HMAC(stream key, [bound…, nonce, 0]) || HMAC(stream key, [bound…, nonce, 1]) || …
    tag = HMAC(tag key, [bound…, nonce, ciphertext])

Encrypt-then-MAC, the composition that is secure whatever the cipher (Bellare and Namprempre, "Authenticated
Encryption", J. Cryptology 21, 2008; ISO/IEC 19772:2009, mechanism 5). The cipher is the counter mode of a pseudorandom
function (Bellare, Desai, Jokipii and Rogaway, "A Concrete Security Treatment of Symmetric Encryption", FOCS 1997) under
a random nonce, and the function is HMAC-SHA-256 (RFC 2104; Bellare, "New Proofs for NMAC and HMAC", CRYPTO 2006).
Stream and tag have a key each, which the pepper gives for nothing else. What is bound (tenant, key, session) is in
every input: a text that is moved to another record or session opens nothing.

Rules of this file: pure functions of their arguments, and nothing but HMAC; the nonce is given, never drawn. What was
sealed leaves a function only as its result. A text that does not open is None, whatever is wrong with it.
"""

from __future__ import annotations

import binascii
import hmac
from typing import Final

import msgspec

from otpcore.codes import SEAL_NONCE, Keyring, Keys
from otpcore.errors import PepperError

__all__ = ["open_sealed", "seal"]

KID: Final = 4
NONCE: Final = SEAL_NONCE * 4 // 3
TAG_BYTES: Final = 18
"""Truncation of the tag: 144 bits (RFC 2104 section 5 asks for at least half of the hash)."""
TAG: Final = TAG_BYTES * 4 // 3

BLOCK: Final = 48
"""What is sealed is padded to multiples of this: every phone number looks alike. A multiple of three."""

_pack = msgspec.json.Encoder().encode
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_PLAIN: Final = bytes.maketrans(b"-_", b"+/")


def seal(keys: Keys, bound: tuple[str, ...], nonce: bytes, plain: str) -> str:
    """Seal a text.

    Args:
        keys: of the pepper in force.
        bound: what it belongs to; it opens with the same ones only.
        nonce: `SEAL_NONCE` random bytes that seal nothing else.
        plain: without the character NUL.
    """
    raw = plain.encode()
    padded = raw + bytes(-len(raw) % BLOCK)
    shown = _text(nonce)
    hidden = _text(_crossed(keys, bound, shown, padded))
    return f"{keys.kid}{shown}{_text(_tag(keys, bound, shown, hidden))}{hidden}"


def open_sealed(keyring: Keyring, bound: tuple[str, ...], sealed: str) -> str | None:
    """What was sealed; None where it was sealed for something else, or changed, or its pepper is not known here."""
    kid, nonce = sealed[:KID], sealed[KID : KID + NONCE]
    tag, hidden = sealed[KID + NONCE : KID + NONCE + TAG], sealed[KID + NONCE + TAG :]
    try:
        keys = keyring.by_kid(kid)
        given, raw = _bytes(tag), _bytes(hidden)
    except (PepperError, ValueError):
        return None
    if not hmac.compare_digest(_tag(keys, bound, nonce, hidden), given) or not raw:
        return None
    return _crossed(keys, bound, nonce, raw).rstrip(b"\0").decode()


def _crossed(keys: Keys, bound: tuple[str, ...], nonce: str, raw: bytes) -> bytes:
    """The text under its stream; crossed twice, it is as it was."""
    size = keys.stream.digest_size
    stream = b"".join(_mac(keys.stream, *bound, nonce, place) for place in range(-(-len(raw) // size)))
    return bytes(one ^ other for one, other in zip(raw, stream, strict=False))


def _tag(keys: Keys, bound: tuple[str, ...], nonce: str, hidden: str) -> bytes:
    return _mac(keys.tag, *bound, nonce, hidden)[:TAG_BYTES]


def _mac(key: hmac.HMAC, *parts: str | int) -> bytes:
    mac = key.copy()
    mac.update(_pack(parts))
    return mac.digest()


def _text(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode()


def _bytes(text: str) -> bytes:
    """What `_text` made; of another spelling of the same bytes the tag is another's."""
    return binascii.a2b_base64(text.encode("ascii").translate(_PLAIN), strict_mode=True)
