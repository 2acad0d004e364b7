"""What is sealed opens with its own pepper and in its own place, and nowhere and never otherwise."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st

from otpcore.codes import SEAL_NONCE, Keyring, Keys
from otpcore.seal import BLOCK, open_sealed, seal

NEW, OLD = b"n" * 32, b"o" * 32
BOUND = ("recipient", "tenant", "key", "session")
NUMBER = '["+12025550123","sms","en"]'
NONCES = st.binary(min_size=SEAL_NONCE, max_size=SEAL_NONCE)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
RING = Keyring(Keys.of(NEW))


@given(TEXTS, NONCES, st.tuples(st.text(max_size=9), st.text(max_size=9)))
def test_it_opens_where_it_belongs(text: str, nonce: bytes, bound: tuple[str, ...]) -> None:
    sealed = seal(RING.current, bound, nonce, text)
    assert open_sealed(RING, bound, sealed) == text
    assert sealed.isascii()


@given(NONCES, st.integers(0, 3), st.text(max_size=9))
def test_it_opens_for_nothing_else(nonce: bytes, place: int, other: str) -> None:
    sealed = seal(RING.current, BOUND, nonce, NUMBER)
    bound = (*BOUND[:place], other, *BOUND[place + 1 :])
    assert (open_sealed(RING, bound, sealed) is None) == (bound != BOUND)
    assert open_sealed(RING, (BOUND[0] + BOUND[1], *BOUND[2:]), sealed) is None


def changed_anywhere() -> None:
    """Each character, exchanged, dropped or doubled."""
    sealed = seal(RING.current, BOUND, bytes(range(SEAL_NONCE)), NUMBER)
    for place, letter in enumerate(sealed):
        other = "A" if letter != "A" else "B"
        for forged in (
            sealed[:place] + other + sealed[place + 1 :],
            sealed[:place] + sealed[place + 1 :],
            sealed[:place] + letter + sealed[place:],
            sealed[:place],
        ):
            assert forged == sealed or open_sealed(RING, BOUND, forged) is None, place
    for forged in ("", "=", f"{sealed}=", f"{sealed}\n", "é" * len(sealed), "-" * len(sealed)):
        assert open_sealed(RING, BOUND, forged) is None


def test_a_changed_text_opens_nothing() -> None:
    changed_anywhere()


def test_it_is_opened_by_the_pepper_that_it_names() -> None:
    sealed = seal(Keys.of(OLD), BOUND, bytes(SEAL_NONCE), NUMBER)
    assert open_sealed(Keyring(Keys.of(NEW), (Keys.of(OLD),)), BOUND, sealed) == NUMBER
    assert open_sealed(RING, BOUND, sealed) is None
    renamed = Keys.of(NEW).kid + sealed[4:]
    assert open_sealed(RING, BOUND, renamed) is None


def test_every_phone_number_looks_alike() -> None:
    sizes = {len(seal(RING.current, BOUND, bytes(SEAL_NONCE), f'["+{"1" * digits}","sms",""]')) for digits in range(16)}
    assert len(sizes) == 1


def test_two_nonces_hide_the_same_text_in_two_ways() -> None:
    one, other = (seal(RING.current, BOUND, bytes([place]) * SEAL_NONCE, NUMBER) for place in (1, 2))
    assert one[-BLOCK:] != other[-BLOCK:]


def test_it_is_the_construction_of_its_module() -> None:
    """Written again from the docstring, with the standard library's own functions."""

    def derived(key: bytes, *parts: str | int) -> bytes:
        packed = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
        return hmac.digest(key, packed, hashlib.sha256)

    def text(raw: bytes) -> str:
        return urlsafe_b64encode(raw).decode()

    nonce = bytes(range(SEAL_NONCE))
    stream, tag = (derived(NEW, "otpcore", "seal", name) for name in ("stream", "tag"))
    padded = NUMBER.encode().ljust(BLOCK, b"\0")
    blocks = b"".join(derived(stream, *BOUND, text(nonce), place) for place in range(2))
    hidden = text(bytes(a ^ b for a, b in zip(padded, blocks, strict=False)))
    mac = derived(tag, *BOUND, text(nonce), hidden)[:18]
    kid = text(derived(NEW, "otpcore", "kid")[:3])
    assert seal(RING.current, BOUND, nonce, NUMBER) == kid + text(nonce) + text(mac) + hidden
