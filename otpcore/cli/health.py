"""What `doctor` looks at: configuration, plugins, provider, store, pepper, and what is stuck in the records.

Rules of this file: it looks, makes no file and sends nothing. Opening a store recovers it as every opening does, by
cutting an unfinished write off its end, and that is a finding. A setting is shown, a secret is said to be set. An
error of one part is a finding and never keeps the others from being looked at.
"""

from __future__ import annotations

import platform
import re
import stat
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel, SecretStr

from otpcore.cli.branches import groups_of
from otpcore.cli.census import Census, census
from otpcore.cli.places import obstacle
from otpcore.cli.variables import unknown_variables
from otpcore.codes import Keys
from otpcore.contract import Durability
from otpcore.engine import Engine
from otpcore.engine.accepting import check_production, check_store
from otpcore.engine.opening import Instance, Parts, prepare
from otpcore.errors import OtpcoreError
from otpcore.installed import PluginState
from otpcore.phone import metadata_version
from otpcore.plugins import Plugins
from otpcore.ports import Examines, Provider, Scans, Store
from otpcore.settings import load_settings
from otpcore.stores.memory import MemoryStore

__all__ = ["Finding", "Level", "examine", "redacted"]

_USER_INFORMATION: Final = re.compile(r"//[^/@\s]*@")


class Level(StrEnum):
    """How much a finding matters."""

    GOOD = "good"
    NOTE = "note"  # works, and an operator should know
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part.

    Attributes:
        part: its name.
        level: see `Level`.
        text: one or more sentences.
        facts: figures and values by name, for the page and for programs.
    """

    part: str
    level: Level
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


def examine(env_file: Path | None, *, now: datetime, progress: Callable[[str], None]) -> Iterator[Finding]:
    """Look at everything, in the order in which one part needs another.

    Args:
        env_file: settings, as lines of `NAME=value`.
        now: the present.
        progress: is told what takes long.
    """
    yield _software()
    try:
        settings = load_settings(env_file=env_file)
        yield Finding("configuration", Level.GOOD, "Can be read; secrets are not shown.", redacted(settings))
        plugins = Plugins(allow=settings.plugins, block=settings.plugins_blocked)
        plugins.discover()
        if strange := unknown_variables(plugins, env_file, settings.instances()):
            yield _variables(strange)
        parts = prepare(settings, plugins, env_file, None, None, {})
    except OtpcoreError as error:
        yield Finding("configuration", Level.BAD, str(error))
        return
    yield _plugins(parts)
    providers = yield from _providers(parts)
    store = yield from _store(parts)
    try:
        if store is not None:
            yield from _remarks(store)
            yield from _kept(parts, store, now, progress)
        if providers is not None:
            yield _together(parts, store or MemoryStore(), providers)  # that no store is there yet hides no other fault
    finally:
        for each in (*(providers or {}).values(), store):
            if each is not None:
                each.close()


def redacted(settings: BaseModel) -> dict[str, Any]:
    """Settings as they may be shown: of a secret only whether it is set, of an address no user and password."""
    return {name: _shown(getattr(settings, name)) for name in type(settings).model_fields}


def _shown(value: object) -> Any:
    match value:
        case SecretStr():
            return "set" if value.get_secret_value() else "not set"
        case tuple() | list() | frozenset():
            return [_shown(each) for each in cast("Iterable[object]", value)]
        case bool() | int() | float() | None:
            return value
        case _:
            return _USER_INFORMATION.sub("//…@", str(value))


def _software() -> Finding:
    facts = {
        "otpcore": version("otpcore"),
        "python": platform.python_version(),
        "number metadata": metadata_version(),
    }
    return Finding("software", Level.GOOD, ", ".join(f"{name} {each}" for name, each in facts.items()), facts)


def _variables(strange: Mapping[str, str | None]) -> Finding:
    told = [f"{name} (is {near} meant?)" if near else name for name, near in strange.items()]
    text = f"No setting, and of no plugin in use, so nothing reads them: {', '.join(told)}."
    return Finding("variables", Level.NOTE, text, strange)


def _plugins(parts: Parts) -> Finding:
    groups_of(parts.plugins)  # so that what is wrong with them is in the listing
    listing = parts.plugins.listing()
    broken = [f"{info.name}: {info.why}" for info in listing if info.state is PluginState.QUARANTINED]
    odd = [f"{info.name}: {warning}" for info in listing for warning in info.warnings]
    active = ", ".join(info.name for info in listing if info.state is PluginState.ACTIVE)
    if broken:
        return Finding("plugins", Level.BAD, " ".join(broken))
    return Finding("plugins", Level.NOTE if odd else Level.GOOD, " ".join(odd) or f"In use: {active}.")


def _providers(parts: Parts) -> Generator[Finding, None, dict[str, Provider] | None]:
    """One finding of each provider; None where one of them cannot be used."""
    built: dict[str, Provider] = {}
    for each in parts.providers:
        provider = yield from _provider(parts, each)
        if provider is not None:
            built[each.name] = provider
    if len(built) == len(parts.providers):
        return built
    for one in built.values():
        one.close()
    return None


def _provider(parts: Parts, instance: Instance) -> Generator[Finding, None, Provider | None]:
    name, shown = instance.name, redacted(instance.settings)
    try:
        provider = instance.build()
        can = provider.capabilities
        check_production(parts.settings, {name: can})
    except OtpcoreError as error:
        yield Finding("provider", Level.BAD, f"{name}: {error}", shown)
        return None
    about = f"{name}: channels {', '.join(sorted(can.channels))}; code made by {' or '.join(sorted(can.code_owners))}"
    if can.simulated:
        yield Finding("provider", Level.NOTE, f"{about}. It sends nothing: for development only.", shown)
    else:
        text = f"{about}. The settings have the right form; the vendor was not asked whether they are right."
        yield Finding("provider", Level.GOOD, text, shown)
    return provider


def _store(parts: Parts) -> Generator[Finding, None, Store | None]:
    name, shown = parts.settings.store, redacted(parts.store_settings)
    path = parts.store_path
    if path is not None and (wrong := obstacle(path)) is not None:
        yield Finding("store", Level.BAD, f"{name}: {wrong}; see {_path_variable(name)}.", shown)
        return None
    if path is not None and not path.exists():
        yield Finding("store", Level.NOTE, f"{name}: {path} is not there yet; the first use makes it.", shown)
        return None
    store: Store | None = None
    try:
        store = parts.store_type.build(parts.store_settings)
        check_store(parts.settings, store.capabilities)
        began = time.perf_counter()
        store.load("doctor")
        took_ms = (time.perf_counter() - began) * 1000
    except OtpcoreError as error:
        see = f" (see {_path_variable(name)})" if path is not None else ""
        yield Finding("store", Level.BAD, f"{name}: {error}{see}", shown)
        if store is not None:
            store.close()
        return None
    can = store.capabilities
    stats = getattr(store, "stats", None)
    sizes = {each: getattr(stats, each, None) for each in ("file_bytes", "lines", "live", "cuts", "cut_bytes")}
    facts = shown | {each: size for each, size in sizes.items() if size is not None}
    keeps = (
        "keeps nothing beyond this process" if can.durability is Durability.VOLATILE else f"safe to {can.durability}"
    )
    reach = "several machines" if can.shared else "several processes" if can.multi_process else "one process"
    text = f"{name}: answers in {took_ms:.1f} ms, {keeps}, for {reach}."
    if sizes["cuts"]:
        text += f" Opening it cut {sizes['cut_bytes']} bytes of an unfinished write off its end."
    level = Level.NOTE if can.durability is Durability.VOLATILE or sizes["cuts"] else Level.GOOD
    yield Finding("store", level, text, facts)
    return store


def _remarks(store: Store) -> Iterator[Finding]:
    """What a store tells of its server's settings."""
    if not isinstance(store, Examines):
        return
    try:
        remarks = store.examine()
    except OtpcoreError as error:
        yield Finding("store", Level.BAD, str(error))
        return
    for remark in remarks:
        yield Finding("store", Level.BAD if remark.is_fault else Level.NOTE, remark.text)


def _path_variable(store: str) -> str:
    return f"OTPCORE_{store.upper().replace('-', '_')}_PATH"


def _kept(parts: Parts, store: Store, now: datetime, progress: Callable[[str], None]) -> Generator[Finding, None, None]:
    """What depends on the records: the pepper that they were made with, and what is stuck in them."""
    pepper_file = parts.pepper_file
    made = parts.settings.pepper is None and not store.capabilities.shared
    kept = store.capabilities.durability is not Durability.VOLATILE
    found: Census | None = None
    kids: set[str] = set()
    try:
        if not (made and kept and not pepper_file.exists()):
            peppers = (*parts.settings.previous(), parts.pepper(store))
            kids = {Keys.of(each).kid for each in peppers if each is not None}
        if isinstance(store, Scans):
            found = census(store, parts.settings.policy(), kids, now=now, progress=progress)
        yield _pepper(pepper_file if made and kept else None, found)
    except OtpcoreError as error:
        yield Finding("pepper" if found is None else "records", Level.BAD, str(error))
    if found is not None:
        yield _records(found)


def _pepper(file: Path | None, found: Census | None) -> Finding:
    if file is not None and not file.exists():
        if found is not None and found.records:
            text = f"{file} is gone, and the store has records: put it back, or every limit starts again."
            return Finding("pepper", Level.BAD, text)
        return Finding("pepper", Level.NOTE, f"{file} is not there yet; the first use makes it.")
    if found is not None and found.strange_peppers:
        text = "Live codes were made with a pepper that is not configured: keep it in OTPCORE_PREVIOUS_PEPPERS."
        return Finding("pepper", Level.BAD, text)
    if file is None:
        return Finding("pepper", Level.GOOD, "Configured, or not needed: the store keeps nothing.")
    mode = stat.S_IMODE(file.stat().st_mode)
    return Finding("pepper", Level.GOOD, f"{file}, mode {mode:04o}. Back it up apart from the store.")


def _records(found: Census) -> Finding:
    facts = {
        "records": found.records,
        "resend records": found.resend_records,
        "live sessions": found.live_sessions,
        "stuck sends": found.stuck_sends,
        "sends of unknown outcome": found.unknown_sends,
        "locked recipients": found.locked,
        "damaged records": found.damaged,
    }
    text = ", ".join(f"{count} {name}" for name, count in facts.items()) + "."
    if found.stuck_sends:
        text += " A stuck send belongs to a process that died; it counts, and the next operation settles it as unknown."
    level = Level.BAD if found.damaged else Level.NOTE if found.stuck_sends or found.locked else Level.GOOD
    return Finding("records", level, text, facts)


def _together(parts: Parts, store: Store, providers: Mapping[str, Provider]) -> Finding:
    """Whether an engine accepts these parts together."""
    settings = parts.settings
    try:
        # nothing is made with this pepper: whether there is one was looked at before
        Engine(store, providers, pepper=bytes(range(32)), **parts.terms)
    except OtpcoreError as error:
        return Finding("engine", Level.BAD, str(error))
    return Finding("engine", Level.GOOD, f"Policy {settings.profile}, purposes {', '.join(settings.purposes)}.")
