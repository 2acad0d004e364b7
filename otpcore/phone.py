"""The one canonicaliser: text in, E.164 with region and line type out; and the policy over destinations.

Rules of this file: it refuses and never repairs, because two readings of one text are two budgets for one
person; a text is judged once, before any limiter, log or store. Pure: no clock, no environment, no I/O. No
message and no `repr` holds more of a number than its last two digits, and nothing of a number is cached, since it
lives only while a call is in flight. `phonenumbers` is imported where it is used: `import otpcore` stays cheap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, NamedTuple

from otpcore.contract import mask
from otpcore.errors import ConfigurationError, InvalidNumber

__all__ = [
    "GLOBAL_REGION",
    "LineType",
    "PhoneNumber",
    "RegionPolicy",
    "canonicalise",
    "decide_destination",
    "metadata_version",
]

GLOBAL_REGION = "001"
"""The UN's code for the world: satellite and global services (+870, +878, +881, +882, +883, +888, +979, +800,
+808), and numbers of a shared calling code that no region of it claims."""

MAX_TEXT = 32
"""Longest text that is looked at, in characters: 15 digits (E.164, section 6), a plus and generous separators."""

MIN_DIGITS = 7
"""Fewest digits of a number, its calling code included; a shorter text may be a code and shows nothing of itself."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PLAIN = re.compile(r"[0-9 .()+-]*")
# Single separators between digits and at most one group in parentheses. Every digit is its own step of the
# pattern, so that there is one way to match a text and no backtracking to exploit.
_SPELLING = re.compile(r"\+?(?:[0-9](?:[ .-]?[0-9])*[ .-]?)?(?:\([0-9]{1,5}\)[ .-]?)?[0-9](?:[ .-]?[0-9])*")
_SEPARATORS = str.maketrans("", "", " .()-")


class LineType(StrEnum):
    """What a number reaches, as far as the numbering plan tells."""

    MOBILE = "mobile"
    FIXED_LINE = "fixed_line"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    UNKNOWN = "unknown"  # of a possible length, in no range that the metadata knows


_RANGES = (
    LineType.PREMIUM_RATE,
    LineType.TOLL_FREE,
    LineType.SHARED_COST,
    LineType.VOIP,
    LineType.PERSONAL_NUMBER,
    LineType.PAGER,
    LineType.UAN,
    LineType.VOICEMAIL,
    LineType.FIXED_LINE,
    LineType.MOBILE,
)
"""Those with a range of their own in the metadata, by its names; a number in two of them is of the earlier one."""


class _Plan(NamedTuple):
    """What the metadata says of a region's national numbers.

    Attributes:
        leading: how they begin, where that tells them from others of a shared calling code.
        every: the digits of all.
        ranges: a line type, the lengths of its numbers and their digits, in the order of `_RANGES`.
    """

    leading: re.Pattern[str] | None
    every: re.Pattern[str]
    ranges: tuple[tuple[LineType, tuple[int, ...], re.Pattern[str]], ...]

    def line_type(self, national: str) -> LineType:
        """That of a national number, with its leading zeros."""
        if not self.every.fullmatch(national):
            return LineType.UNKNOWN
        length = len(national)
        found = [each for each, lengths, digits in self.ranges if length in lengths and digits.fullmatch(national)]
        if found == [LineType.FIXED_LINE, LineType.MOBILE]:
            return LineType.FIXED_LINE_OR_MOBILE
        return found[0] if found else LineType.UNKNOWN


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number in its one spelling.

    Attributes:
        e164: `+` and 7 to 15 ASCII digits, the first of them not 0. Masked in the `repr`.
        region: ISO 3166-1 alpha-2 of the number itself, not of its calling code (+1 876 is "JM");
            `GLOBAL_REGION` where it belongs to none.
        line_type: what the numbering plan says of its range.
    """

    e164: str
    region: str
    line_type: LineType

    kind: ClassVar[str] = "phone"

    def __post_init__(self) -> None:
        """Refuse what `canonicalise` would not have made: another spelling is another budget.

        Raises:
            InvalidNumber: it is not in E.164.
        """
        if _E164.fullmatch(self.e164) is None:
            raise InvalidNumber(f"A PhoneNumber is in E.164, which {mask(self.e164)} is not; use canonicalise().")

    @property
    def address(self) -> str:
        """What a provider is given: `e164`."""
        return self.e164

    @property
    def identity(self) -> str:
        """What the recipient's record is kept under: `e164`."""
        return self.e164

    def __repr__(self) -> str:
        return f"PhoneNumber({mask(self.e164)}, region={self.region!r}, line_type={self.line_type.value!r})"


@dataclass(frozen=True, slots=True)
class RegionPolicy:
    """Which destinations are served. The default serves every region and refuses what costs or cannot be judged.

    Attributes:
        allow_regions: the only regions served; None serves all but `GLOBAL_REGION`, which has to be named.
        deny_regions: never served, whatever `allow_regions` says.
        deny_line_types: never served. Personal numbers are not among the defaults: Twilio's magic numbers
            (+1 500 555) are of that type, and the United Kingdom caps what ending a call on its own (070)
            may cost at the rate of a mobile (Ofcom, "Personal numbering", 2018-10-01).

    Raises:
        ConfigurationError: a region that does not exist ("UK"), which would otherwise protect from nothing.
    """

    allow_regions: frozenset[str] | None = None
    deny_regions: frozenset[str] = frozenset()
    deny_line_types: frozenset[LineType] = field(
        default=frozenset({LineType.PREMIUM_RATE, LineType.SHARED_COST, LineType.UNKNOWN})
    )

    def __post_init__(self) -> None:
        named = self.deny_regions | (self.allow_regions or frozenset())
        if named:
            unknown = sorted(region for region in named if not _is_region(region) and region != GLOBAL_REGION)
            if unknown:
                raise ConfigurationError(
                    f"No such region: {', '.join(unknown)}. Write ISO 3166-1 alpha-2 in capitals (GB, CM), "
                    f'or "{GLOBAL_REGION}" for satellite and global services.'
                )


def canonicalise(text: str, *, region: str | None = None) -> PhoneNumber:
    """The one number that a text plainly is.

    Args:
        text: E.164, or the same digits with single spaces, hyphens, dots and one pair of parentheses between
            them; at most 32 characters. Without a leading `+` only together with `region`.
        region: ISO 3166-1 alpha-2 in capitals, where the text may be written nationally ("020 7946 0958",
            "GB"). A text with a leading `+` is read without it.

    Returns:
        The number. It need not be in service, nor in a range that the metadata knows (then its line type is
        UNKNOWN); `decide_destination` judges that. Canonical text comes back as it is.

    Raises:
        InvalidNumber: everything else, of whatever type; nothing else is ever raised.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidNumber(f"A phone number is text, not {type(text).__name__}.")
    if region is not None and not _is_region(region):
        raise InvalidNumber("The region is not a two-letter ISO code in capitals (GB, CM).")
    if _E164.fullmatch(text):
        return _judge(text, text)
    _refuse_what_is_not_plain(text)
    digits = text.translate(_SEPARATORS)
    if digits.startswith("+"):
        return _judge(digits, text)
    if region is None:
        raise _invalid(text, "has no leading +; write it as + and the calling code, or give its region")
    return _judge(_from_national(digits, region, text), text)


def decide_destination(number: PhoneNumber, *, policy: RegionPolicy) -> str | None:
    """Whether the policy serves a number.

    Returns:
        None where it does; else a sentence for an operator that says which rule refused. It holds nothing of
        the number but region and line type.
    """
    region, allowed = number.region, policy.allow_regions
    if number.line_type in policy.deny_line_types:
        return f"Numbers of line type {number.line_type.value} are not served."
    if region in policy.deny_regions:
        return f"Region {region} is denied."
    if allowed is None:
        return "Satellite and global services (region 001) are not served." if region == GLOBAL_REGION else None
    return None if region in allowed else f"Region {region} is not among those allowed."


def metadata_version() -> str:
    """The release of the numbering-plan metadata in use, as `phonenumbers` counts them ("9.0.43")."""
    import phonenumbers  # noqa: PLC0415  # see the rules of this file

    return phonenumbers.__version__


def _is_region(region: object) -> bool:
    import phonenumbers  # noqa: PLC0415  # see the rules of this file

    return isinstance(region, str) and region in phonenumbers.SUPPORTED_REGIONS


def _invalid(text: str, wrong: str) -> InvalidNumber:
    shown = mask(text) if len(text) >= MIN_DIGITS and text.isascii() and text[-2:].isdigit() else "…"
    return InvalidNumber(f"The text ({shown}) {wrong}.")


def _refuse_what_is_not_plain(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise InvalidNumber(f"The text is longer than {MAX_TEXT} characters; give the phone number alone.")
    if not text:
        raise InvalidNumber("The text is empty; give a phone number.")
    if not text.isascii() or not text.isprintable():
        raise _invalid(text, "holds invisible or non-ASCII characters; write it with 0-9 alone")
    if not _PLAIN.fullmatch(text):
        raise _invalid(text, "holds letters or signs; give the number alone, without extension, scheme or words")
    if not _SPELLING.fullmatch(text):
        raise _invalid(text, "has separators, parentheses or a plus at an odd place; write + and digits")


def _from_national(digits: str, region: str, text: str) -> str:
    """E.164 of digits as they are written inside a region, with or without its national prefix."""
    import phonenumbers  # noqa: PLC0415  # see the rules of this file

    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        raise _invalid(text, f"is not a number of region {region}") from None
    national = phonenumbers.national_significant_number(parsed)
    prefix = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or ""
    # The parser would also take away calling codes, exit codes and carriers' codes, and rewrite old mobile
    # prefixes. Each of those is a second way to read the text.
    if digits not in {national, prefix + national}:
        raise _invalid(text, f"does not read plainly as a number of region {region}; write it as + and calling code")
    return f"+{parsed.country_code}{national}"


def _judge(e164: str, text: str) -> PhoneNumber:
    """The number that E.164 digits are. Valid ones are judged without the parser, which costs as much again."""
    import phonenumbers  # noqa: PLC0415  # see the rules of this file

    if not _E164.fullmatch(e164):
        raise _invalid(text, "does not have 7 to 15 digits, the first of them not 0")
    for width in (1, 2, 3):  # calling codes are prefix-free
        code = int(e164[1 : 1 + width])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            break
    else:
        raise _invalid(text, "starts with a calling code that no region has")
    national = e164[1 + width :]
    region, line_type = _place(code, national)
    if line_type is LineType.UNKNOWN:
        _refuse_what_cannot_be(code, national, e164, text)
    return PhoneNumber(e164, region, line_type)


def _place(code: int, national: str) -> tuple[str, LineType]:
    """What `phonenumbers.region_code_for_number` and `number_type` would answer; there, the one repeats the other."""
    import phonenumbers  # noqa: PLC0415  # see the rules of this file

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    if len(regions) == 1:
        return regions[0], _plan(code, regions[0]).line_type(national)
    for region in regions:
        plan = _plan(code, region)
        if plan.leading is None:
            if (line_type := plan.line_type(national)) is not LineType.UNKNOWN:
                return region, line_type
        elif plan.leading.match(national):
            return region, plan.line_type(national)
    return GLOBAL_REGION, LineType.UNKNOWN


@cache
def _plan(code: int, region: str) -> _Plan:
    """The numbering plan of a region, or of the services that a calling code belongs to alone."""
    import phonenumbers  # noqa: PLC0415  # see the rules of this file

    metadata: Any = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    every, each = metadata.general_desc, [(line_type, getattr(metadata, line_type)) for line_type in _RANGES]
    ranges = tuple(
        (line_type, range_.possible_length or every.possible_length, re.compile(range_.national_number_pattern))
        for line_type, range_ in each
        if range_ is not None and range_.national_number_pattern
    )
    leading = None if metadata.leading_digits is None else re.compile(metadata.leading_digits)
    return _Plan(leading, re.compile(every.national_number_pattern), ranges)


def _refuse_what_cannot_be(code: int, national: str, e164: str, text: str) -> None:
    """Refuse a number of no known range whose length is wrong, or that holds more than the number."""
    import phonenumbers  # noqa: PLC0415  # see the rules of this file

    significant = national.lstrip("0") or "0"
    zeros = len(national) - len(significant)
    number = phonenumbers.PhoneNumber(
        country_code=code,
        national_number=int(significant),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
    match phonenumbers.is_possible_number_with_reason(number):
        case phonenumbers.ValidationResult.IS_POSSIBLE:
            pass
        case phonenumbers.ValidationResult.TOO_LONG:
            raise _invalid(text, "has too many digits for its calling code")
        case _:
            raise _invalid(text, "has too few digits for its calling code, or a number of them that it does not use")
    if phonenumbers.parse(e164) != number:
        raise _invalid(text, "has a national prefix after its calling code; leave that out")
