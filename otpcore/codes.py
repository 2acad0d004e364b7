"""Codes, keys, pseudonyms, digests and tokens: every use of cryptography in the core.

Rules of this file: pure functions of their arguments. Entropy is given, never drawn; a code or a secret
leaves a function only as its result. Every MAC input is a JSON array of its parts, so that no two lists
of parts can collide whatever separators they hold. Random values and digests are cut to multiples of three
bytes: then their base64 has no padding, and a token is read by slicing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from otpcore.errors import InvalidIdempotencyKey, PepperError

__all__ = [
    "ENTROPY_BYTES",
    "PEPPER_BYTES",
    "PROOF",
    "SEAL_NONCE",
    "Entropy",
    "Keyring",
    "Keys",
    "Token",
    "check_idempotency_key",
    "code_digest",
    "code_mac",
    "counter_id",
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

SEAL_NONCE: Final = 18
"""Bytes of a nonce of `otpcore.seal`: no two are alike among any number of sessions."""

ENTROPY_BYTES: Final = 66 + SEAL_NONCE
"""What one operation needs: 9 nonce, 18 secret, 6 operation id, 16 code, 17 jitter, and the seal's nonce."""

TOKEN_PREFIX: Final = "otps_"  # noqa: S105  # a prefix, not a secret

TENANT, PSEUDONYM, NONCE, SECRET, OPERATION = 12, 24, 12, 24, 8
"""Characters of base64url: a secret half of 144 bits (OWASP ASVS 5.0 asks for 128), a pseudonym of as many."""

DIGEST_BYTES: Final = 18
"""Truncation of a MAC: 144 bits (RFC 2104 section 5 asks for at least half of the hash)."""

PROOF: Final = 24
"""Characters of a proof: it is truncated as a MAC is, to as many bits as the secret half has."""

IDEMPOTENCY_BITS: Final = 128
LOWEST_KEY_VARIETY: Final = 8
"""A key of fewer distinct characters is not random: 128 bits of hex show eight or more all but always."""

LONGEST_IDEMPOTENCY_KEY: Final = 255


_TOKEN: Final = re.compile(f"{TOKEN_PREFIX}[A-Za-z0-9_-]{{{TENANT + PSEUDONYM + NONCE + SECRET}}}")

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

_pack = msgspec.json.Encoder().encode


def _text(raw: bytes) -> str:
    """base64url (RFC 4648 section 5) without padding; `base64` takes three times as long, eight times a cycle."""
    return b2a_base64(raw).translate(_URL_SAFE, b"=\n").decode()


def _keyed(key: bytes) -> hmac.HMAC:
    """The MAC of nothing yet: what the key alone takes, half of the work, is done once."""
    return hmac.new(key, digestmod=hashlib.sha256)


def _mac(key: hmac.HMAC, *parts: str | int) -> bytes:
    mac = key.copy()
    mac.update(_pack(parts))
    return mac.digest()


# --- keys ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keys:
    """The separate keys that one pepper gives.

    Attributes:
        kid: names the pepper in records; says nothing about it.
        phone: keyed for pseudonyms of recipients, sources and idempotency keys.
        code: keyed for digests of codes and derived secrets.
        stream, tag: keyed for `otpcore.seal`.
    """

    kid: str
    phone: hmac.HMAC = field(repr=False)
    code: hmac.HMAC = field(repr=False)
    stream: hmac.HMAC = field(repr=False)
    tag: hmac.HMAC = field(repr=False)

    @classmethod
    def of(cls, pepper: bytes) -> Keys:
        """Derive the keys of one pepper.

        Raises:
            PepperError: it has fewer than 32 bytes.
        """
        if len(pepper) < PEPPER_BYTES:
            raise PepperError(f"The pepper has {len(pepper)} bytes; it needs at least {PEPPER_BYTES}.")
        root = _keyed(pepper)
        return cls(
            kid=_text(_mac(root, "otpcore", "kid")[:3]),
            phone=_keyed(_mac(root, "otpcore", "phone")),
            code=_keyed(_mac(root, "otpcore", "code")),
            stream=_keyed(_mac(root, "otpcore", "seal", "stream")),
            tag=_keyed(_mac(root, "otpcore", "seal", "tag")),
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """The current keys, and those of peppers that are being rotated out, oldest first."""

    current: Keys
    previous: tuple[Keys, ...] = ()

    def __iter__(self) -> Iterator[Keys]:
        """Oldest first, the current keys last."""
        return iter((*self.previous, self.current))

    def by_kid(self, kid: str) -> Keys:
        """The keys that a record names.

        Raises:
            PepperError: none of the configured peppers has this name.
        """
        if kid == self.current.kid:
            return self.current
        for keys in self.previous:
            if keys.kid == kid:
                return keys
        raise PepperError("A record was made with a pepper that is not configured; keep it among the previous peppers.")


def tenant_digest(tenant: str) -> str:
    """12 characters that stand for the tenant at the head of each of its keys."""
    return _text(hashlib.sha256(_pack(("otpcore tenant", tenant))).digest()[:9])


def record_key(keys: Keys, tenant: str, kind: str, recipient: str) -> str:
    """The key of a recipient record: tenant's digest, `r`, keyed pseudonym of kind and recipient.

    `tenant` is the tenant's digest.
    """
    return f"{tenant}/r/{_text(_mac(keys.phone, 'recipient', tenant, kind, recipient)[:DIGEST_BYTES])}"


def scope_key(scope: str) -> str:
    """The key of the record that says to which tenant an account at a vendor belongs."""
    return f"{tenant_digest('')}/s/{_text(hashlib.sha256(_pack(('otpcore scope', scope))).digest()[:DIGEST_BYTES])}"


def pseudonym(keys: Keys, tenant: str, source: str) -> str:
    """8 characters that stand for the end user's address or device within one tenant."""
    return _text(_mac(keys.phone, "source", tenant, source)[:6])


# --- entropy ---------------------------------------------------------------------------------


class Entropy(msgspec.Struct, frozen=True):
    """The random values of one operation; no byte is used twice."""

    nonce: str
    secret: str
    operation: str
    code: bytes
    jitter: bytes
    seal: bytes

    @classmethod
    def split(cls, drawn: bytes) -> Entropy:
        """Cut `ENTROPY_BYTES` random bytes."""
        text = _text(drawn[:33])
        secret = NONCE + SECRET
        return cls(text[:NONCE], text[NONCE:secret], text[secret:], drawn[33:49], drawn[49:66], drawn[66:])

    def part(self, number: int) -> Entropy:
        """Entropy of its own for a part of the operation, by an extendable-output function (FIPS 202, SHAKE256)."""
        drawn = b"".join([self.code, self.jitter, self.seal, f"{self.nonce}{self.secret}{self.operation}".encode()])
        return Entropy.split(hashlib.shake_256(b"otpcore part %d %b" % (number, drawn)).digest(ENTROPY_BYTES))

    def __repr__(self) -> str:
        return f"Entropy(operation={self.operation!r})"


# --- codes -----------------------------------------------------------------------------------


def make_code(entropy: bytes, digits: int) -> str:
    """A code of `digits` digits, leading zeros kept.

    128 random bits reduced by 10^digits: the bias is below 2^-94 for ten digits, so each code is as
    likely as any other for every purpose.
    """
    return str(int.from_bytes(entropy, "big") % 10**digits).zfill(digits)


def is_code(text: object, shortest: int, longest: int) -> bool:
    """Whether this is a string of ASCII digits of an allowed length. Nothing is stripped or repaired."""
    return isinstance(text, str) and shortest <= len(text) <= longest and text.isascii() and text.isdigit()


def code_mac(keys: Keys, *, tenant: str, purpose: str, key: str, session: str, secret: str, code: str) -> bytes:
    """The MAC of a code, bound to tenant, purpose, recipient and session.

    `secret` is the client's half of the token; empty for a session that is addressed by its recipient, or keeps it
    sealed: the digest is then kept by the pepper alone.
    """
    return _mac(keys.code, "code", tenant, purpose, key, session, secret, code)


def code_digest(mac: bytes, generation: int) -> str:
    """What the record keeps of a code: its MAC, bound to the generation too."""
    return _text(hashlib.sha256(b"%d:%b" % (generation, mac)).digest()[:DIGEST_BYTES])


def matches(one: str, other: str) -> bool:
    """Constant-time equality of two digests."""
    return hmac.compare_digest(one, other)


def counter_id(unique_id: str, user_id: str) -> int:
    """The id of the legacy facade's resend record of this pair: positive, below 2^63, and always the same."""
    raw = hashlib.sha256(_pack(("otpcore counter", unique_id, user_id))).digest()
    return int.from_bytes(raw[:8]) >> 1 or 1


def digest_of(*parts: str) -> str:
    """A short digest of public parts, for comparing requests."""
    return _text(hashlib.sha256(_pack(parts)).digest()[:6])


def proof_of(secret: str) -> str:
    """What the record keeps of the client's secret half: its SHA-256, truncated; a longer one begins with it."""
    return _text(hashlib.sha256(secret.encode("ascii")).digest()[:DIGEST_BYTES])


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


def idempotent_secret(keys: Keys, *, tenant: str, recipient: str, key: str) -> str:
    """The secret half of a session started with an idempotency key: the same each time it is repeated."""
    return _text(_mac(keys.code, "secret", tenant, recipient, key)[:DIGEST_BYTES])


# --- tokens ----------------------------------------------------------------------------------


class Token(msgspec.Struct, frozen=True):
    """What the client holds of a session.

    Attributes:
        key: the recipient record's key.
        session: the session's nonce in that record.
        secret: 144 bits that only the client knows.
    """

    key: str
    session: str
    secret: str

    def __str__(self) -> str:
        """`otps_` and 72 characters of base64url."""
        return f"{TOKEN_PREFIX}{self.key[:TENANT]}{self.key[-PSEUDONYM:]}{self.session}{self.secret}"

    def __repr__(self) -> str:
        return f"Token(session={self.session!r})"

    @classmethod
    def parse(cls, text: object) -> Token | None:
        """Read a token back; None for whatever is not exactly one."""
        if not isinstance(text, str) or _TOKEN.fullmatch(text) is None:
            return None
        name = len(TOKEN_PREFIX) + TENANT
        nonce = name + PSEUDONYM
        secret = nonce + NONCE
        return cls(f"{text[len(TOKEN_PREFIX) : name]}/r/{text[name:nonce]}", text[nonce:secret], text[secret:])
