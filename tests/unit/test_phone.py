"""Requirements P1, P2 and P3 by examples: each text is one number or is refused, and nothing is repaired."""

from __future__ import annotations

import re
import subprocess
import sys

import phonenumbers
import pytest

from otpcore.errors import InvalidNumber
from otpcore.phone import (
    LineType,
    PhoneNumber,
    canonicalise,
    metadata_version,
)

US = "+12025550123"  # 555-01xx is set aside for fiction
CM = "+237671234567"
GB_FICTION = "+447700900123"  # Ofcom's range for drama; no range of the metadata
GB_FIXED = "+442079460123"  # Ofcom's London range for drama
AU_FICTION = "+61491570006"
FR = "+33639980123"  # ARCEP's range for audiovisual works


def shown(number: phonenumbers.PhoneNumber | None, form: int = phonenumbers.PhoneNumberFormat.E164) -> str:
    assert number is not None
    return phonenumbers.format_number(number, form)


def example(region: str, line_type: LineType, form: int = phonenumbers.PhoneNumberFormat.E164) -> str:
    """The numbering plan's own example, for a plan without numbers for fiction."""
    kind = getattr(phonenumbers.PhoneNumberType, line_type.name)
    return shown(phonenumbers.example_number_for_type(region, kind), form)


NATIONAL = phonenumbers.PhoneNumberFormat.NATIONAL
INTERNATIONAL = phonenumbers.PhoneNumberFormat.INTERNATIONAL

IT = example("IT", LineType.FIXED_LINE)
RU = example("RU", LineType.MOBILE)
AC = example("AC", LineType.MOBILE)
AR = example("AR", LineType.MOBILE)
AR_FIXED = example("AR", LineType.FIXED_LINE)
MX = example("MX", LineType.MOBILE)
BJ = example("BJ", LineType.MOBILE)
SATELLITE = shown(phonenumbers.example_number_for_non_geo_entity(881))

ACCEPTED: list[tuple[str, str | None, str]] = [
    (US, None, US),
    ("+1 202 555 0123", None, US),
    ("+1-202-555-0123", None, US),
    ("+1.202.555.0123", None, US),
    ("+1 (202) 555-0123", None, US),
    ("+1(202)5550123", None, US),
    ("+1 (202)555.0123", None, US),
    ("+1 2 0 2 5 5 5 0 1 2 3", None, US),
    ("(202) 555-0123", "US", US),
    ("202-555-0123", "US", US),
    ("2025550123", "US", US),
    ("1 202 555 0123", "US", US),
    ("1-202-555-0123", "CA", US),  # one plan, one prefix; the number stays American
    (US, "CM", US),  # a plus makes the region needless
    ("+15005550100", None, "+15005550100"),
    ("+1 500 555 0006", None, "+15005550006"),
    (CM, None, CM),
    ("+237 6 71 23 45 67", None, CM),
    ("671234567", "CM", CM),
    ("6 71 23 45 67", "CM", CM),
    (GB_FICTION, None, GB_FICTION),
    ("07700 900123", "GB", GB_FICTION),
    ("020 7946 0123", "GB", GB_FIXED),
    ("(020) 7946 0123", "GB", GB_FIXED),
    ("+44 20 7946 0123", None, GB_FIXED),
    ("0491 570 006", "AU", AU_FICTION),
    (AU_FICTION, None, AU_FICTION),
    ("06 39 98 01 23", "FR", FR),
    ("+33 6 39 98 01 23", None, FR),
    (example("IT", LineType.FIXED_LINE, INTERNATIONAL), None, IT),  # an Italian zero belongs to the number
    (example("IT", LineType.FIXED_LINE, NATIONAL), "IT", IT),
    (example("RU", LineType.MOBILE, NATIONAL), "RU", RU),
    (example("AC", LineType.MOBILE, INTERNATIONAL), None, AC),  # the shortest there are have 8 digits and fewer
    (SATELLITE, None, SATELLITE),  # a number, though the policy refuses it
    ("+1 900 555 0100", None, "+19005550100"),
    (AR, None, AR),
    (AR_FIXED, None, AR_FIXED),
    (MX, None, MX),
    (BJ, None, BJ),
]

REFUSED: list[tuple[object, str | None]] = [
    # letters, vanity spellings, words, extensions, schemes
    ("+1 202 555 CODE", None),
    ("1-800-FLOWERS", "US"),
    ("call +12025550123", None),
    ("+12025550123 please", None),
    ("+12025550123 ext. 7", None),
    ("+12025550123x7", None),
    ("+12025550123;ext=7", None),
    ("+12025550123#7", None),
    ("+12025550123,,7", None),
    ("tel:+12025550123", None),
    ("tel:2025550123;phone-context=+1", "US"),
    ("sms:+12025550123", None),
    ("whatsapp:+12025550123", None),
    ("+12025550123/+12025550124", None),
    ("'+12025550123' OR 1=1", None),
    ("<+12025550123>", None),
    # control, invisible, and directional characters
    ("+12025550123\n", None),
    ("\t+12025550123", None),
    ("+1202555\r\n0123", None),
    ("+12025550123\x00", None),
    ("+1202555\x000123", None),
    ("+1202\u200b5550123", None),
    ("\u202a+12025550123\u202c", None),
    ("\u200e+12025550123", None),
    ("\ufeff+12025550123", None),
    ("+1\u00a0202\u00a0555\u00a00123", None),
    ("+1\u2011202\u2011555\u20110123", None),
    ("+1\u2013202\u2013555\u20130123", None),
    ("+1\u00ad2025550123", None),
    ("\ud800+12025550123", None),
    # digits and signs of other scripts
    ("\uff0b12025550123", None),
    ("+\uff11\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff12\uff13", None),
    ("+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0662\u0663", None),
    ("+1\u06f2\u06f0\u06f25550123", None),
    ("+1\u00b2\u2070\u00b25550123", None),
    ("+\u0967202555\u0966123", None),
    # odd arrangements
    ("", None),
    (" ", None),
    ("+", None),
    ("()", None),
    (" +12025550123", None),
    ("+12025550123 ", None),
    ("++12025550123", None),
    ("+ 1 202 555 0123", None),
    ("1+2025550123", None),
    ("+1  202 555 0123", None),
    ("+1--202-555-0123", None),
    ("+1 - 202 555 0123", None),
    ("+1 (202 555-0123", None),
    ("+1 202) 555-0123", None),
    ("+1 ((202)) 555-0123", None),
    ("+1 (202) (555) 0123", None),
    ("(+1) 202 555 0123", None),
    ("+12025550123-", None),
    ("+1 202 555 0123" + " 0" * 20, None),
    ("+1" + "2" * 40, None),
    ("9" * 100, None),
    # more than the number
    ("0012025550123", None),
    ("0012025550123", "DE"),
    ("00442079460123", "FR"),
    ("011442079460123", "US"),
    ("+0012025550123", None),
    ("+44 (0)20 7946 0123", None),
    ("+4402079460123", None),
    ("+49015112345678", None),
    ("442079460123", "GB"),
    ("0 15 11 96123 4567", "BR"),  # a carrier's code
    ("011 15 2345-6789", "AR"),  # the old spelling of a mobile
    # no number
    ("2025550123", None),
    ("12025550123", None),
    ("+02025550123", None),
    ("+15550123", None),
    ("5550123", "US"),
    ("911", "US"),
    ("112", "DE"),
    ("+1911", None),
    ("+1202555012", None),
    ("+120255501234", None),
    ("+9990000000", None),
    ("+2100000000", None),
    ("+1234567890123456", None),
    ("+5215512345678", None),  # Mexico before 2019
    ("+22995123456", None),  # Benin before 2024
    # regions that are none
    (US, "ZZ"),
    ("2025550123", "us"),
    ("2025550123", "USA"),
    ("2025550123", "001"),
    ("2025550123", ""),
    # no text
    (None, None),
    (12025550123, None),
    (1.5, None),
    (True, None),
    (b"+12025550123", None),
    (["+12025550123"], None),
    ({"number": US}, None),
]


def test_the_corpus_is_large_enough() -> None:
    assert len(ACCEPTED) + len(REFUSED) >= 60
    assert len(ACCEPTED) >= 30


@pytest.mark.parametrize(("text", "region", "expected"), ACCEPTED)
def test_a_plain_spelling_is_its_e164(text: str, region: str | None, expected: str) -> None:
    number = canonicalise(text, region=region)
    assert number.e164 == expected
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", number.e164, re.ASCII)
    assert canonicalise(number.e164) == number


@pytest.mark.parametrize(("text", "region"), REFUSED)
def test_what_is_not_plainly_a_number_is_refused(text: str, region: str | None) -> None:
    """P2: 0 repaired."""
    with pytest.raises(InvalidNumber):
        canonicalise(text, region=region)


@pytest.mark.parametrize("region", [5, b"US", ["US"], 1.0, object()])
def test_a_region_that_is_no_text_is_refused(region: str) -> None:
    with pytest.raises(InvalidNumber):
        canonicalise("2025550123", region=region)


def repairing(text: str, region: str | None) -> str:
    """The planted defect: what the library alone makes of a text."""
    return phonenumbers.format_number(phonenumbers.parse(text, region), phonenumbers.PhoneNumberFormat.E164)


def test_the_corpus_of_refusals_catches_a_canonicaliser_that_repairs() -> None:
    repaired: list[str] = []
    for text, region in REFUSED:
        try:
            repaired.append(repairing(text, region)) if isinstance(text, str) else None
        except phonenumbers.NumberParseException:
            continue
    assert len(repaired) >= 30


SPELLINGS = [
    ("+12025550123", None),
    ("+1 2025550123", None),
    ("+1 202 5550123", None),
    ("+1 202 555 0123", None),
    ("+1-202-555-0123", None),
    ("+1.202.555.0123", None),
    ("+1 202-555-0123", None),
    ("+1 202.555.0123", None),
    ("+1 (202) 555-0123", None),
    ("+1 (202) 555 0123", None),
    ("+1 (202)555-0123", None),
    ("+1(202) 555-0123", None),
    ("+1(202)5550123", None),
    ("+1-(202)-555-0123", None),
    ("+1 20 25 55 01 23", None),
    ("2025550123", "US"),
    ("202 555 0123", "US"),
    ("202-555-0123", "US"),
    ("202.555.0123", "US"),
    ("(202) 555-0123", "US"),
    ("12025550123", "US"),
    ("1 202 555 0123", "US"),
    ("1 (202) 555-0123", "US"),
]


def test_23_spellings_are_one_number_where_raw_texts_would_be_23_keys() -> None:
    assert len({text for text, _ in SPELLINGS}) == 23
    assert {canonicalise(text, region=region) for text, region in SPELLINGS} == {
        PhoneNumber(US, "US", LineType.FIXED_LINE_OR_MOBILE)
    }


def test_an_alias_that_both_plans_hold_stays_two_numbers() -> None:
    assert AR_FIXED.replace("+54", "+549") == AR
    assert canonicalise(AR) != canonicalise(AR_FIXED)


def test_the_examples_of_the_plans_have_what_they_are_here_for() -> None:
    assert IT.startswith("+390")
    assert example("RU", LineType.MOBILE, NATIONAL).startswith("8 (")
    assert len(AC) <= len("+12345678")


@pytest.mark.parametrize(("text", "region"), REFUSED)
def test_a_refusal_says_what_to_do_and_shows_at_most_two_digits(text: str, region: str | None) -> None:
    with pytest.raises(InvalidNumber) as refusal:
        canonicalise(text, region=region)
    message = str(refusal.value)
    assert message.isprintable()
    assert not re.search(r"[0-9]{3}", message)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_a_short_text_that_may_be_a_code_shows_nothing_of_itself() -> None:
    with pytest.raises(InvalidNumber) as refusal:
        canonicalise("482915")
    assert not re.search(r"[0-9]", str(refusal.value))


def test_a_number_is_masked_in_its_repr_and_in_the_text_of_what_holds_it() -> None:
    number = canonicalise(US)
    assert repr(number) == "PhoneNumber(…23, region='US', line_type='fixed_line_or_mobile')"
    assert US not in f"{number} {[number]} {number!s}"


def test_every_line_type_of_the_library_has_one_of_ours() -> None:
    kinds = phonenumbers.PhoneNumberType
    assert {line_type.name for line_type in LineType} == {kinds.to_string(value) for value in kinds.values()}


def test_the_metadata_says_its_version() -> None:
    assert metadata_version() == phonenumbers.__version__


def test_importing_the_module_does_not_load_the_numbering_plans() -> None:
    program = "import sys, otpcore.phone; sys.exit('phonenumbers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
