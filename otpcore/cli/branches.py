"""Commands that plugins bring: `otpcore emulator twilio`, and whatever else hangs where its plugin says.

Rules of this file: a plugin that the settings do not allow is loaded only when its name is typed; its application is
loaded only when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from otpcore.cli.exits import Exit
from otpcore.errors import UnknownPlugin
from otpcore.hookspecs import CommandGroup
from otpcore.plugins import Plugins

__all__ = ["EMULATOR", "groups_of", "run_group"]

EMULATOR = "emulator"


def groups_of(typed: Sequence[str], *, env_file: Path | None) -> Sequence[CommandGroup]:
    """The command groups of the plugins in use, and of those that are named among the typed words."""
    from otpcore.settings import load_settings  # noqa: PLC0415  # settings cost a quarter of a second

    settings = load_settings(env_file=env_file)
    named = {word for word in typed if word.isascii() and word.isalnum()}
    plugins = Plugins(allow={*settings.plugins, *named}, block=settings.plugins_blocked)
    plugins.discover()
    return plugins.commands()


def run_group(typed: Sequence[str], *, env_file: Path | None) -> int:
    """Run the group that the typed words lead to, with the rest of them.

    Raises:
        UnknownPlugin: none does; says which ones there are.
    """
    groups = groups_of(typed[:2], env_file=env_file)
    found = next((group for group in groups if tuple(typed[: len(group.path)]) == group.path), None)
    if found is None:
        there = ", ".join(" ".join(group.path) for group in groups) or "none"
        raise UnknownPlugin(
            f"No plugin brings the command {' '.join(typed[:2])!r}; there are: {there}. "
            "The emulator of Twilio Verify: pip install 'otpcore-twilio[emulator]', then otpcore emulator twilio."
        )
    command = typer.main.get_command(found.load())
    name = " ".join(("otpcore", *found.path))
    answer = command.main(list(typed[len(found.path) :]), prog_name=name, standalone_mode=False)
    return int(answer or Exit.OK)
