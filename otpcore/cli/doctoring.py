"""`doctor`: the findings of `health`, for an operator to read.

Rules of this file: presentation.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, shell_of

__all__ = ["doctor"]

MARKS: Final = {"good": Text("✓", style="green"), "note": Text("!", style="yellow"), "bad": Text("✗", style="red")}


def doctor(context: typer.Context, *, as_json: AsJson = False) -> int:
    """Look for what is wrong. In configuration, plugins, provider, store, pepper and records.

    It changes no setting and no record. A store that a dying process left half written is recovered by opening it, and
    that is said.
    """
    from otpcore.cli.health import Level, examine  # noqa: PLC0415  # each command loads what it needs

    shell = shell_of(context)
    with Console(stderr=True).status("looking") as shown:
        findings = list(examine(shell.env_file, now=shell.now, progress=shown.update))
    bad = list(dict.fromkeys(finding.part for finding in findings if finding.level is Level.BAD))
    if as_json:
        shell.give({"ok": not bad, "findings": [asdict(finding) for finding in findings]})
        return Exit.NO if bad else Exit.OK
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=13, style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(MARKS[finding.level.value], finding.part, finding.text)
        if finding.facts and finding.part in {"configuration", "provider", "store"}:
            facts = ", ".join(f"{name}={_short(value)}" for name, value in finding.facts.items())
            table.add_row("", "", Text(facts, style="dim"))
    noted = any(finding.level is Level.NOTE for finding in findings)
    well = (
        "Nothing is wrong; what is marked ! works, and should be known." if noted else "Everything is as it should be."
    )
    shell.say(table, "", f"Not as it should be: {', '.join(bad)}." if bad else well)
    return Exit.NO if bad else Exit.OK


def _short(value: object) -> str:
    match value:
        case None:
            return "not set"
        case list():
            return ",".join(str(each) for each in cast("list[object]", value)) or "none"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
