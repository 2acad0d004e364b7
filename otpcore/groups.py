"""Which command group hangs where: every path belongs to one plugin, and what is the core's stays the core's.

Rules of this file: values only. A refusal is a sentence that names the owner of the path.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from otpcore.hookspecs import CommandGroup
from otpcore.installed import PluginInfo

__all__ = ["Brought", "hang"]

Brought = tuple[PluginInfo, CommandGroup]
"""A group and the plugin that brings it."""

CORE: Final = "otpcore itself"

_WORD: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def hang(
    brought: Iterable[Brought], *, own: Collection[str], shared: Collection[str]
) -> tuple[Sequence[Brought], Sequence[tuple[PluginInfo, str]]]:
    """Give each group its path; the first to claim one has it, and all that lies below it.

    Args:
        brought: the groups in the order of their claims.
        own: first words under which the core alone has commands.
        shared: first words of the core under which groups may hang, but which no group may be.

    Returns:
        The groups that hang, by path; and of each other one who brought it, and why it does not.
    """
    taken: dict[tuple[str, ...], Brought] = {}
    refused: list[tuple[PluginInfo, str]] = []
    for info, group in brought:
        wrong = _misshapen(group)
        if wrong is None and (owner := _owner(group.path, taken, own=own, shared=shared)):
            wrong = f"The command {' '.join(group.path)!r} belongs to {owner}; that of {info.owner} is left out."
        if wrong is None:
            taken[group.path] = info, group
        else:
            refused.append((info, wrong))
    return tuple(taken[path] for path in sorted(taken)), refused


def _misshapen(group: Any) -> str | None:
    """What is wrong with a group by itself: a plugin may have put anything into it."""
    path = cast("tuple[object, ...]", group.path) if isinstance(group.path, tuple) else ()
    if not path or not all(isinstance(word, str) and _WORD.fullmatch(word) for word in path):
        return "The path of a command is a tuple of words of lower-case letters, digits and hyphens."
    if not callable(group.load) or not isinstance(group.summary, str):
        return f"The command {' '.join(map(str, path))!r} needs a load that can be called, and a summary."
    return None


def _owner(
    path: tuple[str, ...], taken: Mapping[tuple[str, ...], Brought], *, own: Collection[str], shared: Collection[str]
) -> str:
    """Who has this path, a part of it or something below it; "" for nobody."""
    if path[0] in own or (path[0] in shared and len(path) == 1):
        return CORE
    for held, (info, _) in taken.items():
        shorter = min(len(held), len(path))
        if held[:shorter] == path[:shorter]:
            return info.owner
    return ""
