"""`export` and `sweep`: what an operator does to the store.

Rules of this file: the store alone is opened, so that neither needs a provider or a pepper.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, Shell, shell_of
from otpcore.errors import UsageError

if TYPE_CHECKING:
    from otpcore.hookspecs import StoreType

__all__ = ["export", "sweep"]

BATCH = 1_000
EMBEDDED = "tinydb"


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="File to write; made new, mode 0600.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> int:
    """Write the store as TinyDB JSON. The embedded store; it holds pseudonyms, no numbers and no codes."""
    from otpcore.stores.export import export_json  # noqa: PLC0415  # each command loads what it needs

    shell = shell_of(context)
    kind, settings = _named_store(shell)
    path = getattr(settings, "path", None)
    if kind.name != EMBEDDED or not isinstance(path, Path):
        raise UsageError(f"Only the embedded store ({EMBEDDED}) is exported; this one is {kind.name}.")
    with Console(stderr=True).status("exporting"):
        count = export_json(path.expanduser(), out)
    if as_json:
        shell.give({"documents": count, "file": str(out)})
    else:
        shell.say(f"Wrote {count} document{'s' * (count != 1)} to {out}.")
    return Exit.OK


def sweep(context: typer.Context, *, as_json: AsJson = False) -> int:
    """Delete what no longer counts. Run it daily."""
    shell = shell_of(context)
    kind, settings = _named_store(shell)
    store, gone = kind.build(settings), 0
    try:
        with Console(stderr=True).status("sweeping") as shown:
            while swept := store.sweep(shell.now, limit=BATCH):
                gone += swept
                shown.update(f"sweeping: {gone} gone")
    finally:
        store.close()
    if as_json:
        shell.give({"deleted": gone})
    else:
        shell.say(f"Deleted {gone} record{'s' * (gone != 1)}.")
    return Exit.OK


def _named_store(shell: Shell) -> tuple[StoreType, Any]:
    from otpcore.plugins import Plugins  # noqa: PLC0415  # each command loads what it needs
    from otpcore.settings import load_plugin_settings, load_settings  # noqa: PLC0415  # as above

    settings = load_settings(env_file=shell.env_file)
    plugins = Plugins(allow=settings.plugins, block=settings.plugins_blocked)
    plugins.discover()
    kind = plugins.store(settings.store)
    return kind, load_plugin_settings(kind.name, kind.settings, env_file=shell.env_file)
