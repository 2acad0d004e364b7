"""`plugins`: every plugin that is installed, what it brings, and why one is not in use.

Rules of this file: presentation of `Plugins.listing`.
"""

from __future__ import annotations

from typing import Any, Final

import typer
from rich.table import Table
from rich.text import Text

from otpcore.cli.branches import groups_of
from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, shell_of
from otpcore.installed import PluginInfo, PluginState
from otpcore.plugins import Plugins

__all__ = ["plugins"]

STYLES: Final = {
    PluginState.ACTIVE: "green",
    PluginState.INSTALLED: "dim",
    PluginState.BLOCKED: "yellow",
    PluginState.QUARANTINED: "red",
}


def plugins(context: typer.Context, *, as_json: AsJson = False) -> int:
    """List the plugins. With version, state and hooks, and why one is not in use."""
    from otpcore.settings import load_settings  # noqa: PLC0415  # settings cost a quarter of a second

    shell = shell_of(context)
    settings = load_settings(env_file=shell.env_file)
    registry = Plugins(allow=settings.plugins, block=settings.plugins_blocked)
    registry.discover()
    groups_of(registry)  # so that what is wrong with them is in the listing
    listing = registry.listing()
    kinds = [("store", kind.name, kind.summary) for kind in registry.stores.values()]
    kinds += [("provider", kind.name, kind.summary) for kind in registry.providers.values()]
    if as_json:
        shell.give(
            {
                "plugins": [_machine(info) for info in listing],
                "types": [{"kind": kind, "name": name, "summary": summary} for kind, name, summary in kinds],
            }
        )
        return Exit.OK
    table = _table("plugin", "version", "state", "hooks and remarks")
    for info in listing:
        version = f"{info.distribution} {info.version}".strip()
        hooks = ", ".join(hook.removeprefix("otpcore_") for hook in info.hooks)
        remarks = "\n".join(part for part in (hooks, info.why, *info.warnings) if part)
        table.add_row(info.name, version, Text(info.state.value, style=STYLES[info.state]), remarks)
    types = _table("", "name", "what it is")
    for row in kinds:
        types.add_row(*row)
    shell.say(table, "", types)
    return Exit.OK


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _machine(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "state": info.state.value,
        "why": info.why,
        "distribution": info.distribution,
        "version": info.version,
        "hooks": info.hooks,
        "warnings": info.warnings,
    }
