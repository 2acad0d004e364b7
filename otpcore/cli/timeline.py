"""How `otpcore demo` looks: a line for each step as it happens, a countdown while it waits.

Rules of this file: presentation; what is checked is in `demo`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from otpcore.cli.demo import Step, play
from otpcore.cli.exits import Exit
from otpcore.cli.shell import Shell
from otpcore.cli.stage import Stage, open_stage

__all__ = ["machine_step", "rows", "show"]

TICK_S = 0.05


def show(shell: Shell, *, as_json: bool, stage: Callable[[], AbstractContextManager[Stage]] = open_stage) -> Exit:
    """Play the demonstration and show it.

    Args:
        shell: where to.
        as_json: one object at the end in place of a timeline.
        stage: makes the world that it runs in.

    Returns:
        OK, or NO when a step differs.
    """
    began = time.monotonic()
    live = shell.out.is_terminal and not as_json
    steps = play(pause=(lambda seconds: _count_down(shell.out, seconds)) if live else time.sleep, stage=stage)
    if not as_json:
        shell.say(Text("\notpcore demo", style="bold") + Text("  one phone, one verification, every step checked\n"))
    told = list(steps if as_json else rows(shell.out, steps))
    wrong = [step.name for step in told if not step.ok]
    elapsed_s = time.monotonic() - began
    if as_json:
        shell.give({"ok": not wrong, "elapsed_s": round(elapsed_s, 3), "steps": [machine_step(step) for step in told]})
    elif wrong:
        shell.say(Text(f"\nThis step differs: {', '.join(wrong)} ({elapsed_s:.1f} s).", style="bold red"))
    else:
        shell.say(Text(f"\nAll {len(told)} steps as promised, in {elapsed_s:.1f} s.", style="bold green"))
    return Exit.NO if wrong else Exit.OK


def rows(console: Console, steps: Iterator[Step]) -> Iterator[Step]:
    """Print each step as it comes, and hand it on."""
    for step in steps:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=8, justify="right", style="dim")
        row.add_column(width=1)
        row.add_column(width=13, style="bold" if step.ok else "bold red")
        row.add_column(overflow="fold")
        mark = Text("✓", style="green") if step.ok else Text("✗", style="red")
        row.add_row(f"{step.at_s:.2f} s", mark, step.name, Text(step.lines[0]))
        for line in step.lines[1:]:
            row.add_row("", "", "", Text(line, style="dim"))
        console.print(row)
        yield step


def _count_down(console: Console, seconds: float) -> None:
    """Wait, with a bar that shows how long."""
    until = time.monotonic() + seconds
    columns = (TextColumn("            waiting for the resend"), BarColumn(30), TextColumn("{task.fields[left]:.1f} s"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=seconds, left=seconds)
        while (left := until - time.monotonic()) > 0:
            progress.update(task, completed=seconds - left, left=left)
            time.sleep(min(TICK_S, left))


def machine_step(step: Step) -> dict[str, str | float | bool | Sequence[str]]:
    """The step for programs."""
    return {"step": step.name, "ok": step.ok, "at_s": round(step.at_s, 3), "found": step.lines}
