# ruff: noqa: INP001  # a script, no package
"""Draws docs/state-machine.md from the transition tables of `otpcore.machine`.

Run it to write the page; with `--check` it only says whether the page is as drawn (exit code 1 when not).

Rules of this file: nothing is said here of a transition; the tables are the source.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from otpcore.machine import (
    CHECK_TRANSITIONS,
    SEND_TRANSITIONS,
    SESSION_TRANSITIONS,
    CheckEvent,
    SendEvent,
    SessionEvent,
)
from otpcore.model import CheckState, SendState, SessionStatus

PAGE = Path(__file__).with_name("state-machine.md")

Table = Mapping[Any, Any]
"""Of one of the machines: state and event to state."""

HEAD = """# The three state machines

Drawn from the tables in `otpcore/machine.py` by `docs/generate_state_machine.py`; a test fails when this page and the
tables differ. An event that a state does not list changes nothing, so every state takes every event.
"""

MACHINES: tuple[tuple[str, str, StrEnum, Table, Iterable[StrEnum], Iterable[StrEnum]], ...] = (
    (
        "A session",
        "Only `pending` has a way out, and each session takes one way once.",
        SessionStatus.PENDING,
        SESSION_TRANSITIONS,
        SessionStatus,
        SessionEvent,
    ),
    (
        "A send",
        "`reserved` to `refused` gives the step of the ladder back; `unknown` to `refused` never. Arrived is arrived.",
        SendState.RESERVED,
        SEND_TRANSITIONS,
        SendState,
        SendEvent,
    ),
    (
        "A try at a code",
        "A try that turns out right, or that the provider never compared, is taken off the record instead.",
        CheckState.CLAIMED,
        CHECK_TRANSITIONS,
        CheckState,
        CheckEvent,
    ),
)


def diagram(first: StrEnum, table: Table, states: Iterable[StrEnum]) -> list[str]:
    """A Mermaid state diagram."""
    ways = [f"    {source} --> {target}: {happened}" for (source, happened), target in table.items()]
    leaving = {source for source, _ in table}
    ends = [f"    {state} --> [*]" for state in states if state not in leaving]
    return ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *ways, *ends, "```"]


def rows(table: Table, states: Iterable[StrEnum], events: Iterable[StrEnum]) -> list[str]:
    """State by event; a dot where nothing changes."""
    columns = list(events)
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    return lines + [
        f"| `{state}` | {' | '.join(table.get((state, event), '·') for event in columns)} |" for state in states
    ]


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, rule, first, table, states, events in MACHINES:
        parts.append(f"## {title}\n\n{rule}\n")
        parts.append("\n".join(diagram(first, table, states)) + "\n")
        parts.append("\n".join(rows(table, states, events)) + "\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    if "--check" in arguments:
        return int(PAGE.read_text("utf-8") != page())
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
