"""The page of the providers says what the code does: its tables are those of the modules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import AliasChoices, BaseModel, SecretStr

from otpcore_aws import AwsSettings, SnsSettings
from otpcore_aws.error_table import ERRORS, REASONS
from otpcore_aws.parameters import SNS_EXTRA, TEXT_EXTRA
from otpcore_aws.receipts import STATES
from otpcore_aws.settings import AccountSettings

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "aws.md").read_text("utf-8")
SHARED = AccountSettings.model_fields


def section(title: str) -> str:
    """The text under a heading of the second level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every line of every table in a text that begins with a name."""
    lines = [
        line.strip().removeprefix("|").removesuffix("|").split("|") for line in text.splitlines() if line[:3] == "| `"
    ]
    return [[cell.strip() for cell in line] for line in lines]


def written(value: object) -> str:
    """A default as the page writes it."""
    if value is None or value in ("", (), {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def held(model: type[BaseModel]) -> list[list[str]]:
    """The rows that the settings of a model should have, those that both share aside."""
    found: list[list[str]] = []
    for name, field in model.model_fields.items():
        alias: Any = field.validation_alias
        choices = [f"`{each}`" for each in alias.choices if each != name] if isinstance(alias, AliasChoices) else []
        default: object = field.get_default(call_default_factory=True)
        if model is AccountSettings or name not in SHARED:
            found.append([f"`{name}`", ", ".join(choices), written(default), field.description or ""])
    return found


def test_the_settings_of_the_page_are_those_of_the_models() -> None:
    assert rows(section("Settings")) == [*held(AccountSettings), *held(AwsSettings), *held(SnsSettings)]


@pytest.mark.parametrize("model", [AwsSettings, SnsSettings])
def test_the_models_have_no_secret_that_is_plain_text(model: type[BaseModel]) -> None:
    kinds = {name: getattr(field.annotation, "__args__", ()) for name, field in model.model_fields.items()}
    assert {name for name, kind in kinds.items() if SecretStr in kind} == {
        name for name in kinds if re.search("secret|token", name)
    }


def test_the_errors_of_the_page_are_those_of_the_table() -> None:
    table: list[list[str]] = [
        [f"`{code}`", f"`{reason}`", row.kind.name, row.text] for (code, reason), row in REASONS.items()
    ]
    table += [[f"`{code}`", "", row.kind.name, row.text] for code, row in ERRORS.items()]
    assert rows(section("Errors")) == table


def test_the_states_of_the_page_are_those_of_receipts() -> None:
    assert rows(section("Receipts")) == [[f"`{kind}`", state.name] for kind, state in STATES.items()]


def test_the_parameters_of_the_page_are_those_that_are_passed_on() -> None:
    shown = {
        row[0]: set(cast("list[str]", re.findall(r"`([^`]+)`", row[1])))
        for row in rows(section("What a send may carry"))
    }
    assert shown == {"`aws`": {*TEXT_EXTRA}, "`aws-sns`": {*SNS_EXTRA}}
