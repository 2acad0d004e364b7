"""The page of the fake shows its numbers as they are."""

from __future__ import annotations

from pathlib import Path

from otpcore.ports import CheckVerdict, Failure, FailureKind, SendEffect
from otpcore.providers.fake import DELIVERIES, MAGIC_NUMBERS, Outcome, Vanished

PAGE = Path(__file__).parents[2] / "docs" / "providers" / "fake.md"
LEAVES = {FailureKind.TIMEOUT, FailureKind.INTERNAL}


def shown(number: str) -> str:
    return f"`+1 {number[2:5]} {number[5:8]} {number[8:]}`"


def row(number: str, outcome: Outcome) -> str:
    match outcome:
        case FailureKind():
            effect = SendEffect.UNKNOWN if outcome in LEAVES else SendEffect.NOT_SENT
            told = ("send", outcome.value, effect.value, "yes" if outcome in LEAVES else "no")
        case Failure(kind=kind, effect=effect, scope=scope, retry_after=wait):
            more = f", scope {scope.value}, retry after {wait.total_seconds():g} s" if wait else ""
            told = ("send", f"{kind.value}{more}", effect.value, "yes" if effect is SendEffect.UNKNOWN else "no")
        case Vanished(kind=kind):
            told = ("send", kind.value, "unknown", "no")
        case CheckVerdict():
            told = ("check", outcome.value, "", "")
        case _:
            raise AssertionError(outcome)
    return f"| {shown(number)} | {' | '.join(told)} |"


def rows() -> list[str]:
    """The rows of both tables, as the page has them."""
    ordered = [row(number, outcome) for number, outcome in sorted(MAGIC_NUMBERS.items())]
    return [*ordered, *(f"| {shown(number)} | {state.value} |" for number, state in sorted(DELIVERIES.items()))]


def test_every_number_is_on_the_page_and_no_other() -> None:
    found = [line for line in PAGE.read_text().splitlines() if line.startswith("| `+1 303")]
    assert found == rows()
