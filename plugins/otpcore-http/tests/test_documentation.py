"""The page says what the code does: its tables are those of the modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import otpcore_http
from otpcore.ports import FailureKind, SendEffect
from otpcore_http import preset
from otpcore_http.fakes.africastalking import STATUSES
from otpcore_http.receipt_rules import Receipts
from otpcore_http.templates import PLACEHOLDERS

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "http.md").read_text("utf-8")
TYPES = {each.name: each for each in otpcore_http.otpcore_providers()}


def rows(title: str) -> list[list[str]]:
    """The cells of the tables under a heading, without the heads."""
    section = re.split(rf"^#+ {re.escape(title)}\n", PAGE, maxsplit=1, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if re.match(r"\| [`0-9]", line)]
    return [[cell.strip() for cell in line] for line in lines]


@pytest.mark.parametrize("name", TYPES)
def test_the_settings_of_the_page_are_those_of_the_model(name: str) -> None:
    shown = {cells[0].strip("`"): cells[1:] for cells in rows(f"Settings of `{name}`") if len(cells) == 3}
    held: dict[str, list[str]] = {}
    for each, field in TYPES[name].settings.model_fields.items():
        default = "" if field.default_factory or field.default in {None, ""} else f"`{field.default!s}`"
        held[each] = [default.lower() if isinstance(field.default, bool) else default, field.description or ""]
    texts = {each: [default, text.replace("`", "")] for each, (default, text) in shown.items()}
    assert texts == {each: [default, text.replace("`", "")] for each, (default, text) in held.items()}


def test_the_placeholders_of_the_page_are_those_that_there_are() -> None:
    shown = {cells[0].strip("`{}"): cells[1] for cells in rows("The request") if cells[0].startswith("`{")}
    assert shown == dict(PLACEHOLDERS)


def test_the_codes_of_africas_talking_are_those_of_its_preset() -> None:
    told = {cells[0]: cells for cells in rows("Settings of `africastalking`") if len(cells) == 4}
    rules = {rule.code: rule for rule in preset("africastalking").errors}
    assert {int(code) for cell in told for code in cell.split(",")} == set(STATUSES)
    for code, (_, word, kind, effect) in told.items():
        if "," in code:
            continue
        assert word == STATUSES[int(code)]
        assert kind == f"`{rules[code].kind}`"
        unknown = rules[code].kind is FailureKind.INTERNAL
        assert effect == f"`{SendEffect.UNKNOWN if unknown else SendEffect.NOT_SENT}`"


def test_every_kind_of_proof_is_on_the_page() -> None:
    union = Receipts.model_fields["auth"].annotation
    kinds = {each.model_fields["kind"].annotation.__args__[0] for each in union.__args__}  # type: ignore[union-attr]  # a union of models
    assert {cells[0].strip("`") for cells in rows("Receipts") if len(cells) == 3} == {"kind", *kinds}
