"""The tables of the facade's page are the facade's: rows, ladder, environment names, fields of a record, calls."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from otpcore.legacy import Desk, LegacySettings, OTP_Model, Svretries
from otpcore.legacy.model import MOVE
from otpcore.legacy.records import Column
from otpcore.policy import DEFAULT
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.docs.pages import ROOT, prose, read, rows

PAGE = read(ROOT / "docs" / "reference" / "legacy.md")
GUIDE = read(ROOT / "docs" / "howto" / "migrate-from-legacy.md")
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


def section(page: str, heading: str) -> str:
    """What stands under a heading."""
    found = prose(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert found
    return found


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def names_of_old() -> dict[str, str]:
    """The legacy names that the facade reads, and their fields."""
    fields = {"strict": "OTPCORE_LEGACY_STRICT"}
    return {fields.get(name, name.upper()): name for name in LegacySettings.model_fields}


def told_variables(page: str) -> dict[str, str]:
    """The variables of the first table under "Environment", and their defaults."""
    table = section(page, "Environment").partition("The four waits")[0]
    return {name: row[1] for row in rows(table, 3) for name in names(row[0])}


def test_the_twelve_rows_are_there_in_their_order() -> None:
    table = list(rows(section(PAGE, "The twelve rows"), 3))
    assert [row[0] for row in table] == ["#", *map(str, range(1, 13))]


def test_every_call_of_the_class_is_in_a_row() -> None:
    told = " ".join(row[1] for row in rows(section(PAGE, "The twelve rows"), 3))
    called = {name for name in vars(OTP_Model) if not name.startswith("_")} | {"phone_number"}
    assert {name for name in called if f".{name}" not in told} == set()


def test_every_legacy_variable_is_in_the_table_and_no_other() -> None:
    told = told_variables(PAGE)
    assert {name for name in told if not name.startswith("TWILIO_")} == set(names_of_old())


def test_the_defaults_in_the_table_are_those_that_hold() -> None:
    told = told_variables(PAGE)
    waits = [str(int(wait.total_seconds() * 1000)) for wait in DEFAULT.ladder]
    assert [told[f"{name}_RESEND_DURATION"] for name in ("FIRST", "SECOND", "THIRD", "FOURTH")] == waits
    assert told["ENABLE_OTP"] == str(LegacySettings().enable_otp).lower()
    assert told["OTPCORE_LEGACY_STRICT"] == str(LegacySettings().strict).lower()


def test_every_old_name_has_a_new_one_or_is_removed() -> None:
    told = section(GUIDE, "5. Drop the facade")
    assert {name for name in names_of_old() if name not in told and "RESEND_DURATION" not in name} == set()
    assert "`FIRST_RESEND_DURATION` … `FOURTH_RESEND_DURATION`" in told


def test_every_field_of_a_record_is_in_the_table() -> None:
    told = {name for row in rows(section(PAGE, "The resend record"), 2) for name in names(row[0])}
    assert told == {name for name, value in vars(Svretries).items() if isinstance(value, Column)}


def test_every_call_of_the_records_is_in_the_table() -> None:
    told = " ".join(row[0] for row in rows(section(PAGE, "The resend record"), 3))
    called = {
        name for name, value in vars(Svretries).items() if not name.startswith("_") and not isinstance(value, Column)
    }
    assert {name for name in called - {"DoesNotExist"} if f".{name}(" not in told} == set()
    assert "`Svretries.DoesNotExist`" in PAGE


def told_ladder(page: str) -> list[tuple[int, int]]:
    """Minutes and count after each send, as the page has them."""
    minutes = {"2 min": 2, "5 min": 5, "15 min": 15, "24 h": 1440}
    table = rows(section(page, "The ladder"), 3)
    return [(minutes[wait], int(count[0])) for _, wait, count in table if wait in minutes]


def counted_ladder(sends: int) -> list[tuple[int, int]]:
    """The same, of a record that counts as many sends, each as soon as it may be."""
    now = [START]
    desk = Desk(MemoryStore(), FakeProvider(), clock=lambda: now[0])
    seen: list[tuple[int, int]] = []
    for _ in range(sends):
        ladder = desk.count("unique", "user").ladder
        assert ladder.next_at is not None
        seen.append((int((ladder.next_at - now[0]).total_seconds() / 60), ladder.count))
        now[0] = ladder.next_at + timedelta(milliseconds=1)
    return seen


def test_the_ladder_of_the_page_is_what_add_count_leaves() -> None:
    assert told_ladder(PAGE) == counted_ladder(5)


@pytest.mark.parametrize(
    ("true", "false"), [("| 24 h | 4 |", "| 24 h | 5 |"), ("| 2 min | 1: the", "| 5 min | 1: the")]
)
def test_another_ladder_on_the_page_is_noticed(true: str, false: str) -> None:
    assert told_ladder(PAGE.replace(true, false)) != counted_ladder(5)


@pytest.mark.parametrize("changed", ["`ENABLED`", "`ENABLE_OTP`, `SOMETHING`"])
def test_another_variable_on_the_page_is_noticed(changed: str) -> None:
    assert set(told_variables(PAGE.replace("`ENABLE_OTP`", changed, 1))) != set(told_variables(PAGE))


def test_what_silences_the_warning_is_its_own_text() -> None:
    """That the filter works, the page's program shows, where a warning is an error."""
    action, message, category = re.findall(r'"(ignore:[^"]*)"', GUIDE)[0].split(":")
    assert (action, category) == ("ignore", DeprecationWarning.__name__)
    assert f'message="{message}"' in GUIDE
    assert MOVE.startswith(message)
    assert "docs/howto/migrate-from-legacy.md" in MOVE
