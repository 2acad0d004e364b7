"""How a code or a token reaches the command line: a file, the environment, a prompt, or a line of standard input.

Rules of this file: never an argument, because every user of a machine can read those; a prompt goes to standard
error, so that standard output holds the answer alone. Of a line only its end is taken off: a code is not repaired.
"""

from __future__ import annotations

import getpass
import os
import stat
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from otpcore.errors import UsageError

__all__ = ["TOKEN_VARIABLE", "TokenFile", "ask_code", "ask_token", "token_into"]

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
    """The code, as it was typed or pasted, without blanks.

    Raises:
        UsageError: standard input has ended.
    """
    if sys.stdin.isatty():
        sys.stderr.write("Code: ")
        sys.stderr.flush()
    return "".join(_line("code").split())


@contextmanager
def token_into(file: Path) -> Generator[Callable[[str], None]]:
    """Open a file that its owner alone can read, before anything is sent whose token would have no place.

    Args:
        file: made with mode 0600; one that is there must be empty, and is replaced.

    Yields:
        Keeps a token in it. Where nothing was kept, the file that was made is taken away again.

    Raises:
        UsageError: the file cannot be made or written, or it holds something.
    """
    try:
        if there := file.is_symlink() or file.exists():
            found = file.lstat()
            if found.st_size or not stat.S_ISREG(found.st_mode):
                raise UsageError(f"The token file {file} is not empty: name another, or remove it.")
            file.unlink()  # a new one under the same name: somebody may hold the old one open
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        opened = open(descriptor, "w", encoding="ascii")  # noqa: PTH123, SIM115  # a descriptor; closed below
    except OSError as error:
        raise _unwritten(file, error) from None
    kept = False

    def keep(token: str) -> None:
        nonlocal kept
        try:
            opened.write(f"{token}\n")
            opened.flush()
        except OSError as error:
            raise _unwritten(file, error) from None
        kept = True

    try:
        yield keep
    finally:
        with suppress(OSError):  # what was flushed is written; what was not was complained of
            opened.close()
        if not (kept or there):
            file.unlink(missing_ok=True)


def _unwritten(file: Path, error: OSError) -> UsageError:
    return UsageError(f"The token file {file} cannot be written ({type(error).__name__}).")


def _line(what: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise UsageError(f"No {what}: give it as a line of standard input, or at the prompt.")
    return line.removesuffix("\n").removesuffix("\r")
