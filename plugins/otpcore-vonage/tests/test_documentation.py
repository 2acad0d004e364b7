"""The page of the provider says what the code does: its tables are those of the modules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from pydantic import AliasChoices, SecretStr

from otpcore.ports import FailureKind
from otpcore_vonage import VonageSettings
from otpcore_vonage.error_table import CHECKS, PROBLEMS, SENDS, check_row, send_row
from otpcore_vonage.receipts import FRESH_S, STATES
from otpcore_vonage.translate import EXTRA

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "vonage.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under a heading of the second level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the lines of a table whose first cell begins like this."""
    lines = [line for line in text.splitlines() if re.match(rf"\| {first}", line)]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def written(value: object) -> str:
    """A default as the page writes it."""
    if value is None or value == "":
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(cast('tuple[str, ...]', value))}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_settings_of_the_page_are_those_of_the_model() -> None:
    shown = {
        name.strip("`"): (re.findall(r"`(\w+)`", names), default)
        for name, names, default, _ in rows(section("Settings"), "`")
    }
    held: dict[str, tuple[list[str], str]] = {}
    for name, field in VonageSettings.model_fields.items():
        alias: Any = field.validation_alias
        choices = [str(each) for each in alias.choices if each != name] if isinstance(alias, AliasChoices) else []
        held[name] = (choices, written(field.default))
    assert shown == held


def test_the_model_has_no_secret_that_is_plain_text() -> None:
    fields = VonageSettings.model_fields.items()
    secret = {name for name, field in fields if SecretStr in getattr(field.annotation, "__args__", ())}
    assert secret == {"private_key", "api_secret", "signature_secret"}


def test_the_parameters_of_the_page_are_those_that_are_passed_on() -> None:
    shown = [name for cells in rows(section("What a send may carry"), "`") for name in re.findall(r"`(\w+)`", cells[0])]
    assert shown == list(EXTRA)


def test_the_states_of_the_page_are_those_of_callbacks() -> None:
    assert {word.strip("`"): state for word, state in rows(section("Callbacks"), "`")} == {
        word: state.name for word, state in STATES.items()
    }
    assert f"within {FRESH_S} seconds" in section("Callbacks")


def test_the_errors_of_the_page_are_those_of_the_table() -> None:
    shown = {int(status): (send, check, text) for status, send, check, text in rows(section("Errors"), "[0-9]")}
    held = {
        status: (
            send_row(status, "").kind.name,
            check_row(status)[0].name,
            SENDS[status].text if status in SENDS else check_row(status)[1],
        )
        for status in sorted(SENDS.keys() | CHECKS.keys())
    }
    assert shown == held
    assert all(isinstance(row.kind, FailureKind) for row in PROBLEMS.values())


def test_the_page_has_every_chapter_that_an_operator_needs() -> None:
    wanted = {"An account", "Settings", "What it does by itself", "Adoption", "Callbacks", "Errors"}
    assert wanted <= set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
