"""`otpcore emulator twilio`: the emulator in the foreground, for a person or a test of another language.

Rule of this file: options in, a few lines out, a clean end on SIGINT and SIGTERM. Importing it loads the server.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from otpcore.providers.transport import is_loopback
from otpcore_twilio.emulator.keeping import StateFileError
from otpcore_twilio.emulator.options import Options
from otpcore_twilio.emulator.serving import serve

__all__ = ["app", "load"]

UNUSABLE = 6
"""What `otpcore` leaves with where a setting or a file cannot be used as it is (its documentation of exit codes)."""

TROUBLE = 7
"""The same, where the command may succeed later."""

app = typer.Typer(
    add_completion=False, subcommand_metavar="", help="A local Twilio Verify v2, with an inbox that shows every code."
)


def load() -> typer.Typer:
    """The application, for the registration as a command group."""
    return app


@app.callback(invoke_without_command=True)
def run(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Another address than this machine's own shows every code to others.")] = (
        "127.0.0.1"
    ),
    seed: Annotated[int | None, typer.Option(help="The same credentials, SIDs and codes on every run.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Keep the account in this file and continue it at the next start."),
    ] = None,
    callback_url: Annotated[
        str | None, typer.Option(help="Tell each message's status to this http URL of this machine.")
    ] = None,
    callback_public_url: Annotated[
        str | None, typer.Option(help="Sign those requests for this URL, by which the receiver knows itself.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Set any other option, as validity_s=120; the value may be JSON."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON in place of text.")] = False,
) -> None:
    """Serve Twilio Verify v2 on this machine until interrupted."""
    stop = threading.Event()

    def end(number: int, frame: object) -> None:  # noqa: ARG001  # a signal handler's signature
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    named = {"seed": seed, "callback_url": callback_url, "callback_public_url": callback_public_url}
    options = _options(option or (), {name: value for name, value in named.items() if value is not None})
    remote = not is_loopback(host)
    if remote:
        typer.echo(f"warning: whoever can reach {host} can read every code", err=True)
    try:
        with serve(options, port=port, host=host, remote=remote, state=state) as emulator:
            if as_json:
                typer.echo(json.dumps({"url": emulator.url, "env": emulator.environment}))
            else:
                typer.echo(f"# Twilio Verify emulator; inbox: {emulator.url}/")
                for name, value in emulator.environment.items():
                    typer.echo(f"export {name}={value}")
            stop.wait()
    except StateFileError as error:
        raise _end(str(error), UNUSABLE) from None
    except OSError as error:
        what = f"use {state}" if error.filename else f"listen on {host} port {port}"
        raise _end(f"cannot {what}: {error.strerror}", TROUBLE) from None


def _end(text: str, code: int) -> typer.Exit:
    typer.echo(f"otpcore: {text}", err=True)
    return typer.Exit(code)


def _options(given: Iterable[str], named: dict[str, Any]) -> Options:
    """The options of the command line; a value that is not JSON is text."""
    known = {field.name for field in fields(Options)}
    found: dict[str, Any] = {}
    for each in given:
        name, _, value = each.partition("=")
        if name not in known:
            raise _end(f"no such option; there are: {', '.join(sorted(known))}", UNUSABLE)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    try:
        return TypeAdapter(Options).validate_python(found | named)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc'])) or 'option'}: {each['msg']}" for each in error.errors())
        raise _end("; ".join(wrong), UNUSABLE) from None
