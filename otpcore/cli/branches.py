"""Commands that plugins bring: `otpcore emulator twilio`, and whatever else hangs where its plugin says.

Rules of this file: what an active plugin brings is mounted behind the core's own commands. An emulator of a plugin
that the settings do not allow is loaded too, but only when its name is typed. An application is loaded only when it
is used. Nothing that a plugin does wrong keeps another command from working.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

from otpcore.cli.exits import Exit
from otpcore.errors import OtpcoreError, PluginError, UnknownPlugin
from otpcore.groups import Brought
from otpcore.installed import PluginInfo, PluginState, failure
from otpcore.plugins import Plugins

__all__ = ["EMULATOR", "OWN", "PASS_ON", "Branches", "emulators", "groups_of", "run_group"]

EMULATOR: Final = "emulator"
"""Plugins hang their emulators here."""

OWN: Final = frozenset(
    {"start", "resend", "check", "status", "cancel", "forget", "unlock"}
    | {"plugins", "doctor", "export", "sweep", "policy", "demo", "legacy", "message", "plugin", "route"}
)
"""The core's own commands, where nothing of a plugin hangs."""

PASS_ON: Final = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}
"""Settings of a command whose words are a plugin's business."""

INSTALL: Final = "The emulator of Twilio Verify: pip install 'otpcore-twilio[emulator]', then otpcore emulator twilio."


class Branches(TyperGroup):
    """The core's commands, and behind them the groups of the active plugins by the first word of their paths."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The core's commands, then those of plugins; without them where the settings cannot be read."""
        own: list[str] = super().list_commands(ctx)
        try:
            brought = _mounted(ctx)
        except OtpcoreError:  # a command that needs the settings says what is wrong with them
            return own
        return [*own, *dict.fromkeys(group.path[0] for _, group in brought if group.path[0] != EMULATOR)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The core's command; else what a plugin hangs there; None: nobody has it."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        under = [each for each in _mounted(ctx) if each[1].path[0] == cmd_name]
        return _branch(cmd_name, under) if under else None


def _mounted(ctx: Any) -> Sequence[Brought]:
    """The groups of the active plugins, found once in a run."""
    if "otpcore.branches" not in ctx.meta:
        given = ctx.params.get("env_file")
        ctx.meta["otpcore.branches"] = groups_of(_plugins((), env_file=Path(given) if given else None))
    found: Sequence[Brought] = ctx.meta["otpcore.branches"]
    return found


def _branch(word: str, under: Sequence[Brought]) -> Any:
    """The command `otpcore WORD`, which hands the words behind it on."""
    maker = typer.Typer(add_completion=False, rich_markup_mode=None)

    def branch(context: typer.Context) -> int:
        typed = [word, *context.args]
        if _chosen(typed, under) is None and not [each for each in context.args if each != "--help"]:
            typer.echo("\n".join(_choices(word, under)))
            return Exit.OK if context.args else Exit.USAGE
        return _run(typed, under)

    maker.command(word, help=_summary(word, under), add_help_option=False, context_settings=PASS_ON)(branch)
    return typer.main.get_command(maker)


def _summary(word: str, under: Sequence[Brought]) -> str:
    names = [" ".join(group.path[1:]) for _, group in under]
    return under[0][1].summary if names == [""] else f"Of a plugin: otpcore {word} {', '.join(names)}."


def _choices(word: str, under: Sequence[Brought]) -> Iterator[str]:
    yield f"Usage: otpcore {word} NAME [OPTIONS]\n"
    yield from (f"  {' '.join(group.path[1:]):<10}  {group.summary}" for _, group in under)


def _plugins(typed: Sequence[str], *, env_file: Path | None) -> Plugins:
    """The plugins in use, and those that are named among the typed words."""
    from otpcore.settings import load_settings  # noqa: PLC0415  # settings cost a quarter of a second

    settings = load_settings(env_file=env_file)
    named = {word for word in typed if word.isascii() and word.isalnum()}
    plugins = Plugins(allow={*settings.plugins, *named}, block=settings.plugins_blocked)
    plugins.discover()
    return plugins


def groups_of(plugins: Plugins) -> Sequence[Brought]:
    """The groups of these plugins where nothing of the core is; what is refused is in their listing."""
    return plugins.commands(own=OWN, shared={EMULATOR})


def _idle(plugins: Plugins) -> list[PluginInfo]:
    """Installed and not in use: what they bring is known when they are loaded, and naming them loads them."""
    return [info for info in plugins.listing() if info.state is PluginState.INSTALLED]


def emulators(*, env_file: Path | None) -> Iterator[str]:
    """Which emulators there are, in lines of text."""
    plugins = _plugins((), env_file=env_file)
    under = [each for each in groups_of(plugins) if each[1].path[0] == EMULATOR]
    idle = _idle(plugins)
    yield "Usage: otpcore emulator NAME [OPTIONS]"
    yield ""
    yield "  Run an emulator of a vendor. Its options: otpcore emulator NAME --help"
    if under:
        yield "\nEmulators:"
        yield from (f"  {' '.join(group.path[1:]):<10}  {group.summary}" for _, group in under)
    if idle:
        yield "\nInstalled plugins, which may bring one, and are loaded when they are named here:"
        yield from (f"  {info.name:<10}  {info.distribution} {info.version}" for info in idle)
    if not under and not idle:
        yield f"\nNo plugin brings one. {INSTALL}"


def run_group(typed: Sequence[str], *, env_file: Path | None) -> int:
    """Run the emulator that the typed words lead to, with the rest of them.

    Raises:
        UnknownPlugin: none does; says which ones there are.
        PluginError: it cannot be loaded.
    """
    plugins = _plugins(typed[:2], env_file=env_file)
    under = [each for each in groups_of(plugins) if each[1].path[0] == EMULATOR]
    if _chosen(typed, under) is None:
        idle = [info.name for info in _idle(plugins) if info.name != typed[1]]
        raise _unknown(typed, under, idle, f"There is none. {INSTALL}")
    return _run(typed, under)


def _chosen(typed: Sequence[str], under: Sequence[Brought]) -> Brought | None:
    """The one whose path the typed words begin with."""
    return next((each for each in under if tuple(typed[: len(each[1].path)]) == each[1].path), None)


def _unknown(typed: Sequence[str], under: Sequence[Brought], more: Sequence[str], none: str) -> UnknownPlugin:
    named = [" ".join(group.path) for _, group in under]
    there = [f"There are: {', '.join(named)}."] if named else []
    there += [f"Installed, and may bring one: {', '.join(more)}."] if more else []
    return UnknownPlugin(f"No plugin brings the command {' '.join(typed[:2])!r}. {' '.join(there) or none}")


def _run(typed: Sequence[str], under: Sequence[Brought]) -> int:
    found = _chosen(typed, under)
    if found is None:
        raise _unknown(typed, under, (), "")
    info, group = found
    name = " ".join(("otpcore", *group.path))
    try:
        command = typer.main.get_command(group.load())
    except (Exception, SystemExit) as error:
        raise PluginError(f"The command {name!r} of {info.owner} cannot be loaded: {failure(error)}") from error
    answer = command.main(list(typed[len(group.path) :]), prog_name=name, standalone_mode=False)
    return answer if isinstance(answer, int) else Exit.OK
