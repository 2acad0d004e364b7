"""Requirement P3: the canonicaliser is total and idempotent, whatever it is given."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otpcore.errors import InvalidNumber
from otpcore.phone import LineType, canonicalise

CI_EXAMPLES = 10_000
NIGHTLY_EXAMPLES = 1_000_000

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
CALLING_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
DIGITS = "0123456789"

near_numbers = st.text(DIGITS + "+ .-()", max_size=24)
e164_shaped = st.builds("+{}{}".format, st.sampled_from(CALLING_CODES), st.text(DIGITS, min_size=4, max_size=13))
anything_text = st.one_of(near_numbers, e164_shaped, st.text(max_size=40), st.text(DIGITS, max_size=18))
any_region = st.one_of(st.none(), st.sampled_from(REGIONS), st.text(max_size=3))


def is_total_and_idempotent(text: str, region: str | None) -> None:
    try:
        number = canonicalise(text, region=region)
    except InvalidNumber:
        return
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", number.e164, re.ASCII)
    assert canonicalise(number.e164) == number
    assert canonicalise(number.e164, region="CM") == number
    typed = "".join(character for character in text if character in DIGITS)
    assert number.e164[1:] == typed or (region is not None and "+" not in text)


@given(text=anything_text, region=any_region)
@settings(max_examples=CI_EXAMPLES)
@example(text="07700 900123", region="GB")
@example(text="+3900000000", region=None)
def test_canonicalise_raises_only_its_own_refusal_and_keeps_what_it_made(text: str, region: str | None) -> None:
    is_total_and_idempotent(text, region)


@pytest.mark.nightly
@given(text=anything_text, region=any_region)
@settings(max_examples=NIGHTLY_EXAMPLES)
def test_canonicalise_is_total_at_full_size(text: str, region: str | None) -> None:
    is_total_and_idempotent(text, region)


@given(
    value=st.one_of(
        st.none(),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.binary(),
        st.lists(st.text()),
        st.dictionaries(st.text(), st.text()),
    )
)
def test_what_is_no_text_is_refused_like_any_other(value: str) -> None:
    with pytest.raises(InvalidNumber):
        canonicalise(value)


@given(text=e164_shaped)
@settings(max_examples=2_000)
def test_a_number_is_the_one_that_the_library_would_parse(text: str) -> None:
    """The parser is not run for valid numbers; it would say the same of each of them."""
    try:
        number = canonicalise(text)
    except InvalidNumber:
        return
    parsed = phonenumbers.parse(text)
    assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number.e164
    assert phonenumbers.is_valid_number(parsed) is (number.line_type is not LineType.UNKNOWN)


@given(text=st.sampled_from(["+12025550123", "+237671234567", "+61491570006"]), data=st.data())
def test_one_character_too_many_anywhere_is_no_other_spelling(text: str, data: st.DataObject) -> None:
    """A character that is neither digit nor separator makes a refusal, wherever it stands."""
    extra = data.draw(st.characters(exclude_characters=DIGITS + " .-()"))
    place = data.draw(st.integers(0, len(text)))
    with pytest.raises(InvalidNumber):
        canonicalise(text[:place] + extra + text[place:])


def test_an_example_of_any_region_reads_the_same_nationally_and_internationally() -> None:
    """Or its national spelling is refused, which is rare; it never becomes another number."""
    read, refused = 0, 0
    for region in REGIONS:
        for value in phonenumbers.PhoneNumberType.values():
            found = phonenumbers.example_number_for_type(region, value)
            if found is None:
                continue
            national = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.NATIONAL)
            try:
                nationally = canonicalise(national, region=region)
            except InvalidNumber:
                refused += 1
                continue
            read += 1
            e164 = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
            assert nationally == canonicalise(e164)
    assert read > 1_000
    assert refused / read < 0.03
