"""`otpcore http`: what a gateway's file would ask, without asking it, and the presets as files to begin with.

Rules of this file: nothing is sent and no secret is read; what stands for a secret is its name, as for
the ids of DLT, and for the code, dots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from otpcore.errors import ConfigurationError
from otpcore.ports import MessageText, SendRequest
from otpcore.providers.http import HttpRequest, UnfitRequest
from otpcore_http.gateway import Gateway, read_gateway, read_table
from otpcore_http.mapping import Mapped, mapped
from otpcore_http.presets import PRESETS, preset_file
from otpcore_http.templates import placeholders_of

__all__ = ["app", "would_ask"]

EXAMPLE: Final = "+12025550123"
AT: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)
TEXT: Final = "•••••• is your code. It ends in 5 minutes."
DLT: Final = {"entity_id": "{dlt_entity_id}", "template_id": "{dlt_template_id}"}
CONFIGURATION: Final = 6
"""The code with which the command line leaves where a file cannot be used."""

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check the description of a gateway; show a preset.")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="TOML file that describes a gateway")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs in place of text for people.")] = False,
) -> None:
    """Judge a gateway's file and show what it would ask for +1 202 555 0123. Nothing is sent."""
    try:
        gateway = read_gateway(read_table(file), file.name)
        told = would_ask(gateway)
    except ConfigurationError as error:
        if as_json:
            typer.echo(json.dumps({"result": "error", "detail": str(error)}, ensure_ascii=False, indent=2))
        else:
            typer.echo(f"otpcore: {error}", err=True)
        raise typer.Exit(CONFIGURATION) from None
    if as_json:
        typer.echo(json.dumps({"result": "ok", **told}, ensure_ascii=False, indent=2))
        return
    typer.echo(f"{gateway.name}: the file can be used. For {EXAMPLE} it asks:\n")
    typer.echo(f"{told['method']} {told['url']}")
    for name in ("auth", "headers", "query", "form", "json"):
        if told[name]:
            typer.echo(f"  {name}: {json.dumps(told[name], ensure_ascii=False)}")
    if told["in_url"]:
        named = ", ".join(f"{{{name}}}" for name in told["in_url"])
        typer.echo(f"\nwarning: {named} stands in the URL, which servers and proxies write into their logs.")
    typer.echo(f"\nreceipts: {told['receipts']}")


@app.command()
def show(name: Annotated[str, typer.Argument(help=f"one of {', '.join(PRESETS)}")]) -> None:
    """Print a preset, as a file to begin with."""
    try:
        typer.echo(preset_file(name).read_text("utf-8"), nl=False)
    except ConfigurationError as error:
        typer.echo(f"otpcore: {error}", err=True)
        raise typer.Exit(CONFIGURATION) from None


def would_ask(gateway: Gateway) -> Mapping[str, Any]:
    """What a gateway would be asked, for people and programs; names in braces stand for secrets.

    `in_url` names what stands in the URL and should not be read there: the text with the code in it, and secrets.

    Raises:
        ConfigurationError: the request cannot be encoded.
    """
    api = _with_names(gateway)
    message = MessageText(TEXT, 1, "example", "en", dlt=DLT)
    request = SendRequest(
        "0198b5a4-4c3e-7000-8000-000000000001",
        EXAMPLE,
        min(gateway.channels),
        "login",
        "••••••",
        None,
        AT + timedelta(minutes=5),
        10.0,
        message=message,
    )
    asked = api.request(request)
    if not isinstance(asked, HttpRequest):
        raise ConfigurationError(f"{gateway.name}: it cannot be asked: {asked.detail}")
    try:
        asked.encode(TEXT)
    except UnfitRequest as error:
        raise ConfigurationError(f"{gateway.name}: it cannot be asked: {error}") from None
    receipts = gateway.receipts
    return {
        "name": gateway.name,
        "method": asked.method,
        "url": asked.url.replace("%7B", "{").replace("%7D", "}"),
        "auth": None if asked.auth is None else {"username": asked.auth[0], "password": asked.auth[1]},
        "headers": dict(asked.headers),
        "query": dict(asked.params),
        "form": None if asked.form is None else dict(asked.form),
        "json": asked.json,
        "in_url": _told_by_url(gateway),
        "receipts": "none" if receipts is None else f"{receipts.place}, known by {receipts.auth.kind}",
    }


def _told_by_url(gateway: Gateway) -> list[str]:
    """The placeholders in the URL that are nobody's to read: the text with the code in it, and secrets."""
    found = {name for template in (gateway.url, *gateway.query.values()) for name in placeholders_of(template)}
    return sorted(found & {"text", *gateway.secrets})


def _with_names(gateway: Gateway) -> Mapped:
    """The gateway with its secrets' names in their places, and no receipts: a ticket needs the real one."""
    keys = {gateway.receipts.auth.secret} if gateway.receipts is not None else set[str]()
    secrets = {name: f"{{{name}}}" for name in gateway.secrets if name not in keys}
    return mapped(gateway, secrets, sender="{sender}", clock=lambda: AT)
