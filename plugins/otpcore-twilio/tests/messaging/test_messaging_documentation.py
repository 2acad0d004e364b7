"""The page of the Messaging provider says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, SecretStr

from otpcore_twilio import TwilioMessagingSettings
from otpcore_twilio.messaging.translate import LONGEST_TEXT, LONGEST_VALIDITY_S, OF_MESSAGES

PAGE = (Path(__file__).parents[4] / "docs" / "providers" / "twilio-messaging.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under a heading of the second level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def written(value: object) -> str:
    """A default as the page writes it."""
    if value is None or value == "":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_settings_of_the_page_are_those_of_the_model() -> None:
    lines = [line for line in section("Settings").splitlines() if line.startswith("| `")]
    cells = [re.fullmatch(r"\| `(\w+)` \| (.*?) ?\| (.*?) ?\| (.+) \|", line) for line in lines]
    shown = {found[1]: (re.findall(r"`(\w+)`", found[2]), found[3]) for found in cells if found}
    assert len(shown) == len(lines)
    held: dict[str, tuple[list[str], str]] = {}
    for name, field in TwilioMessagingSettings.model_fields.items():
        alias: Any = field.validation_alias
        choices = [str(each) for each in alias.choices if each != name] if isinstance(alias, AliasChoices) else []
        held[name] = (choices, written(field.default))
    assert shown == held


def test_the_model_has_no_secret_that_is_plain_text() -> None:
    fields = TwilioMessagingSettings.model_fields.items()
    secret = {name for name, field in fields if SecretStr in getattr(field.annotation, "__args__", ())}
    assert secret == {name for name, _ in fields if re.search("secret|token", name)}


def test_the_bounds_and_parameters_of_the_page_are_those_of_the_code() -> None:
    text = section("What a send is")
    assert f"{LONGEST_TEXT:,} characters" in text
    assert f"1 to {LONGEST_VALIDITY_S:,}" in text
    assert [name for name in OF_MESSAGES if f"`{name}` in `extra`" in text] == ["RiskCheck"]


def test_the_page_has_every_chapter_that_an_operator_needs() -> None:
    wanted = {"Verify or Messaging", "An account and a sender", "Settings", "Receipts", "Feedback", "Errors"}
    assert wanted | {"Troubleshooting"} <= set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
