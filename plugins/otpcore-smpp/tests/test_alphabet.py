"""Text to octets: exact, or not at all; aiosmpplib's codec, which is somebody else's, is the judge."""

from __future__ import annotations

import pytest
from aiosmpplib.codec import GSM7BitCodec  # type: ignore[import-untyped]  # carries no types
from hypothesis import given, settings
from hypothesis import strategies as st

from otpcore_smpp.alphabet import BASIC, DEFAULT_ALPHABET, EXTENSION, ROOM, SEPTETS, UCS2, encode, split

JUDGE = GSM7BitCodec()


def read(data_coding: int, octets: bytes) -> str:
    return JUDGE.decode(octets)[0] if data_coding == DEFAULT_ALPHABET else octets.decode("utf-16-be")


def test_the_alphabet_is_the_standards() -> None:
    assert len(BASIC) == 128
    assert len(SEPTETS) == 127 + 10
    for character, octets in SEPTETS.items():
        assert JUDGE.encode(character)[0] == octets, character


@pytest.mark.parametrize(
    ("text", "coding", "octets"),
    [
        ("918273", 0, b"918273"),
        ("{}[]~^|\\€\f", 0, bytes.fromhex("1b281b291b3c1b3e1b3d1b141b401b2f1b651b0a")),
        ("ΔΦΓΛΩΠΨΣΘΞ", 0, bytes.fromhex("10121314151617181 91a".replace(" ", ""))),
        ("@£$è_é\n", 0, bytes.fromhex("000102041105 0a".replace(" ", ""))),
        ("Ж\u0391", 8, "Ж\u0391".encode("utf-16-be")),
        ("ç", 8, b"\0\xe7"),
        ("`", 8, b"\0`"),
        ("code 😀", 8, "code 😀".encode("utf-16-be")),
        ("\x1b", 8, b"\0\x1b"),
        ("\0", 8, b"\0\0"),
    ],
)
def test_these_texts_have_these_octets(text: str, coding: int, octets: bytes) -> None:
    found = encode(text)
    assert (found.data_coding, found.octets) == (coding, octets)


def test_an_smsc_without_the_alphabet_gets_ucs2() -> None:
    assert encode("918273", ucs2=True).data_coding == UCS2
    assert encode("918273", ucs2=True).octets == "918273".encode("utf-16-be")


def test_half_a_character_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="half a character") as caught:
        encode("918273 \ud83d")
    assert "918273" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a" * 160, True),
        ("a" * 161, False),
        ("a" * 158 + "€", True),
        ("a" * 159 + "€", False),
        ("ж" * 70, True),
        ("ж" * 71, False),
        ("ж" * 68 + "😀", True),
        ("ж" * 69 + "😀", False),
    ],
)
def test_a_message_holds_so_much(text: str, fits: bool) -> None:
    assert encode(text).fits is fits


@settings(max_examples=200, deadline=None, database=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(BASIC + "".join(EXTENSION)), max_size=400)
)
def test_every_text_is_read_as_it_was_written_whole_and_in_parts(text: str) -> None:
    encoded = encode(text)
    assert read(encoded.data_coding, encoded.octets) == text
    parts = [*split(encoded)]
    assert "".join(read(encoded.data_coding, part) for part in parts) == text, "no character is cut"
    assert all(len(part) <= ROOM[encoded.data_coding][1] for part in parts)
