"""How a code or a token reaches the command line: a file, the environment, a prompt, or a line of standard input.

Rules of this file: never an argument, because every user of a machine can read those; a prompt goes to standard
error, so that standard output holds the answer alone. Of a line only its end is taken off: a code is not repaired.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from otpcore.errors import UsageError

__all__ = ["TokenFile", "ask_code", "ask_token", "write_token"]

TOKEN_VARIABLE: Final = "OTPCORE_TOKEN"  # noqa: S105  # the name of a variable

TokenFile = Annotated[
    Path | None,
    typer.Option(help=f"File that holds the token; else {TOKEN_VARIABLE}, else it is asked for.", metavar="FILE"),
]


def ask_token(file: Path | None) -> str:
    """The token of a session.

    Raises:
        UsageError: the file cannot be read, or standard input has ended.
    """
    if file is not None:
        try:
            return file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeError) as error:
            raise UsageError(f"The token file {file} cannot be read ({type(error).__name__}).") from None
    if given := os.environ.get(TOKEN_VARIABLE):
        return given
    if sys.stdin.isatty():
        return getpass.getpass("Token: ").strip()
    return _line("token")


def ask_code() -> str:
    """The code, as it was typed.

    Raises:
        UsageError: standard input has ended.
    """
    if sys.stdin.isatty():
        sys.stderr.write("Code: ")
        sys.stderr.flush()
    return _line("code")


def write_token(file: Path, token: str) -> None:
    """Keep a token in a file that its owner alone can read.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        # a new file under the same name: one that others can read, or a link to elsewhere, is not written into
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="ascii") as opened:  # noqa: PTH123  # a descriptor, there is no Path
            opened.write(f"{token}\n")
    except OSError as error:
        raise UsageError(f"The token file {file} cannot be written ({type(error).__name__}).") from None


def _line(what: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise UsageError(f"No {what}: give it as a line of standard input, or at the prompt.")
    return line.removesuffix("\n").removesuffix("\r")
