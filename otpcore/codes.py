"""Codes, keys, pseudonyms, digests and tokens: every use of cryptography in the core.

Rules of this file: pure functions of their arguments. Entropy is given, never drawn; a code or a secret
leaves a function only as its result. Every MAC input is a list of length-prefixed parts, so that no two
lists of parts can collide whatever separators they hold.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from otpcore.errors import InvalidIdempotencyKey, PepperError

__all__ = [
    "ENTROPY_BYTES",
    "Entropy",
    "Keyring",
    "Keys",
    "Token",
    "check_idempotency_key",
    "code_digest",
    "digest_of",
    "idempotency_digest",
    "idempotent_secret",
    "is_code",
    "make_code",
    "matches",
    "proof_of",
    "pseudonym",
    "record_key",
    "scope_key",
    "tenant_digest",
]

PEPPER_BYTES: Final = 32
"""Shortest pepper: 256 bits, the key size of HMAC-SHA-256 (RFC 2104 section 3)."""

ENTROPY_BYTES: Final = 64
"""What one operation needs: 9 nonce, 16 secret, 6 operation id, 16 code, 17 jitter."""

TOKEN_PREFIX: Final = "otps_"  # noqa: S105  # a prefix, not a secret
TENANT_BYTES: Final = 9
PSEUDONYM_BYTES: Final = 16
NONCE_BYTES: Final = 9
SECRET_BYTES: Final = 16
TOKEN_BYTES: Final = TENANT_BYTES + PSEUDONYM_BYTES + NONCE_BYTES + SECRET_BYTES

DIGEST_BYTES: Final = 16
"""Truncation of a code's MAC: 128 bits (RFC 2104 section 5 asks for at least half of the hash)."""

IDEMPOTENCY_BITS: Final = 128
LOWEST_KEY_VARIETY: Final = 8
"""A key of fewer distinct characters is not random: 128 bits of hex show eight or more all but always."""

LONGEST_IDEMPOTENCY_KEY: Final = 255


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _pack(*parts: str | bytes) -> bytes:
    """Length-prefixed parts: injective, unlike any joining by a separator."""
    packed = bytearray()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        packed += len(raw).to_bytes(4, "big")
        packed += raw
    return bytes(packed)


def _mac(key: bytes, *parts: str | bytes) -> bytes:
    return hmac.digest(key, _pack(*parts), "sha256")


# --- keys ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keys:
    """The separate keys that one pepper gives.

    Attributes:
        kid: names the pepper in records; says nothing about it.
        phone: for pseudonyms of recipients, sources and idempotency keys.
        code: for digests of codes and derived secrets.
    """

    kid: str
    phone: bytes = field(repr=False)
    code: bytes = field(repr=False)

    @classmethod
    def of(cls, pepper: bytes) -> Keys:
        """Derive the keys of one pepper.

        Raises:
            PepperError: it has fewer than 32 bytes.
        """
        if len(pepper) < PEPPER_BYTES:
            raise PepperError(f"The pepper has {len(pepper)} bytes; it needs at least {PEPPER_BYTES}.")
        return cls(
            kid=_text(_mac(pepper, "otpcore", "kid")[:3]),
            phone=_mac(pepper, "otpcore", "phone"),
            code=_mac(pepper, "otpcore", "code"),
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """The current keys, and those of peppers that are being rotated out, oldest first."""

    current: Keys
    previous: tuple[Keys, ...] = ()

    def __iter__(self) -> Iterator[Keys]:
        """Oldest first, the current keys last."""
        yield from self.previous
        yield self.current

    def by_kid(self, kid: str) -> Keys:
        """The keys that a record names.

        Raises:
            PepperError: none of the configured peppers has this name.
        """
        for keys in self:
            if keys.kid == kid:
                return keys
        raise PepperError("A record was made with a pepper that is not configured; keep it among the previous peppers.")


def tenant_digest(tenant: str) -> str:
    """12 characters that stand for the tenant at the head of each of its keys."""
    return _text(hashlib.sha256(_pack("otpcore tenant", tenant)).digest()[:TENANT_BYTES])


def record_key(keys: Keys, tenant: str, kind: str, recipient: str) -> str:
    """The key of a recipient record: tenant's digest, `r`, keyed pseudonym of kind and recipient."""
    return (
        f"{tenant_digest(tenant)}/r/{_text(_mac(keys.phone, 'recipient', tenant, kind, recipient)[:PSEUDONYM_BYTES])}"
    )


def scope_key(scope: str) -> str:
    """The key of the record that says to which tenant an account at a vendor belongs."""
    return f"{tenant_digest('')}/s/{_text(hashlib.sha256(_pack('otpcore scope', scope)).digest()[:PSEUDONYM_BYTES])}"


def pseudonym(keys: Keys, tenant: str, source: str) -> str:
    """8 characters that stand for the end user's address or device within one tenant."""
    return _text(_mac(keys.phone, "source", tenant, source)[:6])


# --- entropy ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Entropy:
    """The random bytes of one operation, cut into their uses; no byte is used twice."""

    nonce: str
    secret: bytes
    operation: str
    code: bytes
    jitter: bytes

    @classmethod
    def split(cls, drawn: bytes) -> Entropy:
        """Cut `ENTROPY_BYTES` random bytes."""
        return cls(
            nonce=_text(drawn[:9]),
            secret=drawn[9:25],
            operation=_text(drawn[25:31]),
            code=drawn[31:47],
            jitter=drawn[47:],
        )


# --- codes -----------------------------------------------------------------------------------


def make_code(entropy: bytes, digits: int) -> str:
    """A code of `digits` digits, leading zeros kept.

    128 random bits reduced by 10^digits: the bias is below 2^-94 for ten digits, so each code is as
    likely as any other for every purpose.
    """
    return f"{int.from_bytes(entropy, 'big') % 10**digits:0{digits}d}"


def is_code(text: object, shortest: int, longest: int) -> bool:
    """Whether this is a string of ASCII digits of an allowed length. Nothing is stripped or repaired."""
    return isinstance(text, str) and shortest <= len(text) <= longest and text.isascii() and text.isdigit()


def code_digest(
    keys: Keys, *, tenant: str, purpose: str, key: str, session: str, generation: int, secret: bytes, code: str
) -> str:
    """What the record keeps of a code: bound to tenant, purpose, recipient, session and generation.

    `secret` is the client's half of the token; empty for a session addressed by its recipient, whose
    digest is then kept by the pepper alone.
    """
    parts = (tenant, purpose, key, session, generation.to_bytes(4, "big"), secret, code)
    return _text(_mac(keys.code, "code", *parts)[:DIGEST_BYTES])


def matches(one: str, other: str) -> bool:
    """Constant-time equality of two digests."""
    return hmac.compare_digest(one.encode(), other.encode())


def digest_of(*parts: str) -> str:
    """A short digest of public parts, for comparing requests."""
    return _text(hashlib.sha256(_pack(*parts)).digest()[:6])


def proof_of(secret: bytes) -> str:
    """What the record keeps of the client's secret half: its SHA-256."""
    return _text(hashlib.sha256(secret).digest())


# --- idempotency -----------------------------------------------------------------------------


def check_idempotency_key(key: str) -> None:
    """Refuse a key that cannot hold 128 random bits.

    Raises:
        InvalidIdempotencyKey: with the reason.
    """
    if not key.isascii() or not key.isprintable() or len(key) > LONGEST_IDEMPOTENCY_KEY:
        raise InvalidIdempotencyKey(
            f"An idempotency key is printable ASCII of at most {LONGEST_IDEMPOTENCY_KEY} characters."
        )
    letters = [character for character in key if character.isalnum()]
    bits_each = 4 if all(character in "0123456789abcdefABCDEF" for character in letters) else 5.9
    if len(letters) * bits_each < IDEMPOTENCY_BITS or len(set(letters)) < LOWEST_KEY_VARIETY:
        raise InvalidIdempotencyKey


def idempotency_digest(keys: Keys, key: str) -> str:
    """What the record keeps of an idempotency key."""
    return _text(_mac(keys.phone, "idempotency", key)[:9])


def idempotent_secret(keys: Keys, *, tenant: str, recipient: str, key: str) -> bytes:
    """The secret half of a session started with an idempotency key: the same each time it is repeated."""
    return _mac(keys.code, "secret", tenant, recipient, key)[:SECRET_BYTES]


# --- tokens ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """What the client holds of a session.

    Attributes:
        key: the recipient record's key.
        session: the session's nonce in that record.
        secret: 128 bits that only the client knows.
    """

    key: str
    session: str
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        """`otps_` and 67 characters of base64url."""
        tenant, _, name = self.key.split("/")
        return TOKEN_PREFIX + _text(_raw(tenant) + _raw(name) + _raw(self.session) + self.secret)

    @classmethod
    def parse(cls, text: object) -> Token | None:
        """Read a token back; None for whatever is not exactly one."""
        if not isinstance(text, str) or not text.isascii() or not text.startswith(TOKEN_PREFIX):
            return None
        try:
            raw = _raw(text.removeprefix(TOKEN_PREFIX))
        except ValueError:
            return None
        if len(raw) != TOKEN_BYTES:
            return None
        name = TENANT_BYTES + PSEUDONYM_BYTES
        token = cls(
            key=f"{_text(raw[:TENANT_BYTES])}/r/{_text(raw[TENANT_BYTES:name])}",
            session=_text(raw[name : name + NONCE_BYTES]),
            secret=raw[name + NONCE_BYTES :],
        )
        # base64 decoding forgives stray characters and spare bits; a token has one spelling
        return token if hmac.compare_digest(str(token).encode(), text.encode()) else None
