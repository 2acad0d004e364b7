"""`Plugins`: which plugins are installed, which are active, and the typed calls of their hooks.

Rules of this file: installed is not active, and nothing that is not active is imported; one broken plugin never
takes another down; a hook is called one implementation at a time, because pluggy drops the rest when one raises.
There is no global manager. What a plugin raises may hold anything, so it is named by its type and never quoted.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, cast

import pluggy

import otpcore.hookspecs
from otpcore.errors import RefusedPlugin, UnknownPlugin
from otpcore.groups import Brought, hang
from otpcore.hookspecs import PROJECT, CommandGroup, Event, Guard, ProviderType, SendIntent, StoreType, Verdict
from otpcore.installed import PluginInfo, PluginState, failure, installed_plugins

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["PluginInfo", "PluginState", "Plugins"]

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_STRICTNESS = {guard: place for place, guard in enumerate(Guard)}
_Item = TypeVar("_Item")
_Kind = TypeVar("_Kind", bound=ProviderType | StoreType)


class Plugins:
    """The plugins of one application. Set up once, at start; the hook calls are safe from several threads.

    Args:
        allow: names of entry points that may be used, beside the core's own, which always may. A plugin sees
            codes and numbers: name what you chose to trust.
        block: names that are never used, whatever else allows them.
    """

    def __init__(self, allow: Iterable[str] | None = None, block: Iterable[str] = ()) -> None:
        self._allow = frozenset(allow or ())
        self._block = frozenset(block)
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(otpcore.hookspecs)
        self._specs = frozenset(name for name in vars(self._manager.hook) if name.startswith(f"{PROJECT}_"))
        self._infos: dict[str, PluginInfo] = {}
        self._quarantined: list[PluginInfo] = []
        self._providers: dict[str, ProviderType] = {}
        self._stores: dict[str, StoreType] = {}
        self._owners: dict[tuple[str, str], str] = {}
        self._guards: tuple[pluggy.HookImpl, ...] = ()
        self._routers: tuple[pluggy.HookImpl, ...] = ()
        self._observers: tuple[pluggy.HookImpl, ...] = ()
        self._discovered = False

    def discover(self) -> None:
        """Activate what is installed and allowed; put what is broken into quarantine. Raises nothing of a plugin's.

        The entry points of the group `otpcore` are loaded one by one, the core's own first. Of two
        distributions that claim one name neither is imported, unless one of them is the core.
        """
        if self._discovered:
            return
        self._discovered = True
        found, unreadable = installed_plugins()
        self._quarantine(*unreadable)
        claims: dict[str, list[tuple[PluginInfo, EntryPoint]]] = {}
        for info, entry in found:
            claims.setdefault(info.name, []).append((info, entry))
        for name, claimants in claims.items():
            (first, entry), *others = claimants
            if not others:
                self._activate_entry(first, entry)
            elif first.is_core:
                self._activate_entry(first, entry)
                why = f"The name belongs to the core: {first.owner}."
                self._quarantine(*(replace(other, why=why) for other, _ in others))
            else:
                why = f"Several distributions claim {name}: {', '.join(info.owner for info, _ in claimants)}. Keep one."
                self._quarantine(*(replace(info, why=why) for info, _ in claimants))
        for name in sorted(self._allow - self._infos.keys() - claims.keys()):
            near = difflib.get_close_matches(name, claims, n=1)
            hint = f" Is {near[0]!r} meant?" if near else ""
            why = f"Allowed, and no installed distribution brings a plugin of this name.{hint}"
            self._quarantine(PluginInfo(name, PluginState.QUARANTINED, why))

    def register(self, plugin: object, *, name: str) -> None:
        """Activate a plugin of this process: a module or an object with functions marked by `hookimpl`.

        Raises:
            RefusedPlugin: it breaks a rule of the registry or its own code failed; nothing of it is used.
        """
        self._activate(plugin, PluginInfo(name, PluginState.ACTIVE))

    @property
    def providers(self) -> Mapping[str, ProviderType]:
        """The provider types of the active plugins, by their name."""
        return MappingProxyType(self._providers)

    @property
    def stores(self) -> Mapping[str, StoreType]:
        """The store types of the active plugins, by their name."""
        return MappingProxyType(self._stores)

    def provider(self, name: str) -> ProviderType:
        """The provider type of this name.

        Raises:
            UnknownPlugin: no active plugin brings it; says which ones there are, and what is installed but idle.
        """
        return self._one("provider", name, self._providers)

    def store(self, name: str) -> StoreType:
        """The store type of this name.

        Raises:
            UnknownPlugin: no active plugin brings it; says which ones there are, and what is installed but idle.
        """
        return self._one("store", name, self._stores)

    def commands(self, *, own: Collection[str] = (), shared: Collection[str] = ()) -> Sequence[Brought]:
        """The command groups of the active plugins, by path; the first plugin to claim a path has it.

        A plugin that fails, or claims what another or the core has, is left out with a warning in `listing`.

        Args:
            own: first words under which the core alone has commands.
            shared: first words of the core under which groups may hang.
        """
        brought: list[Brought] = []
        for impl in reversed(self._implementations("otpcore_commands")):
            info = self._infos[impl.plugin_name]
            try:
                brought += [(info, group) for group in _typed(impl.function(), CommandGroup)]
            except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything; the others go on
                self._warn(info.name, f"otpcore_commands failed: {failure(error)}")
        hanging, refused = hang(brought, own=own, shared=shared)
        for info, why in refused:
            self._warn(info.name, why)
        return hanging

    def guard_send(self, intent: SendIntent) -> Verdict | None:
        """The strictest verdict of all guards: DENY over HOLD over ALLOW, of several HOLDs the longest.

        Every guard is asked. One that raises, or answers with anything but a verdict, counts as DENY.

        Returns:
            A verdict, or None where no guard has an opinion.
        """
        strictest: Verdict | None = None
        for impl in self._guards:
            try:
                verdict = _verdict(_call(impl, intent))
            except Exception as error:  # noqa: BLE001  # whatever it is, a guard in doubt denies
                _log.warning("The guard of plugin %s failed (%s); denied", impl.plugin_name, type(error).__name__)
                verdict = Verdict(Guard.DENY, f"The guard of plugin {impl.plugin_name} failed.")
            if verdict is not None and (strictest is None or _is_stricter(verdict, strictest)):
                strictest = verdict
        return strictest

    def route(self, intent: SendIntent, candidates: Sequence[str]) -> Sequence[str]:
        """The candidates in the order of the first router that has an opinion; else as they were given.

        An answer that is empty, repeats a name or holds one that is no candidate is logged, and the given order stands.
        """
        for impl in self._routers:
            given = {"intent": intent, "candidates": tuple(candidates)}
            try:
                answer = impl.function(*(given[name] for name in impl.argnames))
                if answer is None:
                    continue
                names = _typed(answer, str)
            except Exception as error:  # noqa: BLE001  # a router in doubt has no opinion
                _log.warning("The router of plugin %s failed (%s)", impl.plugin_name, type(error).__name__)
                continue
            if (
                not isinstance(answer, str)
                and names
                and len(set(names)) == len(names)
                and set(names) <= set(candidates)
            ):
                return names
            _log.warning("The router of plugin %s did not answer with candidates", impl.plugin_name)
            break
        return candidates

    def observe(self, event: Event) -> None:
        """Tell every observer of an event; what one raises is logged by its type and dropped."""
        for impl in self._observers:
            try:
                _call(impl, event)
            except Exception as error:  # noqa: BLE001  # the event is committed: nobody can take it back
                _log.warning("The observer of plugin %s failed (%s)", impl.plugin_name, type(error).__name__)

    def listing(self) -> Sequence[PluginInfo]:
        """Every plugin that is known, by name, with its state and the reason of it."""
        return tuple(
            sorted([*self._infos.values(), *self._quarantined], key=lambda info: (info.name, info.distribution))
        )

    # --- the way to active ---------------------------------------------------------------------

    def _activate_entry(self, info: PluginInfo, entry: EntryPoint) -> None:
        name = info.name
        if name in self._infos:
            self._quarantine(replace(info, why=f"The name is taken by {self._infos[name].owner}."))
        elif name in self._block:
            why = "The block list names it."
            self._infos[name] = replace(info, state=PluginState.BLOCKED, why=why)
        elif name not in self._allow and not info.is_core:
            why = f'Nobody allowed it; add "{name}" to the list of plugins in the settings (OTPCORE_PLUGINS).'
            self._infos[name] = replace(info, state=PluginState.INSTALLED, why=why)
        else:
            try:
                self._activate(entry.load(), info)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # its import may raise anything, or leave
                self._quarantine(replace(info, why=failure(error)))

    def _activate(self, plugin: object, info: PluginInfo) -> None:
        name = info.name
        if not _NAME.fullmatch(name):
            raise RefusedPlugin(f"A plugin's name is lower-case letters, digits and hyphens, not {name!r}.")
        if name in self._block:
            raise RefusedPlugin(f"The block list names {name}.")
        if name in self._infos and self._infos[name].state is PluginState.ACTIVE:
            raise RefusedPlugin(f"Two plugins claim one name: {self._infos[name].owner} and {info.owner}.")
        if other := self._manager.get_name(plugin):
            raise RefusedPlugin(f"One plugin under two names: {self._infos[other].owner} and {info.owner}.")
        found, warnings = self._inspect(plugin, info)
        providers = self._types(plugin, found.get("otpcore_providers"), ProviderType, self._providers, info)
        stores = self._types(plugin, found.get("otpcore_stores"), StoreType, self._stores, info)
        try:
            self._manager.register(plugin, name)
        except pluggy.PluginValidationError as error:
            if self._manager.has_plugin(name):  # pluggy before 1.7 validates half-way through
                self._manager.unregister(name=name)
            raise RefusedPlugin(f"{info.owner}: {' '.join(str(error).split())}.") from None
        kinds: list[ProviderType | StoreType] = [*providers, *stores]
        for kind in kinds:
            self._owners[type(kind).__name__, kind.name] = info.owner
        self._providers.update({kind.name: kind for kind in providers})
        self._stores.update({kind.name: kind for kind in stores})
        self._infos[name] = replace(
            info, state=PluginState.ACTIVE, why="", hooks=tuple(sorted(found)), warnings=warnings
        )
        self._guards = self._implementations("otpcore_guard_send")
        self._routers = self._implementations("otpcore_route")
        self._observers = self._implementations("otpcore_observe")

    def _inspect(self, plugin: object, info: PluginInfo) -> tuple[dict[str, str], tuple[str, ...]]:
        """The attribute of each hook that the plugin implements, and warnings; refuses what pluggy would let pass."""
        found: dict[str, str] = {}
        warnings: list[str] = []
        for attribute in dir(plugin):
            options = self._manager.parse_hookimpl_opts(plugin, attribute)
            if options is None:
                if attribute.startswith(f"{PROJECT}_") and inspect.isroutine(inspect.getattr_static(plugin, attribute)):
                    warnings.append(f"{attribute} is not marked with hookimpl and is never called.")
                continue
            hook = options.get("specname") or attribute
            if hook not in self._specs:
                near = difflib.get_close_matches(hook, self._specs, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(self._specs))}."
                raise RefusedPlugin(f"{info.owner} implements {hook}, which is no hook of otpcore{hint}")
            function = getattr(plugin, attribute)
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise RefusedPlugin(f"{info.owner} implements {hook} with async def; no hook is awaited. Use def.")
            if inspect.isgeneratorfunction(function):
                raise RefusedPlugin(f"{info.owner} implements {hook} as a generator or wrapper; return the result.")
            if hook in found:
                raise RefusedPlugin(f"{info.owner} implements {hook} twice: {found[hook]} and {attribute}.")
            found[hook] = attribute
        return found, tuple(warnings)

    def _types(
        self, plugin: object, attribute: str | None, kind: type[_Kind], known: Mapping[str, _Kind], info: PluginInfo
    ) -> Sequence[_Kind]:
        if attribute is None:
            return ()
        try:
            brought: tuple[_Kind, ...] = _typed(getattr(plugin, attribute)(), kind)
        except Exception as error:
            raise RefusedPlugin(f"{info.owner}: {attribute} failed: {failure(error)}") from error
        names: set[str] = set()
        for each in brought:
            if not _NAME.fullmatch(each.name):
                raise RefusedPlugin(f"{info.owner}: {each.name!r} is no name of a {kind.__name__}.")
            if each.name in known or each.name in names:
                owner = self._owners.get((kind.__name__, each.name), info.owner)
                raise RefusedPlugin(f"Two plugins bring a {kind.__name__} {each.name!r}: {owner} and {info.owner}.")
            names.add(each.name)
        return brought

    def _implementations(self, hook: str) -> tuple[pluggy.HookImpl, ...]:
        """In the order of calling, which is the reverse of pluggy's list."""
        return tuple(reversed(getattr(self._manager.hook, hook).get_hookimpls()))

    def _quarantine(self, *infos: PluginInfo) -> None:
        for info in infos:
            self._quarantined.append(replace(info, state=PluginState.QUARANTINED))

    def _warn(self, name: str, warning: str) -> None:
        info = self._infos[name]
        if warning not in info.warnings:
            self._infos[name] = replace(info, warnings=(*info.warnings, warning))

    def _one(self, what: str, name: str, known: Mapping[str, _Kind]) -> _Kind:
        if name in known:
            return known[name]
        idle = [info for info in self.listing() if info.state is not PluginState.ACTIVE]
        for info in idle:
            if info.name == name:
                raise UnknownPlugin(f"The plugin {info.owner} is not in use. {info.why}")
        unasked = sorted(info.name for info in idle if info.state is PluginState.INSTALLED)
        said = [f"No active plugin brings a {what} {name!r}; there are: {', '.join(sorted(known)) or 'none'}."]
        said += [f"{one.owner if one.distribution else one.name}: {one.why}" for one in idle if one.name not in unasked]
        said += [f"Installed and not allowed: {', '.join(unasked)}."] if unasked else []
        raise UnknownPlugin(" ".join(said))


def _call(impl: pluggy.HookImpl, argument: SendIntent | Event) -> object:
    return impl.function(argument) if impl.argnames else impl.function()


def _typed(brought: object, kind: type[_Item]) -> tuple[_Item, ...]:
    items = tuple(cast("Iterable[_Item]", brought))
    for item in items:
        if not isinstance(item, kind):  # pyright: ignore[reportUnnecessaryIsInstance]  # a plugin's answer is untyped
            raise RefusedPlugin(f"expected {kind.__name__}, not {type(item).__name__}.")
    return items


def _verdict(answer: object) -> Verdict | None:
    if answer is None or (isinstance(answer, Verdict) and answer.guard in _STRICTNESS):
        return answer
    raise TypeError


def _is_stricter(new: Verdict, old: Verdict) -> bool:
    if new.until is not None and old.until is not None and new.guard is old.guard is Guard.HOLD:
        return new.until > old.until
    return _STRICTNESS[new.guard] > _STRICTNESS[old.guard]
