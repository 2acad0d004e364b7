"""Requirement P3: the canonicaliser is total and idempotent, whatever it is given."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otpcore import phone
from otpcore.errors import InvalidNumber
from otpcore.phone import GLOBAL_REGION, LineType, PhoneNumber, canonicalise

CI_EXAMPLES = 10_000
NIGHTLY_EXAMPLES = 1_000_000

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
CALLING_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
DIGITS = "0123456789"

SHARED_CODES = [code for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()) if len(regions) > 1]
TYPES = {getattr(phonenumbers.PhoneNumberType, line_type.name): line_type for line_type in LineType}

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


def as_the_library_says(text: str) -> PhoneNumber | None:
    """The straightforward reading of digits in E.164; None for fewer than seven and for what is not written so."""
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if written != text or len(text) < len("+1234567") or not (possible or phonenumbers.is_valid_number(parsed)):
        return None
    region = phonenumbers.region_code_for_number(parsed) or GLOBAL_REGION
    return PhoneNumber(text, region, TYPES[phonenumbers.number_type(parsed)])


def examples() -> list[str]:
    """The metadata's example of every region and line type, one number of each region that is none, and 001's."""
    found = [
        *(phonenumbers.example_number_for_type(region, kind) for region in REGIONS for kind in TYPES),
        *(phonenumbers.invalid_example_number(region) for region in REGIONS),
        *map(phonenumbers.example_number_for_non_geo_entity, phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS),
    ]
    return [phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164) for one in found if one is not None]


def corpus(rng: random.Random, size: int) -> Iterator[str]:
    """Texts in E.164: the examples, the same with another digit, and random ones, most under shared calling codes."""
    known = examples()
    yield from known
    for _ in range(size):
        one, place = rng.choice(known), rng.randrange(2, 9)
        yield one[:place] + rng.choice(DIGITS) + one[place + 1 :]
        yield f"+1{rng.randrange(10**10):010}"
        for codes in (SHARED_CODES, CALLING_CODES):
            code = str(rng.choice(codes))
            yield "+" + code + "".join(rng.choices(DIGITS, k=rng.randint(7 - len(code), 15 - len(code))))


def as_read(text: str) -> PhoneNumber | None:
    try:
        return canonicalise(text)
    except InvalidNumber:
        return None


def agrees_with_the_library(size: int) -> None:
    seen: Counter[LineType | None] = Counter()
    for text in corpus(random.Random(1), size):
        expected = as_the_library_says(text)
        assert as_read(text) == expected, text
        seen[expected.line_type if expected else None] += 1
    assert set(seen) == {None, *LineType}


def test_number_region_and_line_type_are_those_of_the_library() -> None:
    """Of the parser, which is not run for valid numbers, and of its two look-ups of the region, which are one here."""
    agrees_with_the_library(5_000)


@pytest.mark.nightly
def test_number_region_and_line_type_are_those_of_the_library_at_full_size() -> None:
    agrees_with_the_library(100_000)


@pytest.mark.parametrize(
    "ranges",
    [phone._RANGES[::-1], *(tuple(one for one in phone._RANGES if one is not left_out) for left_out in phone._RANGES)],  # pyright: ignore[reportPrivateUsage]  # the defect
)
def test_ranges_in_another_order_or_left_out_are_found(
    ranges: tuple[LineType, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone, "_RANGES", ranges)
    monkeypatch.setattr(phone, "_plan", phone._plan.__wrapped__)  # pyright: ignore[reportPrivateUsage]  # uncached
    assert any(as_read(text) != as_the_library_says(text) for text in examples())


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
