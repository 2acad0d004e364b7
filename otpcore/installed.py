"""What is installed under the entry-point group `otpcore`, and how a line of `otpcore plugins` reads.

Rules of this file: it reads the metadata of distributions and imports nothing of a plugin. Distributions are read
one by one, because one unreadable `entry_points.txt` would otherwise hide all others. `importlib.metadata` is
imported where it is used.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

from otpcore.errors import OtpcoreError, RefusedPlugin
from otpcore.hookspecs import PROJECT

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["PluginInfo", "PluginState", "failure", "installed_plugins"]

_DIGITS = re.compile(r"[0-9]{4,}")


class PluginState(StrEnum):
    """What became of a plugin."""

    ACTIVE = "active"
    INSTALLED = "installed"  # nobody allowed it: not imported
    BLOCKED = "blocked"  # the block list names it: not imported
    QUARANTINED = "quarantined"  # allowed, and broken or against a rule: none of it is used


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One line of `otpcore plugins`.

    Attributes:
        name: the entry point's name, or the one given to `Plugins.register`.
        state: see `PluginState`.
        why: the reason of a state other than ACTIVE, and what to do; "" for ACTIVE.
        distribution: who brought it, "" for a plugin registered in this process.
        version: of the distribution, "" where there is none.
        hooks: the hooks that it implements, sorted; empty unless ACTIVE.
        warnings: what looks like a mistake and does not keep it from being used.
    """

    name: str
    state: PluginState
    why: str = ""
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """Who answers for it, for messages that name two of them."""
        brought = f"{self.distribution} {self.version}".strip() or "registered in this process"
        return f"{self.name} ({brought})"

    @property
    def is_core(self) -> bool:
        """Whether it came with otpcore itself."""
        return self.distribution == PROJECT


def installed_plugins() -> tuple[Sequence[tuple[PluginInfo, EntryPoint]], Sequence[PluginInfo]]:
    """The plugins that the installed distributions name.

    Returns:
        Each entry point with its line (state INSTALLED), the core's own first, then by name and distribution;
        and a line for each distribution whose entry points cannot be read (QUARANTINED). Of a distribution that
        is installed twice, the first on `sys.path` counts, as for an import.
    """
    from importlib import metadata  # noqa: PLC0415  # see the rules of this file

    found: list[tuple[PluginInfo, EntryPoint]] = []
    unreadable: list[PluginInfo] = []
    seen: set[str] = set()
    for distribution in metadata.distributions():
        try:
            if f"[{PROJECT}]" not in (distribution.read_text("entry_points.txt") or ""):
                continue
            name, version = distribution.metadata["Name"], distribution.version
            normal = re.sub(r"[-_.]+", "-", name).lower()
            if normal in seen:
                continue
            seen.add(normal)
            found.extend(
                (PluginInfo(entry.name, PluginState.INSTALLED, distribution=normal, version=version), entry)
                for entry in distribution.entry_points.select(group=PROJECT)
            )
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, the other distributions are not
            where = getattr(getattr(distribution, "_path", None), "name", "unknown")
            why = f"The metadata of this distribution cannot be read ({type(error).__name__}); install it again."
            unreadable.append(PluginInfo(where, PluginState.QUARANTINED, why))
    found.sort(key=lambda pair: (not pair[0].is_core, pair[0].name, pair[0].distribution))
    return found, unreadable


def failure(error: BaseException) -> str:
    """What may be shown of a plugin's exception: where it was raised, and the words only of ours and the interpreter's.

    A library's words may quote a setting or a number.
    """
    words = str(error) if isinstance(error, (OtpcoreError, ImportError, AttributeError, SyntaxError)) else ""
    if isinstance(error, RefusedPlugin):
        return words
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}{': ' if words else ''}{_DIGITS.sub('…', words)}."
