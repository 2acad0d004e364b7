"""The tables of the emulator's page are the emulator's: numbers, options of the command, requests, fields."""

from __future__ import annotations

import re
from dataclasses import fields

import typer.main
from starlette.routing import Route

from otpcore_twilio.emulator import (
    DELIVERIES,
    FROM_NUMBERS,
    MAGIC,
    MESSAGE_MAGIC,
    Account,
    Fault,
    Operation,
    Options,
    Scenario,
    asgi,
)
from otpcore_twilio.emulator.catalogue import ERRORS
from otpcore_twilio.emulator.command import app
from tests.docs.pages import ROOT, read, rows

PAGE = read(ROOT / "docs" / "providers" / "twilio-emulator.md")


def first_cells(heading: str) -> set[str]:
    """The code in the first cells of the tables under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = {name for line in section.splitlines() for name in re.findall(r"^\| `([^`]+)`", line)}
    assert found
    return found


def test_every_error_and_its_numbers_are_in_the_table() -> None:
    shown = {row for row in rows(PAGE, 4) if row[0].isdigit()}
    right: set[tuple[str, ...]] = set()
    for code in {row.outcome for row in MAGIC.values() if not isinstance(row.outcome, Fault)}:
        found = {row.on: row for row in MAGIC.values() if row.outcome == code}
        cells: list[str] = []
        for operation in (Operation.CREATE, Operation.CHECK):
            row = found.get(operation)
            only = f" ({', '.join(row.channels)})" if row and row.channels else ""
            cells.append(f"{row.number}{only}" if row else "")
        right.add((str(code), f"{ERRORS[code].status}{'?' * ERRORS[code].status_is_guess}", *cells))
    assert shown == right


def test_every_fault_and_its_numbers_are_in_the_table() -> None:
    shown = {row for row in rows(PAGE, 5) if row[0] in set(Fault)}
    numbers = {(row.outcome, row.on, row.processed): row.number for row in MAGIC.values()}
    cases = [(on, processed) for on in (Operation.CREATE, Operation.CHECK) for processed in (False, True)]
    assert shown == {(fault.value, *(numbers[fault, *case] for case in cases)) for fault in Fault}


def test_every_delivery_and_its_number_are_in_the_table() -> None:
    shown = {row for row in rows(PAGE, 3) if row[0].startswith("+")}
    assert shown == {(number, ", ".join(row.statuses), str(row.error_code or "")) for number, row in DELIVERIES.items()}


def test_every_error_of_a_message_and_its_numbers_are_in_the_tables() -> None:
    section = PAGE.partition("\n## Messages\n")[2].partition("\n## ")[0]
    right: dict[int, set[str]] = {}
    for row in MESSAGE_MAGIC.values():
        if not isinstance(row.outcome, Fault):
            right.setdefault(row.outcome, set()).add(row.number)
    shown = {int(code): (status, numbers) for code, status, numbers in rows(section, 3) if code.isdigit()}
    assert shown == {
        code: (f"{ERRORS[code].status}{'?' * ERRORS[code].status_is_guess}", ", ".join(sorted(numbers)))
        for code, numbers in right.items()
    }
    senders = {number: int(code) for code, number in rows(section, 2) if code.isdigit()}
    assert senders == FROM_NUMBERS


def test_a_message_is_spoiled_by_the_same_numbers_as_a_verification() -> None:
    of_messages, of_sends = (
        {
            number: (row.outcome, row.processed)
            for number, row in table.items()
            if isinstance(row.outcome, Fault) and row.on is on
        }
        for table, on in ((MESSAGE_MAGIC, Operation.MESSAGE), (MAGIC, Operation.CREATE))
    )
    assert of_messages == of_sends


def test_every_option_of_the_command_is_in_the_table() -> None:
    shown = {option.partition(" ")[0] for option in first_cells("As a process")}
    (command,) = [typer.main.get_command(app)]
    taken = {name for parameter in command.params for name in parameter.opts}
    assert shown == taken - {"--help"}


def test_every_request_of_control_is_in_the_table() -> None:
    shown = {request.partition("?")[0] for request in first_cells("Control over HTTP")}
    served = {
        f"{method} {route.path}"
        for route in asgi(Account()).routes
        if isinstance(route, Route) and re.fullmatch(r"/_emulator/\w+", route.path)
        for method in (route.methods or set[str]()) - {"HEAD"}
    }
    assert shown == served


def test_every_field_of_a_scenario_is_in_the_table() -> None:
    assert first_cells("Faults") == set(Scenario.model_fields)


def test_every_option_is_in_the_tables() -> None:
    section = PAGE.partition("\n## Options\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    shown = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(shown) == sorted(field.name for field in fields(Options))


def test_the_defaults_of_what_is_not_known_are_those_of_the_table() -> None:
    section = PAGE.partition("Where the sources disagree")[2].partition("\n## ")[0]
    table = [row for row in rows(section, 4) if row[0].startswith("`")]
    assert len(table) > 10
    for name, default, *_ in table:
        right = str(getattr(Options(), name.strip("`")))
        assert default == {"frozenset({20429})": "20429", "{}": "none"}.get(right, right), name
