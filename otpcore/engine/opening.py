"""From settings to an engine: which store, which providers, which pepper.

Rules of this file: no setting is judged here that another file judges already; what was opened is closed again when
a later part refuses. It is imported at first use, because settings cost a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from otpcore.engine.accepting import check_production, check_store
from otpcore.engine.aio import AsyncEngine
from otpcore.engine.sync import Engine
from otpcore.engine.terms import is_awaiting
from otpcore.errors import ConfigurationError, PepperError
from otpcore.hookspecs import ProviderType, StoreType
from otpcore.plugins import Plugins
from otpcore.ports import AsyncProvider, AsyncStore, Provider, Scans, Store
from otpcore.settings import Settings, load_plugin_settings, load_settings, pepper_for

__all__ = ["Given", "Instance", "Parts", "assemble", "open_async_engine", "open_engine", "prepare"]

_Engine = TypeVar("_Engine")

Given = BaseModel | Mapping[str, Any] | None
"""Settings of one plugin: whole, as values that win over the environment, or None: from the environment.

Of several providers: by the names of the instances, each in one of these ways.
"""


@dataclass(frozen=True, slots=True)
class Instance:
    """A provider that settings name, filled; nothing is opened yet.

    Attributes:
        name: of the instance, which routes and records know it by.
        kind: its type.
        settings: for its `build`.
    """

    name: str
    kind: ProviderType
    settings: BaseModel

    def build(self) -> Provider:
        """The blocking provider."""
        return self.kind.build(self.settings)

    def build_async(self) -> Provider | AsyncProvider:
        """The awaited one, where its type has one."""
        return (self.kind.build_async or self.kind.build)(self.settings)


@dataclass(frozen=True, slots=True)
class Parts:
    """What settings name, found and filled; nothing is opened yet.

    Attributes:
        settings: of the engine.
        plugins: the registry, discovered.
        store_type: the store that is named.
        store_settings: for its `build`.
        providers: those that are named, in the order of preference; at least one.
    """

    settings: Settings
    plugins: Plugins
    store_type: StoreType
    store_settings: BaseModel
    providers: tuple[Instance, ...]

    @property
    def store_path(self) -> Path | None:
        """The store's own file: the `path` of its settings, if they have one."""
        path = getattr(self.store_settings, "path", None)
        return path.expanduser() if isinstance(path, Path) else None

    @property
    def pepper_file(self) -> Path:
        """Where a pepper that is made on this machine is kept: beside the store's file."""
        return (self.store_path.parent if self.store_path else self.settings.data_dir) / "pepper"

    @property
    def terms(self) -> dict[str, Any]:
        """What the settings say of the engine itself, by the names of its arguments."""
        return {
            "tenant": self.settings.tenant,
            "profile": self.settings.policy(),
            "purposes": self.settings.purposes,
            "destinations": self.settings.destinations(),
            "code_owner": self.settings.code_owner,
            "routing": self.settings.routing(),
            "keep_number": self.settings.keep_number,
            "timeout_s": self.settings.provider_timeout_s,
            "provider_concurrency": self.settings.provider_concurrency,
            "templates": self.settings.catalogue(),
            "brand": self.settings.brand,
        }

    def pepper(self, store: Store | AsyncStore) -> bytes | None:
        """The pepper for this store; on one machine it is made at the first use.

        Raises:
            PepperError: see `pepper_for`; or the file has gone and the store has records, whose limits would all
                start again.
        """
        made_here = self.settings.pepper is None and not store.capabilities.shared
        if made_here and not self.pepper_file.exists() and isinstance(store, Scans) and not is_awaiting(store, "scan"):
            used = any("/r/" in key for key, _ in store.scan("", 100))  # an import of the legacy facade needs no pepper
            if used and not self.pepper_file.exists():  # again: another process may have made it, and then a record
                raise PepperError(
                    f"The pepper at {self.pepper_file} is gone, and the store's records cannot be found without it: "
                    "put it back. To begin anew, and every limit with it, take the store's file away as well."
                )
        return pepper_for(self.settings, store.capabilities, beside=self.store_path)


def open_engine(
    settings: Settings | None = None,
    *,
    plugins: Plugins | Iterable[str] | None = None,
    env_file: Path | None = None,
    provider_settings: Given = None,
    store_settings: Given = None,
    **overrides: Any,
) -> Engine:
    """An engine as the settings say; closing it closes its store and providers.

    Args:
        settings: already read; None: from the environment, see `otpcore.settings`.
        plugins: a registry of the application's own, or the names of the installed plugins that may be used; None: as
            `settings` say.
        env_file: lines of `NAME=value`; the environment wins over it.
        provider_settings: of the provider: a whole model, or single values that win over the environment; of several,
            by their names.
        store_settings: of the store, likewise.
        **overrides: settings by name (`profile="demo"`); they win over `settings` and the environment.

    Raises:
        ConfigurationError: a setting, or a combination, that cannot be; in production, anything made for
            demonstrations.
        PluginError: a named store or provider is not there.
        StoreError: the store cannot be opened.
    """
    parts = prepare(settings, plugins, env_file, provider_settings, store_settings, overrides)
    return assemble(Engine, parts, parts.store_type.build, Instance.build)


def open_async_engine(
    settings: Settings | None = None,
    *,
    plugins: Plugins | Iterable[str] | None = None,
    env_file: Path | None = None,
    provider_settings: Given = None,
    store_settings: Given = None,
    **overrides: Any,
) -> AsyncEngine:
    """The awaiting twin of `open_engine`; awaits nothing itself.

    Args:
        settings: as for `open_engine`, and so are the others.
        plugins: names, or a registry.
        env_file: lines of `NAME=value`.
        provider_settings: of the provider.
        store_settings: of the store.
        **overrides: settings by name.

    Raises:
        ConfigurationError: as for `open_engine`, and so are the others.
        PluginError: a named store or provider is not there.
        StoreError: the store cannot be opened.
    """
    parts = prepare(settings, plugins, env_file, provider_settings, store_settings, overrides)
    store = parts.store_type
    return assemble(AsyncEngine, parts, store.build_async or store.build, Instance.build_async)


def prepare(
    settings: Settings | None,
    plugins: Plugins | Iterable[str] | None,
    env_file: Path | None,
    provider_settings: Given,
    store_settings: Given,
    overrides: Mapping[str, Any],
) -> Parts:
    """Find and fill what the settings name; the arguments and refusals are those of `open_engine`."""
    given = settings.model_dump() if settings is not None else {}
    if "provider" in overrides:
        given.pop("providers", None)
    if settings is None or overrides:
        settings = load_settings(env_file=env_file, **{**given, **overrides})
    if not isinstance(plugins, Plugins):
        plugins = Plugins(allow=settings.plugins if plugins is None else plugins, block=settings.plugins_blocked)
        plugins.discover()
    store = plugins.store(settings.store)
    return Parts(
        settings=settings,
        plugins=plugins,
        store_type=store,
        store_settings=_filled(store, store_settings, env_file),
        providers=_instances(settings, plugins, provider_settings, env_file),
    )


def _instances(settings: Settings, plugins: Plugins, given: Given, env_file: Path | None) -> tuple[Instance, ...]:
    """Each provider with its settings, which are read under its own name."""
    named = settings.instances()
    if len(named) == 1:
        by_name: Mapping[str, Any] = dict.fromkeys(named, given)
    elif isinstance(given, BaseModel) or (given is not None and not given.keys() <= named.keys()):
        raise ConfigurationError(f"Of several providers, settings are given by name: {', '.join(named)}.")
    else:
        by_name = given or {}
    kinds = {name: plugins.provider(kind) for name, kind in named.items()}
    return tuple(
        [Instance(name, kind, _filled(kind, by_name.get(name), env_file, name)) for name, kind in kinds.items()]
    )


def _filled(kind: StoreType | ProviderType, given: Given, env_file: Path | None, name: str = "") -> BaseModel:
    if isinstance(given, BaseModel):
        return given
    return load_plugin_settings(name or kind.name, kind.settings, env_file=env_file, **(given or {}))


def assemble(
    engine: Callable[..., _Engine],
    parts: Parts,
    build_store: Callable[[Any], Any],
    build_provider: Callable[[Instance], Provider | AsyncProvider],
    **terms: Any,
) -> _Engine:
    """Build store and providers, and the engine over them; what was built is closed again when a later part refuses.

    Args:
        engine: takes the arguments of `Engine`.
        parts: see `prepare`.
        build_store: from its settings.
        build_provider: one of the instances.
        **terms: arguments of the engine that win over those of `parts`.
    """
    settings, providers = parts.settings, dict[str, Provider | AsyncProvider]()
    opened: list[Any] = []
    try:
        for each in parts.providers:
            providers[each.name] = build_provider(each)
            opened.append(providers[each.name])
        check_production(settings, {name: one.capabilities for name, one in providers.items()})
        store = build_store(parts.store_settings)
        opened.append(store)
        check_store(settings, store.capabilities)
        return engine(
            store,
            providers,
            pepper=parts.pepper(store),
            previous_peppers=settings.previous(),
            plugins=parts.plugins,
            **{**parts.terms, **terms},
        )
    except BaseException:
        for each in opened:
            if not is_awaiting(each, "close"):  # what awaits opens nothing before it is first awaited
                with suppress(Exception):
                    each.close()
        raise
