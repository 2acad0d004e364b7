"""The commands of `otpcore`, and what becomes of an error that none of them answered.

Rules of this file: registration, and the last `except`. A command returns its exit code.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from otpcore.cli import (
    branches,
    doctoring,
    explaining,
    legacy,
    listing,
    previewing,
    routes,
    scaffolding,
    upkeep,
    verifying,
)
from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, Shell, complain, error_line, error_values, logging_to, shell_of, trace

__all__ = ["app", "run"]

CODES: Final = "\n".join(f"{code.value}  {code.meaning}" for code in Exit)

USAGE: Final[Any] = typer.BadParameter.__base__
"""What every typing mistake is raised as; the class has moved between releases of Typer."""

app = typer.Typer(
    cls=branches.Branches,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=f"Exit codes:\n\n\b\n{CODES}",
)
policy = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(policy, name="policy")
message = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(message, name="message")
plugin = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(plugin, name="plugin")
route = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(route, name="route")
app.add_typer(legacy.group, name="legacy")


def _help_without_command(context: typer.Context) -> None:
    """Help on standard output, and the code of a mistake: a script whose variable was empty must not go on.

    Typer's own `no_args_is_help` raises its help as an error in some releases and prints it in others.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(Exit.USAGE)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"otpcore {version('otpcore')}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    env_file: Annotated[
        Path | None,
        typer.Option(help="Settings as lines of NAME=value; the environment wins.", metavar="FILE", is_eager=True),
    ] = None,  # eager like --help, whose list of commands depends on it
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The audit log on standard error.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks and every log record, digits hidden.")] = False,
    _show: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="And exit.")] = False,
) -> None:
    """Phone verification: send a code, check it, and keep to the resend policy.

    Codes, tokens and secrets come by prompt, standard input, file or environment, never as an argument.
    """
    shell = shell_of(context)
    shell.env_file, shell.verbose, shell.debug = env_file, verbose, debug
    context.with_resource(logging_to(shell))
    _help_without_command(context)


@app.command()
def demo(context: typer.Context, *, as_json: AsJson = False) -> int:
    """Watch one verification. Against an emulator on this machine; nothing is sent."""
    from otpcore.cli.timeline import show  # noqa: PLC0415  # each command loads what it needs

    return show(shell_of(context), as_json=as_json)


COMMANDS: Final[tuple[Callable[..., int], ...]] = (
    *(verifying.start, verifying.resend, verifying.check, verifying.status, verifying.cancel),
    *(verifying.forget, verifying.unlock, listing.plugins, doctoring.doctor, upkeep.export, upkeep.sweep),
)
for command in COMMANDS:
    app.command()(command)
policy.command()(explaining.explain)
message.command()(previewing.preview)
plugin.command()(scaffolding.new)
route.command()(routes.explain)


@policy.callback()
def _policy(context: typer.Context) -> None:
    """Say what a policy allows."""
    _help_without_command(context)


@message.callback()
def _message(context: typer.Context) -> None:
    """Look at what people read."""
    _help_without_command(context)


@plugin.callback()
def _plugin(context: typer.Context) -> None:
    """Write a plugin."""
    _help_without_command(context)


@route.callback()
def _route(context: typer.Context) -> None:
    """Say which provider would send."""
    _help_without_command(context)


@legacy.group.callback()
def _legacy(context: typer.Context) -> None:
    """Come from the legacy OTP_Model."""
    _help_without_command(context)


@app.command(add_help_option=False, context_settings=branches.PASS_ON)
def emulator(context: typer.Context) -> int:
    """Run an emulator of a vendor. A plugin brings it: `otpcore emulator twilio --help`."""
    shell = shell_of(context)
    if not context.args or "--help" in context.args[:1]:
        shell.say(*branches.emulators(env_file=shell.env_file))
        return Exit.OK
    return branches.run_group([branches.EMULATOR, *context.args], env_file=shell.env_file)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None: those of this process.

    Returns:
        One of the codes of `Exit`, or what the command of a plugin left with.
    """
    shell = Shell()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "✓" gets a question mark, not a traceback
    with suppress(ValueError):  # not in a thread; there Ctrl-C and kill are somebody else's business
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        answer = app(arguments, prog_name="otpcore", standalone_mode=False, obj=shell)
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except USAGE as error:
        command = error.ctx.command_path if error.ctx else "otpcore"
        complain(f"{error.format_message().rstrip('.')}. See {command} --help.")
        return Exit.USAGE
    except Exception as error:  # noqa: BLE001  # the last one: a traceback is for those who ask for it
        if shell.debug:
            trace(error)
        line, code = error_line(error)
        complain(line)
        if shell.as_json:
            shell.give(error_values(error))
        return code
    return int(answer or Exit.OK)
