"""The commands of `otpcore`, and what becomes of an error that none of them answered.

Rules of this file: registration, and the last `except`. A command returns its exit code.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, Shell, complain, error_line, logging_to, shell_of

__all__ = ["app", "run"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main(
    context: typer.Context,
    env_file: Annotated[
        Path | None, typer.Option(help="Settings as lines of NAME=value; the environment wins.")
    ] = None,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The audit log on standard error.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks, and every log record, digits hidden.")] = False,
) -> None:
    """Phone verification: send a code, check it, and keep to the resend policy."""
    shell = shell_of(context)
    shell.env_file, shell.verbose, shell.debug = env_file, verbose, debug
    context.with_resource(logging_to(shell))


@app.command()
def demo(context: typer.Context, *, as_json: AsJson = False) -> int:
    """Play one verification against an emulator on this machine; nothing is sent."""
    from otpcore.cli.timeline import show  # noqa: PLC0415  # each command loads what it needs

    return show(shell_of(context), as_json=as_json)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None: those of this process.

    Returns:
        One of the codes of `Exit`.
    """
    shell = Shell()
    try:
        answer = app(arguments, prog_name="otpcore", standalone_mode=False, obj=shell)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        if shell.debug:
            traceback.print_exc()
        line, code = error_line(error)
        complain(line)
        return code
    return int(answer or 0)
