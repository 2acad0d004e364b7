"""Requirement P4: which destinations are served, by region and line type and never by calling code."""

from __future__ import annotations

import phonenumbers
import pytest

from otpcore.errors import ConfigurationError
from otpcore.phone import GLOBAL_REGION, LineType, PhoneNumber, RegionPolicy, canonicalise, decide_destination

L = LineType
DEFAULT = RegionPolicy()

# Asked of the metadata: the example number of this region and type; expected: the number's region, its type, served.
EXAMPLES: list[tuple[str, LineType, str, LineType, bool]] = [
    ("US", L.MOBILE, "US", L.FIXED_LINE_OR_MOBILE, True),
    ("US", L.TOLL_FREE, "US", L.TOLL_FREE, True),
    ("US", L.PERSONAL_NUMBER, "US", L.PERSONAL_NUMBER, True),
    ("US", L.PREMIUM_RATE, "US", L.PREMIUM_RATE, False),
    ("CA", L.MOBILE, "CA", L.FIXED_LINE_OR_MOBILE, True),
    ("JM", L.MOBILE, "JM", L.MOBILE, True),
    ("JM", L.FIXED_LINE, "JM", L.FIXED_LINE_OR_MOBILE, True),
    ("DO", L.MOBILE, "DO", L.FIXED_LINE_OR_MOBILE, True),
    ("PR", L.MOBILE, "PR", L.FIXED_LINE_OR_MOBILE, True),
    ("GB", L.MOBILE, "GB", L.MOBILE, True),
    ("GB", L.FIXED_LINE, "GB", L.FIXED_LINE, True),
    ("GB", L.VOIP, "GB", L.VOIP, True),
    ("GB", L.UAN, "GB", L.UAN, True),
    ("GB", L.PAGER, "GB", L.PAGER, True),
    ("GB", L.PREMIUM_RATE, "GB", L.PREMIUM_RATE, False),
    ("GG", L.MOBILE, "GG", L.MOBILE, True),
    ("IM", L.FIXED_LINE, "IM", L.FIXED_LINE, True),
    ("DE", L.MOBILE, "DE", L.MOBILE, True),
    ("DE", L.PREMIUM_RATE, "DE", L.PREMIUM_RATE, False),
    ("DE", L.SHARED_COST, "DE", L.SHARED_COST, False),
    ("DE", L.VOICEMAIL, "DE", L.VOICEMAIL, True),
    ("FR", L.MOBILE, "FR", L.MOBILE, True),
    ("FR", L.PREMIUM_RATE, "FR", L.PREMIUM_RATE, False),
    ("FR", L.SHARED_COST, "FR", L.SHARED_COST, False),
    ("IT", L.SHARED_COST, "IT", L.SHARED_COST, False),
    ("IT", L.FIXED_LINE, "IT", L.FIXED_LINE, True),
    ("CM", L.MOBILE, "CM", L.MOBILE, True),
    ("SN", L.MOBILE, "SN", L.MOBILE, True),
    ("SN", L.PREMIUM_RATE, "SN", L.PREMIUM_RATE, False),
    ("SN", L.SHARED_COST, "SN", L.SHARED_COST, False),
    ("CI", L.MOBILE, "CI", L.MOBILE, True),
    ("NG", L.MOBILE, "NG", L.MOBILE, True),
    ("BJ", L.MOBILE, "BJ", L.MOBILE, True),
    ("ZA", L.SHARED_COST, "ZA", L.SHARED_COST, False),
    ("KZ", L.MOBILE, "KZ", L.MOBILE, True),
    ("RU", L.MOBILE, "RU", L.MOBILE, True),
    ("RU", L.PREMIUM_RATE, "RU", L.PREMIUM_RATE, False),
    ("AU", L.SHARED_COST, "AU", L.SHARED_COST, False),
    ("YT", L.MOBILE, "YT", L.MOBILE, True),
    ("RE", L.MOBILE, "RE", L.MOBILE, True),
    ("AX", L.FIXED_LINE, "AX", L.FIXED_LINE, True),
    ("MX", L.SHARED_COST, "MX", L.SHARED_COST, False),
    ("AR", L.MOBILE, "AR", L.MOBILE, True),
    ("BR", L.PREMIUM_RATE, "BR", L.PREMIUM_RATE, False),
    ("JP", L.MOBILE, "JP", L.MOBILE, True),
    ("CN", L.SHARED_COST, "CN", L.SHARED_COST, False),
    ("BE", L.PREMIUM_RATE, "BE", L.PREMIUM_RATE, False),
]

GLOBAL_CODES = (800, 808, 870, 878, 881, 882, 883, 888, 979)

KNOWN: list[tuple[str, str, LineType, bool]] = [
    ("+15005550100", "US", L.PERSONAL_NUMBER, True),  # Twilio's magic numbers
    ("+12025550123", "US", L.FIXED_LINE_OR_MOBILE, True),
    ("+237671234567", "CM", L.MOBILE, True),
    ("+61491570006", "AU", L.MOBILE, True),
    ("+447700900123", GLOBAL_REGION, L.UNKNOWN, False),  # no region of +44 claims it
    ("+15555550100", GLOBAL_REGION, L.UNKNOWN, False),
    ("+33000000000", "FR", L.UNKNOWN, False),
]


def example(region: str, line_type: LineType) -> str:
    found = phonenumbers.example_number_for_type(region, getattr(phonenumbers.PhoneNumberType, line_type.name))
    assert found is not None
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def by_calling_code(number: PhoneNumber, *, policy: RegionPolicy) -> str | None:
    """The planted defect: takes the main region of the calling code for the region of the number."""
    parsed = phonenumbers.parse(number.e164)
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return decide_destination(PhoneNumber(number.e164, region, number.line_type), policy=policy)


def test_the_table_is_large_enough() -> None:
    assert len(EXAMPLES) + len(GLOBAL_CODES) + len(KNOWN) >= 40


@pytest.mark.parametrize(("region", "asked", "expected_region", "expected_type", "served"), EXAMPLES)
def test_a_number_has_its_own_region_and_type_and_the_default_policy_judges_them(
    region: str, asked: LineType, expected_region: str, expected_type: LineType, served: bool
) -> None:
    number = canonicalise(example(region, asked))
    assert (number.region, number.line_type) == (expected_region, expected_type)
    assert (decide_destination(number, policy=DEFAULT) is None) is served


@pytest.mark.parametrize(("text", "region", "line_type", "served"), KNOWN)
def test_documentation_numbers_are_judged_as_documented(
    text: str, region: str, line_type: LineType, served: bool
) -> None:
    number = canonicalise(text)
    assert number == PhoneNumber(text, region, line_type)
    assert (decide_destination(number, policy=DEFAULT) is None) is served


@pytest.mark.parametrize("calling_code", GLOBAL_CODES)
def test_satellite_and_global_services_are_served_only_where_they_are_named(calling_code: int) -> None:
    found = phonenumbers.example_number_for_non_geo_entity(calling_code)
    assert found is not None
    number = canonicalise(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))
    named = RegionPolicy(allow_regions=frozenset({GLOBAL_REGION, "CM"}), deny_line_types=frozenset())
    assert number.region == GLOBAL_REGION
    assert decide_destination(number, policy=DEFAULT)
    assert decide_destination(number, policy=RegionPolicy(deny_line_types=frozenset()))
    assert decide_destination(number, policy=RegionPolicy(deny_regions=frozenset({GLOBAL_REGION})))
    assert decide_destination(number, policy=named) is None


def test_the_table_catches_a_policy_by_calling_code() -> None:
    jamaican, policy = canonicalise(example("JM", L.MOBILE)), RegionPolicy(allow_regions=frozenset({"US"}))
    assert decide_destination(jamaican, policy=policy) == "Region JM is not among those allowed."
    assert by_calling_code(jamaican, policy=policy) is None


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (RegionPolicy(allow_regions=frozenset({"JM"})), True),
        (RegionPolicy(allow_regions=frozenset({"US"})), False),
        (RegionPolicy(allow_regions=frozenset()), False),
        (RegionPolicy(deny_regions=frozenset({"US"})), True),
        (RegionPolicy(deny_regions=frozenset({"JM"})), False),
        (RegionPolicy(allow_regions=frozenset({"JM"}), deny_regions=frozenset({"JM"})), False),
        (RegionPolicy(deny_line_types=frozenset({L.MOBILE})), False),
    ],
)
def test_region_lists_and_line_types_decide_over_a_jamaican_mobile(policy: RegionPolicy, served: bool) -> None:
    assert (decide_destination(canonicalise(example("JM", L.MOBILE)), policy=policy) is None) is served


def test_a_reason_names_the_rule_and_not_the_number() -> None:
    premium = canonicalise("+19005550100")
    reason = decide_destination(premium, policy=DEFAULT)
    assert reason == "Numbers of line type premium_rate are not served."


@pytest.mark.parametrize("region", ["UK", "us", "USA", "ZZ", "", "+44"])
def test_a_region_that_does_not_exist_is_refused_when_the_policy_is_made(region: str) -> None:
    with pytest.raises(ConfigurationError, match="No such region"):
        RegionPolicy(deny_regions=frozenset({region}))
    with pytest.raises(ConfigurationError, match="No such region"):
        RegionPolicy(allow_regions=frozenset({region, "CM"}))
