"""What is wrong with settings, in the words of those who write them.

Rules of this file: a refusal names the variable and the rule, and holds nothing of what was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, cast

from pydantic import SecretStr, ValidationError

from otpcore.errors import ConfigurationError, PepperError

__all__ = ["refusal_of"]

SHOWN_AGAIN: Final = 4
"""Given texts of this length or more are cut out of a validator's words."""
WORDS: Final[Mapping[str, str]] = MappingProxyType({"missing": "is missing", "bool_parsing": "must be true or false"})
"""By pydantic's type of an error; its own words speak of fields and inputs."""


def refusal_of(error: ValidationError, variables: Mapping[str, tuple[str, ...]]) -> ConfigurationError:
    """Each broken rule under the variable that broke it.

    Args:
        error: of the model that these variables fill.
        variables: those of each field, first the one that wins.
    """
    by_any_name = {name: (field, names) for field, names in variables.items() for name in (field, *names)}
    rules: list[str] = []
    peppers: list[bool] = []
    for each in error.errors(include_url=False, include_context=False):
        place = str(each["loc"][0]) if each["loc"] else ""
        field, names = by_any_name.get(place, (place, ()))
        shown = f"{names[0]} (or {', '.join(names[1:])})" if names[1:] else "".join(names)
        rule = each["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        rule = WORDS.get(each["type"], rule.replace("Input should be", "must be"))
        for text in sorted(set(_texts(each["input"])), key=len, reverse=True):
            rule = rule.replace(text, "…") if len(text) >= SHOWN_AGAIN else rule
        rules.append(f"{shown}: {rule}".removeprefix(": ").rstrip("."))
        peppers.append(field in {"pepper", "previous_peppers"})
    message = f"These settings cannot be accepted. {'; '.join(rules)}."
    return PepperError(message) if all(peppers) else ConfigurationError(message)


def _texts(given: object) -> Iterator[str]:
    """Every text in an input, secrets included."""
    if isinstance(given, SecretStr):
        yield given.get_secret_value()
    elif isinstance(given, str):
        yield given
    elif isinstance(given, Mapping):
        yield from _texts(tuple(cast("Mapping[object, object]", given).values()))
    elif isinstance(given, (tuple, list)):
        for part in cast("Iterable[object]", given):
            yield from _texts(part)
