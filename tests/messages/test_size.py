"""P5: a text is measured as the standards say, against a count from octets."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otpcore.messages import Encoding, size_of
from tests.messages import octets

GSM = "".join(chr(point) for point in (*octets.BASIC, *octets.EXTENSION.values()) if point is not None)
TEXTS = (
    "",
    "a" * 160,
    "a" * 161,
    "€" * 80,
    "€" * 81,
    "a" * 159 + "€",
    "a" * 152 + "€" * 5,
    "a" * 306,
    "a" * 307,
    "a" * 152 + "€" * 77,
)
WIDE = ("ش" * 70, "ش" * 71, "😀" * 35, "😀" * 36, "ش" * 66 + "😀" * 10, "ç" * 134, "ç" * 135, "`" * 71, "😀" * 67)


def measured_as_the_standards_say() -> None:
    for text in (*TEXTS, *WIDE):
        assert size_of(text).segments == octets.messages(text), text


def test_lengths_at_every_edge() -> None:
    measured_as_the_standards_say()


@given(st.text(st.sampled_from(GSM), max_size=500))
@example("a" * 152 + "[" * 154)
def test_gsm_7_takes_as_many_messages_as_its_octets(text: str) -> None:
    size = size_of(text)
    assert size.encoding is Encoding.GSM_7
    assert size.units == len(text) + sum(each in "\f^{}\\[~]|€" for each in text)
    assert size.segments == octets.messages(text)


@given(st.text(st.characters(codec="utf-8"), max_size=200).map(lambda text: text + "ش"))
@example("😀" * 34)
def test_ucs_2_takes_as_many_messages_as_its_octets(text: str) -> None:
    size = size_of(text)
    assert size.encoding is Encoding.UCS_2
    assert size.units == len(text.encode("utf-16-be")) // 2
    assert size.segments == octets.messages(text)


@pytest.mark.parametrize(("text", "left"), [("", 160), ("€", 158), ("a" * 161, 145), ("ش", 69), ("ش" * 71, 63)])
def test_what_is_left_is_that_of_the_last_message(text: str, left: int) -> None:
    assert size_of(text).left == left


@given(st.text(st.sampled_from(GSM + "ش😀"), min_size=1, max_size=400))
def test_exactly_what_is_left_still_fits(text: str) -> None:
    size = size_of(text)
    assert size_of(text + " " * size.left).segments == size.segments
    assert size_of(text + " " * (size.left + 1)).segments == size.segments + 1 or size.segments == 1
