"""Codes are uniform, digests are bound and keyed, keys never collide, tokens have one spelling."""

from __future__ import annotations

import base64
import hmac
import math
import random
import secrets
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from otpcore.codes import (
    ENTROPY_BYTES,
    PROOF,
    Entropy,
    Keyring,
    Keys,
    Token,
    check_idempotency_key,
    code_digest,
    code_mac,
    digest_of,
    idempotent_secret,
    is_code,
    make_code,
    matches,
    proof_of,
    pseudonym,
    record_key,
    scope_key,
    tenant_digest,
)
from otpcore.errors import InvalidIdempotencyKey, PepperError

PEPPER = b"p" * 32
KEYS = Keys.of(PEPPER)
CRITICAL = 27.9
"""Chi squared of nine degrees of freedom that one uniform sample in a thousand exceeds."""


# --- codes -------------------------------------------------------------------------------------


def chi_squared(make: Callable[[], str], digits: int) -> float:
    counts: Counter[str] = Counter()
    for _ in range(digits // 6):
        counts.update(make())
    expected = counts.total() / 10
    return sum((counts[digit] - expected) ** 2 / expected for digit in "0123456789")


def test_a_million_digits_are_uniform() -> None:
    """V9. The seed makes the one run in a thousand that chance would fail a run of somebody else."""
    draw = random.Random(9).randbytes
    assert chi_squared(lambda: make_code(draw(16), 6), 1_000_000) < CRITICAL


def byte_modulo_ten(draw: random.Random) -> str:
    return "".join(str(byte % 10) for byte in draw.randbytes(6))


def number_without_leading_zero(draw: random.Random) -> str:
    return str(draw.randint(100_000, 999_999))


@pytest.mark.parametrize("mutant", [byte_modulo_ten, number_without_leading_zero])
def test_a_biased_maker_of_codes_fails_the_same_test(mutant: Callable[[random.Random], str]) -> None:
    draw = random.Random(9)
    assert chi_squared(lambda: mutant(draw), 1_000_000) > CRITICAL


@pytest.mark.parametrize("digits", range(6, 11))
def test_leading_zeros_are_kept_as_often_as_chance_has_them(digits: int) -> None:
    """V9: 10^5 codes, a tenth of them with a leading zero, within three standard deviations."""
    draw = random.Random(digits).randbytes
    codes = [make_code(draw(16), digits) for _ in range(100_000)]
    assert all(len(code) == digits for code in codes)
    leading = sum(code[0] == "0" for code in codes)
    assert abs(leading - 10_000) < 3 * math.sqrt(100_000 * 0.1 * 0.9)


@pytest.mark.parametrize(
    "text",
    [
        "12345",
        "1234567",
        " 123456",
        "123456\n",
        "\u0661" * 6,
        "\uff11" * 6,
        "\u00b2" * 6,
        "12345\0",
        123456,
        1.5,
        ["1"],
        None,
        b"123456",
    ],
)
def test_only_a_text_of_ascii_digits_is_a_code(text: object) -> None:
    """V11."""
    assert not is_code(text, 6, 6)
    assert is_code("000000", 6, 6)


# --- digests -----------------------------------------------------------------------------------


def digest(changes: dict[str, str] | None = None, keys: Keys = KEYS, generation: int = 1) -> str:
    parts = {"tenant": "t", "purpose": "p", "key": "k", "session": "s", "secret": "x", "code": "123456"}
    return code_digest(code_mac(keys, **{**parts, **(changes or {})}), generation)


def test_a_digest_is_bound_to_all_that_a_code_is_for() -> None:
    """Invariants 8 and 9: and to the pepper and the client's half."""
    names = ("tenant", "purpose", "key", "session", "secret", "code")
    others = [digest({name: "other"}) for name in names]
    others += [digest(generation=2), digest(keys=Keys.of(b"q" * 32))]
    assert digest() not in others
    assert len(set(others)) == len(others)
    assert matches(digest(), digest())


def test_moving_a_character_from_one_part_to_the_next_is_another_digest() -> None:
    parts = ("tenant", "purpose", "key", "session", "secret", "code")
    for one, other in pairwise(parts):
        assert digest({one: "ab", other: "c"}) != digest({one: "a", other: "bc"})


def test_a_code_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """V10: by the standard library's comparison, not by ==."""
    import hmac

    seen: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        seen.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert matches("a", "a")
    assert not matches("a", "b")
    assert len(seen) == 2


# --- keys --------------------------------------------------------------------------------------


def test_keys_never_collide_whatever_separators_their_parts_hold() -> None:
    """D12, invariant 8: 10^5 pairs; joined by a colon the same parts do collide."""
    draw = random.Random(12)
    pieces = [":", "/", "\0", "\n", "é", "😀", "a", "b", '"', "\\", ""]
    parts = {tuple("".join(draw.choices(pieces, k=draw.randint(0, 4))) for _ in range(3)) for _ in range(60_000)}
    keys = {record_key(KEYS, *each) for each in parts}
    pairs = len(parts) * (len(parts) - 1) // 2
    assert pairs >= 100_000
    assert len(keys) == len(parts)
    assert len({digest_of(*each) for each in parts}) > len(parts) - 3  # 48 bits: public, and no key
    assert len({":".join(each) for each in parts}) < len(parts)


def test_pseudonyms_of_different_things_differ() -> None:
    """Invariant 10: keyed, and separate for tenant, kind and use."""
    tenants = [tenant_digest("a"), tenant_digest("b")]
    keys = [
        record_key(each, tenant, "phone", "+12025550123") for each in (KEYS, Keys.of(b"q" * 32)) for tenant in tenants
    ]
    assert len(set(keys)) == 4
    assert all(key.startswith((tenants[0] + "/r/", tenants[1] + "/r/")) for key in keys)
    assert not any("2025550123" in key for key in keys)
    assert pseudonym(KEYS, tenants[0], "192.0.2.1") != pseudonym(KEYS, tenants[1], "192.0.2.1")
    assert scope_key("VA1") != scope_key("VA2")


def test_the_keys_of_a_pepper_differ_and_show_in_no_repr() -> None:
    """Trap 10, L3: the phone's key is not the code's."""
    assert KEYS.phone.digest() != KEYS.code.digest()
    assert repr(KEYS) == f"Keys(kid={KEYS.kid!r})"


def test_a_key_that_was_used_makes_the_same_macs_as_before() -> None:
    """What one MAC took in is not in the next; and records of today are found again after a restart."""
    tenant = tenant_digest("t")
    of_it = f'["recipient","{tenant}","phone","+12025550123"]'.encode()
    raw = hmac.digest(hmac.digest(PEPPER, b'["otpcore","phone"]', "sha256"), of_it, "sha256")
    for _ in range(2):
        made = record_key(KEYS, tenant, "phone", "+12025550123")
        assert made == f"{tenant}/r/{base64.urlsafe_b64encode(raw[:18]).decode()}"


def test_a_short_pepper_is_refused_and_a_missing_one_fails_closed() -> None:
    with pytest.raises(PepperError):
        Keys.of(b"short")
    ring = Keyring(KEYS, (Keys.of(b"q" * 32),))
    assert ring.by_kid(KEYS.kid) is KEYS
    with pytest.raises(PepperError):
        ring.by_kid("none")


# --- tokens and entropy ------------------------------------------------------------------------


def test_a_token_has_one_spelling() -> None:
    token = Token(record_key(KEYS, tenant_digest("t"), "phone", "+12025550123"), "n" * 12, "s" * 24)
    text = str(token)
    assert Token.parse(text) == token
    for at in range(len(text)):
        for mutant in (text[:at] + "!" + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + "A" + text[at:]):
            assert Token.parse(mutant) is None
        swapped = Token.parse(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
        assert swapped != token
    for other in (None, 5, text.encode(), text + "\n", " " + text, text.upper().replace("OTPS", "otps") + "=", ""):
        assert Token.parse(other) is None


def test_secrets_show_in_no_repr() -> None:
    """Invariant 9, L1."""
    drawn = Entropy.split(secrets.token_bytes(ENTROPY_BYTES))
    token = Token("t/r/k", drawn.nonce, drawn.secret)
    for shown in (repr(drawn), repr(token)):
        assert drawn.secret not in shown
        assert repr(drawn.code) not in shown


def test_no_random_byte_is_used_twice() -> None:
    """V13: nonce 72, secret 144, code 128 bits, each of their own."""
    blank = Entropy.split(bytes(ENTROPY_BYTES))
    touched: list[str] = []
    for place in range(ENTROPY_BYTES):
        drawn = Entropy.split(bytes(255 if at == place else 0 for at in range(ENTROPY_BYTES)))
        names = ("nonce", "secret", "operation", "code", "jitter", "seal")
        changed = [name for name in names if getattr(drawn, name) != getattr(blank, name)]
        assert len(changed) == 1
        touched += changed
    counts = Counter(touched)
    assert counts["secret"] * 8 >= 128
    assert counts["code"] * 8 >= 128
    assert len(proof_of(blank.secret)) == PROOF


# --- idempotency -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "short", "1" * 64, "abcabcabc" * 8, "é" * 40, "a\n" * 30, "x" * 300])
def test_a_key_that_cannot_hold_128_random_bits_is_refused(key: str) -> None:
    """Trap 8, S7."""
    with pytest.raises(InvalidIdempotencyKey):
        check_idempotency_key(key)


@pytest.mark.parametrize(
    "key", ["6f1c2a34-9b7d-4e58-8a10-3c5d7e9fb214", "0123456789abcdef" * 2, "Zk3vQ9xW2bN7mL4pR8sT1u"]
)
def test_a_key_of_128_random_bits_is_taken(key: str) -> None:
    check_idempotency_key(key)


def test_the_secret_of_a_repeated_start_is_the_same_and_bound_to_its_recipient() -> None:
    """Trap 8."""
    same = [idempotent_secret(KEYS, tenant="t", recipient="r", key="k") for _ in range(2)]
    assert same[0] == same[1]
    assert idempotent_secret(KEYS, tenant="t", recipient="r2", key="k") != same[0]
    assert idempotent_secret(KEYS, tenant="t2", recipient="r", key="k") != same[0]
    assert len(same[0]) * 6 >= 128


def test_each_part_of_an_operation_has_entropy_of_its_own() -> None:
    """V13: a receipt may be followed by several messages, whose codes say nothing of one another."""
    whole = Entropy.split(secrets.token_bytes(ENTROPY_BYTES))
    drawn = [whole, *[whole.part(number) for number in range(50)]]
    for name in ("nonce", "secret", "operation", "code", "jitter", "seal"):
        assert len({getattr(each, name) for each in drawn}) == len(drawn)
    assert whole.part(7) == whole.part(7)
    for place in range(ENTROPY_BYTES):
        raw = bytes(255 if at == place else 0 for at in range(ENTROPY_BYTES))
        assert Entropy.split(raw).part(0) != Entropy.split(bytes(ENTROPY_BYTES)).part(0)
