"""Commands that plugins bring: `otpcore emulator twilio`, and whatever else hangs where its plugin says.

Rules of this file: a plugin that the settings do not allow is loaded only when its name is typed; its application is
loaded only when it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import typer

from otpcore.cli.exits import Exit
from otpcore.errors import UnknownPlugin
from otpcore.installed import PluginInfo, PluginState
from otpcore.plugins import Plugins

__all__ = ["EMULATOR", "emulators", "run_group"]

EMULATOR = "emulator"


INSTALL: Final = "The emulator of Twilio Verify: pip install 'otpcore-twilio[emulator]', then otpcore emulator twilio."


def _plugins(typed: Sequence[str], *, env_file: Path | None) -> Plugins:
    """The plugins in use, and those that are named among the typed words."""
    from otpcore.settings import load_settings  # noqa: PLC0415  # settings cost a quarter of a second

    settings = load_settings(env_file=env_file)
    named = {word for word in typed if word.isascii() and word.isalnum()}
    plugins = Plugins(allow={*settings.plugins, *named}, block=settings.plugins_blocked)
    plugins.discover()
    return plugins


def _idle(plugins: Plugins) -> list[PluginInfo]:
    """Installed and not in use: what they bring is known when they are loaded, and naming them loads them."""
    return [info for info in plugins.listing() if info.state is PluginState.INSTALLED]


def emulators(*, env_file: Path | None) -> Iterator[str]:
    """Which emulators there are, in lines of text."""
    plugins = _plugins((), env_file=env_file)
    groups = [group for group in plugins.commands() if group.path[:1] == (EMULATOR,)]
    idle = _idle(plugins)
    yield "Usage: otpcore emulator NAME [OPTIONS]"
    yield ""
    yield "  Run an emulator of a vendor. Its options: otpcore emulator NAME --help"
    if groups:
        yield "\nEmulators:"
        yield from (f"  {' '.join(group.path[1:]):<10}  {group.summary}" for group in groups)
    if idle:
        yield "\nInstalled plugins that are loaded when they are named here:"
        yield from (f"  {info.name:<10}  {info.distribution} {info.version}" for info in idle)
    if not groups and not idle:
        yield f"\nNo plugin brings one. {INSTALL}"


def run_group(typed: Sequence[str], *, env_file: Path | None) -> int:
    """Run the group that the typed words lead to, with the rest of them.

    Raises:
        UnknownPlugin: none does; says which ones there are.
    """
    plugins = _plugins(typed[:2], env_file=env_file)
    groups = plugins.commands()
    found = next((group for group in groups if tuple(typed[: len(group.path)]) == group.path), None)
    if found is None:
        named = [" ".join(group.path) for group in groups]
        named += [f"{EMULATOR} {info.name}" for info in _idle(plugins) if info.name != typed[1]]
        there = f"There are: {', '.join(named)}." if named else f"There is none. {INSTALL}"
        raise UnknownPlugin(f"No plugin brings the command {' '.join(typed[:2])!r}. {there}")
    command = typer.main.get_command(found.load())
    name = " ".join(("otpcore", *found.path))
    answer = command.main(list(typed[len(found.path) :]), prog_name=name, standalone_mode=False)
    return int(answer or Exit.OK)
