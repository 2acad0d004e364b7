"""What a plugin can tell otpcore, as pluggy hooks: registration and cheap policy, never I/O.

A plugin is a module, or an object, named by an entry point of the group `otpcore`. It marks its
functions with `hookimpl`, takes any subset of a hook's arguments by name, and returns at once: no hook
performs I/O, and an `async def` implementation is refused.

Rules of this file: specifications and the values that they carry; the calling side is `otpcore.plugins`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from otpcore.events import Event, Guard, SendIntent, Verdict
from otpcore.ports import AsyncProvider, AsyncStore, Provider, Store

if TYPE_CHECKING:
    from pydantic import BaseModel  # 70 ms that a program without settings models never needs

__all__ = [
    "PROJECT",
    "CommandGroup",
    "Event",
    "Guard",
    "ProviderType",
    "SendIntent",
    "StoreType",
    "Verdict",
    "hookimpl",
    "hookspec",
]

PROJECT = "otpcore"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class ProviderType:
    """A kind of provider that settings may name.

    Attributes:
        name: lower-case letters, digits and hyphens; unique among all plugins.
        summary: one line for `otpcore plugins`.
        settings: what it needs; filled from the environment by the core. A field's environment name is
            `OTPCORE_<NAME>_<FIELD>`; a field may declare further names with `validation_alias`.
        build: makes the blocking provider. Opens no connection; raises ConfigurationError.
        build_async: makes the awaited one; None: the async engine serves `build`'s through worker threads.
    """

    name: str
    summary: str
    settings: type[BaseModel]
    build: Callable[[Any], Provider]
    build_async: Callable[[Any], AsyncProvider] | None = None


@dataclass(frozen=True, slots=True)
class StoreType:
    """A kind of store that settings may name; the attributes are those of `ProviderType`.

    Where a store is awaited for some settings only, `build_async` gives the blocking one for the others.
    """

    name: str
    summary: str
    settings: type[BaseModel]
    build: Callable[[Any], Store]
    build_async: Callable[[Any], AsyncStore | Store] | None = None


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """A group of commands that a plugin adds to the command line.

    Attributes:
        path: where it hangs: ("pigeon",) for `otpcore pigeon`, ("emulator", "twilio") for `otpcore emulator twilio`.
            Words of lower-case letters, digits and hyphens. What the core or another plugin has is not given away.
        load: returns the Typer application; called when the group is used, so that heavy imports wait.
        summary: one line of help.
    """

    path: tuple[str, ...]
    load: Callable[[], Any]
    summary: str


@hookspec
def otpcore_providers() -> Iterable[ProviderType]:  # type: ignore[empty-body]  # a specification has no body
    """Name the provider types that this plugin brings. Called once, when the plugin is activated."""


@hookspec
def otpcore_stores() -> Iterable[StoreType]:  # type: ignore[empty-body]  # a specification has no body
    """Name the store types that this plugin brings. Called once, when the plugin is activated."""


@hookspec
def otpcore_guard_send(intent: SendIntent) -> Verdict | None:
    """Judge a send before it is reserved.

    Called once, of every active plugin, before the policy decides: for every start, and resend of a live session, whose
    recipient is served, and for the new code that is to follow an undelivered message (`failover_on_undelivered`),
    which a HOLD prevents as a DENY does. Not for a call that repeats another's idempotency key: it sends nothing. The
    strictest verdict wins, and an implementation that raises counts as DENY.

    Args:
        intent: the send that is about to be reserved.

    Returns:
        A verdict, or None for no opinion.
    """


@hookspec(firstresult=True)
def otpcore_route(intent: SendIntent, candidates: Sequence[str]) -> Sequence[str] | None:
    """Order the providers for a send. The first answer counts.

    Called once for every start that no guard holds, for a resend that may go several ways, and for the new code that is
    to follow an undelivered message. A resend of a provider's own code stays where it is, whatever is answered. The
    order holds for all that follows, should the first provider not accept.

    Args:
        intent: the send that is about to be reserved.
        candidates: names of the providers that the route has for it, in its order; not empty. Of a resend first the
            session's own, or last where its newest message may not have arrived; after an undelivered message those
            that were not asked for it.

    Returns:
        Some or all of the candidates, best first, or None for no opinion; what is left out is not tried.
    """


@hookspec
def otpcore_observe(event: Event) -> None:
    """Be told of an event. Called after the commit that made it true; an exception is logged and dropped.

    Args:
        event: holds neither a code nor a full number.
    """


@hookspec
def otpcore_commands() -> Iterable[CommandGroup]:  # type: ignore[empty-body]  # a specification has no body
    """Name the command groups that this plugin brings.

    Called by `otpcore --help`, `otpcore plugins` and `otpcore doctor`, and when a word is typed that is no command
    of the core.
    """
