"""The page of the provider says what the code does: its tables are those of the modules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import AliasChoices, SecretStr

from otpcore_twilio import TwilioSettings
from otpcore_twilio.parameters import OF_CHECKS, OF_SENDS, Parameter
from otpcore_twilio.receipts import STATES

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "twilio.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under a heading of the second level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every line of every table in a text, without their headings."""
    lines = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line] for line in lines]


def written(value: object) -> str:
    """A default as the page writes it."""
    if value is None or value in {"", ()}:
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(cast('tuple[str, ...]', value))}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_settings_of_the_page_are_those_of_the_model() -> None:
    shown = {
        name.strip("`"): (re.findall(r"`(\w+)`", names), default)
        for name, names, default, _ in (
            re.fullmatch(r"\| (`\w+`) \| (.*?) ?\| (.*?) ?\| (.+) \|", line).groups()  # type: ignore[union-attr]  # else it fails
            for line in section("Settings").splitlines()
            if line.startswith("| `")
        )
    }
    held: dict[str, tuple[list[str], str]] = {}
    for name, field in TwilioSettings.model_fields.items():
        alias: Any = field.validation_alias
        choices = [str(each) for each in alias.choices if each != name] if isinstance(alias, AliasChoices) else []
        held[name] = (choices, written(field.default))
    assert shown == held


def test_the_model_has_no_secret_that_is_plain_text() -> None:
    fields = TwilioSettings.model_fields.items()
    kinds = {name: getattr(field.annotation, "__args__", ()) for name, field in fields}
    assert {name for name, kind in kinds.items() if SecretStr in kind} == {
        name for name in kinds if re.search("secret|token", name)
    }


@pytest.mark.parametrize(("place", "table"), [(0, OF_SENDS), (1, OF_CHECKS)])
def test_the_parameters_of_the_page_are_those_that_are_passed_on(place: int, table: dict[str, Parameter]) -> None:
    text = section("What a send may carry").split("In `extra` of `check`:")[place]
    assert {name.strip("`"): rule for name, rule in rows(text)} == {name: one.rule for name, one in table.items()}


def test_the_states_of_the_page_are_those_of_receipts() -> None:
    text = section("Receipts").partition("| Twilio's word |")[2]
    shown = {word.strip("`"): state for word, state in rows(text)}
    assert shown == {word: state.name for word, state in STATES.items()}


def test_the_page_has_every_chapter_that_an_operator_needs() -> None:
    wanted = {"An account and a service", "Settings", "Channels", "Templates", "Payments (PSD2)", "Limits and costs"}
    assert wanted | {"Receipts", "Errors", "Troubleshooting"} <= set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
