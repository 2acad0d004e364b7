"""What every command shares: its options, where it prints, its log, and what becomes of an error.

Rules of this file: an error is one masked line on standard error; a traceback comes with `--debug` alone; every log
handler that the command line makes hides digits.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Annotated, Any

import typer
from rich.console import Console

from otpcore.cli.exits import Exit, exit_of_error
from otpcore.engine.audit import Redact
from otpcore.errors import OtpcoreError

__all__ = ["AsJson", "Shell", "complain", "error_line", "error_values", "logging_to", "shell_of", "trace"]


@dataclass(slots=True)
class Shell:
    """One run of the command line.

    Attributes:
        debug: show tracebacks and every log record.
        verbose: show the audit log.
        as_json: the command was asked for JSON; an error is then told in it too.
        env_file: settings, as lines of `NAME=value`.
        out: standard output.
    """

    debug: bool = False
    verbose: bool = False
    as_json: bool = False
    env_file: Path | None = None
    out: Console = field(default_factory=lambda: Console(highlight=False, emoji=False, markup=False))

    @property
    def now(self) -> datetime:
        """The present."""
        return datetime.now(UTC)

    def say(self, *lines: object) -> None:
        """Print lines for a person."""
        for line in lines:
            self.out.print(line, soft_wrap=isinstance(line, str))

    def give(self, values: Mapping[str, Any] | Iterable[Any]) -> None:
        """Print one JSON value for a program."""
        self.out.file.write(json.dumps(values, ensure_ascii=False, indent=2) + "\n")


def shell_of(context: typer.Context) -> Shell:
    """The run that a command belongs to."""
    return context.ensure_object(Shell)


def _noted(context: typer.Context, asked: bool) -> bool:
    shell_of(context).as_json = asked
    return asked


AsJson = Annotated[bool, typer.Option("--json", callback=_noted, help="JSON for programs in place of text for people.")]


def complain(line: str) -> None:
    """Print one line on standard error, without runs of digits."""
    sys.stderr.write(f"otpcore: {_hidden(' '.join(line.split()))}\n")


def trace(error: BaseException) -> None:
    """Print a traceback on standard error, without runs of digits."""
    sys.stderr.write(_hidden("".join(traceback.format_exception(error))))


def _hidden(text: str) -> str:
    record = logging.LogRecord("", logging.ERROR, "", 0, text, (), None)
    Redact().filter(record)
    return record.getMessage()


def error_line(error: Exception) -> tuple[str, Exit]:
    """What to say of an error, and with which code to leave."""
    if isinstance(error, OtpcoreError):
        return str(error), exit_of_error(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    # no words of a foreign exception: they may hold a code, a number or a secret
    return f"a bug: {type(error).__name__}{where}; repeat with --debug and report it", Exit.BUG


def error_values(error: Exception) -> dict[str, Any]:
    """An error for programs; the line is the one that people read."""
    retryable = isinstance(error, OtpcoreError) and error.retryable
    return {
        "result": "error",
        "error": type(error).__name__,
        "detail": _hidden(error_line(error)[0]),
        "retryable": retryable,
    }


@contextmanager
def logging_to(shell: Shell) -> Generator[None]:
    """Send log records to standard error while a command runs: warnings, or more as its options say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    handler.addFilter(Redact())
    root, audit = logging.getLogger(), logging.getLogger("otpcore")
    before = root.level, audit.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if shell.debug else logging.WARNING)
    audit.setLevel(logging.DEBUG if shell.debug else logging.INFO if shell.verbose else logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        audit.setLevel(before[1])
