"""`otpcore emulator twilio`: the emulator in the foreground, for a person or a test of another language.

Rule of this file: options in, a few lines out, a clean end on SIGINT and SIGTERM. Importing it loads the server.
"""

from __future__ import annotations

import json
import signal
import threading
from typing import Annotated

import typer

from otpcore_twilio.emulator.loopback import is_loopback
from otpcore_twilio.emulator.options import Options
from otpcore_twilio.emulator.serving import serve

__all__ = ["app", "load"]

TROUBLE = 7
"""What `otpcore` leaves with where the same command may succeed later (its documentation of exit codes)."""

app = typer.Typer(add_completion=False, help="A local Twilio Verify v2, with an inbox that shows every code.")


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
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON in place of text.")] = False,
) -> None:
    """Serve Twilio Verify v2 on this machine until interrupted."""
    stop = threading.Event()

    def end(number: int, frame: object) -> None:  # noqa: ARG001  # a signal handler's signature
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    remote = not is_loopback(host)
    if remote:
        typer.echo(f"warning: whoever can reach {host} can read every code", err=True)
    try:
        with serve(Options(seed=seed), port=port, host=host, remote=remote) as emulator:
            if as_json:
                typer.echo(json.dumps({"url": emulator.url, "env": emulator.environment}))
            else:
                typer.echo(f"# Twilio Verify emulator; inbox: {emulator.url}/")
                for name, value in emulator.environment.items():
                    typer.echo(f"export {name}={value}")
            stop.wait()
    except OSError as error:
        typer.echo(f"otpcore: cannot listen on {host} port {port}: {error.strerror}", err=True)
        raise typer.Exit(TROUBLE) from None
